"""Studies: experiments in a file. Data, runs, tables, figures and claims; run side by side, and resumed."""

from fastmlp.studies.claims import VERDICTS, Verdict, judge
from fastmlp.studies.figures import draw_figures
from fastmlp.studies.reading import StudyError, load_study, located, published
from fastmlp.studies.records import Record
from fastmlp.studies.report import check_installed, write_report
from fastmlp.studies.results import Results
from fastmlp.studies.runs import run_study
from fastmlp.studies.spec import Study
from fastmlp.studies.tables import gaps, readable, table_frame, write_tables

__all__ = [
    "VERDICTS", "Record", "Results", "Study", "StudyError", "Verdict", "check_installed", "draw_figures",
    "gaps", "judge", "load_study", "located", "published", "readable", "run_study", "table_frame",
    "write_report", "write_tables",
]  # fmt: skip
