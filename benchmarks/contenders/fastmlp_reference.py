"""fastmlp's reference engine: the same step in NumPy, the twin that is written to be read."""

from benchmarks.contenders import fastmlp_default

LIBRARY = "fastmlp"


def prepare(case, threads):
    """Return a function that trains for one epoch."""
    return fastmlp_default.prepare(case, threads, engine="reference")
