"""Who races: a line in `CONTENDERS` for each, and a module for each library or way of using it.

A module has a function for every kind of case that it takes part in, of that kind's name:
``training(case, threads, *data, **options)``, and likewise ``prediction``, ``grid`` and ``accuracy``. It
makes the model, the way that the library's users would, and returns the turn: a function of no arguments
that does the work once. Where not all of a turn counts, it returns an `Outcome`; otherwise it is
timed from outside, whatever it returns. A library that is missing, or `NotHere`, costs a row and is told;
all else is a failure.

A new contender is a new file and a line in `CONTENDERS`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Any

from benchmarks.kinds import Case

#: The one that the others are compared with.
BASELINE = "fastmlp"


@dataclass(frozen=True)
class Contender:
    """A line of the table.

    Attributes
    ----------
    library : str
        The distribution that provides it, for its version.
    module : str
        Of this package; imported in the workers only, so that a missing library costs nothing but a row.
    kinds : tuple of str
        The kinds of case that it takes part in.
    options : dict
        Passed on to the module's functions.
    dtypes : tuple of str
        The cases' types that it takes part in.
    """

    library: str
    module: str
    kinds: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    dtypes: tuple[str, ...] = ("float32", "float64")

    def takes(self, case: Case) -> bool:
        """Return whether the contender is meant for such a case."""
        return case.kind in self.kinds and case.dtype in self.dtypes

    def load(self) -> ModuleType:
        """Import the module."""
        return import_module(f"benchmarks.contenders.{self.module}")


_BOTH = ("training", "prediction")
_OURS, _TORCH = ("fastmlp", "fastmlp_network"), ("torch", "torch_eager")

#: All of them, in the order of the tables.
CONTENDERS = {
    BASELINE: Contender(*_OURS, (*_BOTH, "grid", "accuracy")),
    "fastmlp-tile": Contender(*_OURS, _BOTH, {"engine": "tile"}),
    "fastmlp-blas": Contender(*_OURS, _BOTH, {"engine": "blas"}),
    "fastmlp-bf16": Contender(*_OURS, (*_BOTH, "accuracy"), {"dtype": "bfloat16"}, ("float32",)),
    "fastmlp-one-core": Contender(*_OURS, ("grid",), {"n_jobs": 1}),
    "reference": Contender(*_OURS, _BOTH, {"engine": "reference"}),
    "scikit-learn": Contender("scikit-learn", "scikit_learn", (*_BOTH, "grid")),
    "torch": Contender(*_TORCH, (*_BOTH, "accuracy")),
    "torch-compile": Contender("torch", "torch_compiled", _BOTH),
    "torch-bf16": Contender(*_TORCH, (*_BOTH, "accuracy"), {"autocast": True}, ("float32",)),
    "jax": Contender("jax", "jax_scan", _BOTH),
    "onnxruntime": Contender("onnxruntime", "onnx_runtime", ("prediction",)),
}


def kind_of(name: str) -> Contender:
    """Return the contender of this name; ``fastmlp@REV`` is a `BASELINE` that was built elsewhere."""
    return CONTENDERS[name.partition("@")[0]]


@dataclass(frozen=True)
class Outcome:
    """What came of a turn that keeps its own time.

    Attributes
    ----------
    seconds : float
        That count.
    finished : bool
        False if the turn ended without what it was for: it would have taken longer than ``seconds``.
    """

    seconds: float
    finished: bool = True


class Stopwatch:
    """Runs from the moment it is made, except while it is `paused`."""

    def __init__(self):
        self._started = time.perf_counter()

    @contextmanager
    def paused(self):
        """Leave out the time of a ``with`` block."""
        began = time.perf_counter()
        yield
        self._started += time.perf_counter() - began

    @property
    def seconds(self) -> float:
        """So far."""
        return time.perf_counter() - self._started


def timed(turn: Callable[[], Any]) -> Outcome:
    """Do a turn and return what came of it."""
    watch = Stopwatch()
    outcome = turn()
    return outcome if isinstance(outcome, Outcome) else Outcome(watch.seconds)
