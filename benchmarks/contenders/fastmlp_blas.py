"""fastmlp's compiled engine over SciPy's BLAS, whatever the size of the network."""

from benchmarks.contenders import fastmlp_default

LIBRARY = "fastmlp"


def prepare(case, threads):
    """Return a function that trains for one epoch."""
    return fastmlp_default.prepare(case, threads, engine="blas")
