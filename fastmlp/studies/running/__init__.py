"""The runs of a study, their records and results."""
