"""Training a network: the way into the engine, for one fit at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp._support.threads import count_threads
from fastmlp.engine import given
from fastmlp.engine.selection import ENGINES, in_use, limited_blas
from fastmlp.losses import Loss
from fastmlp.network.inputs import Inputs, Readable
from fastmlp.network.parameter_vector import ParameterVector

if TYPE_CHECKING:
    from fastmlp.engine.native import Training


class TrainingLock:
    """Lets nobody else train a network while one fit holds it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the network for as long as this is open.

        Raises
        ------
        RuntimeError
            If another fit holds it.
        """
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(
                "this network is being trained by another fit; wait for it, or train a copy (copy.deepcopy)."
            )
        try:
            yield
        finally:
            self._lock.release()


class Fits:
    """What trains one vector of parameters on inputs of one kind, while it holds the network's lock."""

    def __init__(self, parameters: ParameterVector, inputs: Inputs, engine: str, lock: TrainingLock) -> None:
        self._parameters, self._inputs, self._engine, self._lock = parameters, inputs, engine, lock

    @contextmanager
    def by_batches(
        self, X: Readable, targets: np.ndarray, loss: Loss, *, parameters: np.ndarray | None,
        is_mixed: bool, n_threads: int | None, **options: Any,
    ) -> Iterator[Training]:  # fmt: skip
        """Yield the engine's `Training`, see `Network.training`."""
        plan = self._parameters.plan
        with self._only_fit(n_threads):
            yield import_module(ENGINES[self._engine]).Training(
                replace(plan, operations="bfloat16") if is_mixed else plan,
                self._parameters.values if parameters is None else parameters,
                self._inputs.readable(X),
                self._inputs.prepared,
                loss=loss.name,
                loss_options=loss.options(),
                targets=targets,
                n_threads=count_threads(n_threads),
                **options,
            )

    @contextmanager
    def of_all_samples(
        self, X: Readable, targets: np.ndarray, loss: Loss, *, n_threads: int | None, **options: Any
    ) -> Iterator[Callable[[np.ndarray], float]]:
        """Yield the mean loss as a function that writes its gradient, see `Network.full_batch`."""
        # Checked once for all calls: what the engine indexes by is then read-only.
        plan, sample_weight = self._parameters.plan, options.pop("sample_weight", None)
        X, targets, sample_weight = given.samples(
            plan,
            self._inputs.readable(X),
            targets,
            sample_weight,
            loss=loss.name,
            loss_options=loss.options(),
        )
        rows = options.pop("rows", None)
        rows = given.all_rows(X.shape[0]) if rows is None else given.rows(rows, X.shape[0])
        held = given.hold(self._parameters.values, X, targets, sample_weight)
        with self._only_fit(n_threads):
            yield partial(
                import_module(ENGINES[self._engine]).gradients,
                plan,
                self._parameters.values,
                X,
                self._inputs.prepared,
                d_inputs=None,
                loss=loss.name,
                loss_options=loss.options(),
                targets=targets,
                sample_weight=sample_weight,
                rows=rows,
                n_threads=count_threads(n_threads),
                is_checked=True,
                **options,
            )
        del held  # until here nobody moves their memory

    @contextmanager
    def _only_fit(self, n_threads: int | None) -> Iterator[None]:
        """Hold the network, and keep BLAS to so many threads, for as long as this is open."""
        with self._lock.held(), limited_blas(in_use(self._engine, self._parameters.plan), n_threads):
            yield
