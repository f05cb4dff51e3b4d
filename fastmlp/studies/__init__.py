"""Studies: experiments in a file. Data, runs, tables, figures and claims; run side by side, and resumed."""

from fastmlp.studies.file.schema import StudyError
from fastmlp.studies.file.study import Study
from fastmlp.studies.file.study_file import load_study, located, published
from fastmlp.studies.page.claims import VERDICTS, Verdict, judge
from fastmlp.studies.page.figures import draw_figures
from fastmlp.studies.page.report import check_installed, write_report
from fastmlp.studies.page.study_tables import gaps, readable, table_frame, write_tables
from fastmlp.studies.running.records import Record
from fastmlp.studies.running.results import Results
from fastmlp.studies.running.runs import run_study

__all__ = [
    "VERDICTS", "Record", "Results", "Study", "StudyError", "Verdict", "check_installed", "draw_figures",
    "gaps", "judge", "load_study", "located", "published", "readable", "run_study", "table_frame",
    "write_report", "write_tables",
]  # fmt: skip
