"""Studies: experiments in a file. Data, a grid of runs, seeds and tables, run side by side and resumed."""

from fastmlp.studies.runs import Record, run_study
from fastmlp.studies.spec import Study, StudyError, load_study
from fastmlp.studies.tables import table_frame, write_tables

__all__ = ["Record", "Study", "StudyError", "load_study", "run_study", "table_frame", "write_tables"]
