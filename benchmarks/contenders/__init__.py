"""Who races: one module each, with `LIBRARY` and `prepare`.

``LIBRARY`` is the name of the distribution that provides it, for its version. ``prepare(case, threads)``
makes the model and its data and returns a function of no arguments that trains for one epoch, the
way that the library's users would. A new contender is a new file and a line in `MODULES`.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

#: The one that the others are compared with.
BASELINE = "fastmlp"

#: The module of each contender. They are imported in the workers only: a missing library costs a row.
MODULES = {
    BASELINE: "fastmlp_default",
    "fastmlp-blas": "fastmlp_blas",
    "reference": "fastmlp_reference",
    "scikit-learn": "scikit_learn",
    "torch": "torch_eager",
}


def load(name: str) -> ModuleType:
    """Import the module of a contender."""
    return import_module(f"benchmarks.contenders.{MODULES[name]}")
