"""What a network predicts: outputs of an array, of all layers, with a loss, or as a compiled function."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp._support.threads import count_threads
from fastmlp.engine.selection import COMPILED, ENGINES, PREDICTOR, in_use, limited_blas
from fastmlp.losses import Loss
from fastmlp.network.inputs import Inputs, Readable, Samples
from fastmlp.network.parameter_vector import ParameterVector

if TYPE_CHECKING:
    from fastmlp.engine.prediction import Predictor


class Prediction:
    """The way from inputs to outputs, for one plan, one vector of parameters and one preparation.

    Attributes
    ----------
    operations : str
        What ``engine="auto"`` stands for here, "tile" or "blas"; otherwise the engine as it was given.
    """

    def __init__(self, parameters: ParameterVector, inputs: Inputs, engine: str) -> None:
        self._parameters, self._inputs, self._engine = parameters, inputs, engine
        self.operations = in_use(engine, parameters.plan)

    @cached_property
    def _predictor(self) -> Predictor:
        predictor: Predictor = import_module(PREDICTOR).Predictor(
            self._parameters.plan,
            self._parameters.values,
            self._inputs.prepared,
            self._inputs.needs_float64,
        )
        return predictor

    def of(self, X: Samples, n_threads: int | None) -> np.ndarray:
        """Return the outputs for X, see `Network.predict`."""
        outputs = self.of_array(X, n_threads)
        if outputs is not None:
            return outputs
        # No plain array, or one that is not fit to be read: this finds out.
        readable = self._inputs.check(X, n_threads)
        outputs = self._empty(readable, self._parameters.plan.n_outputs)
        self._run(readable, self._last(outputs), n_threads)
        if np.isnan(outputs).any():
            raise ValueError(
                f"X has values that are too large for {self._inputs.dtype}: some outputs are NaN."
            )
        return outputs

    def of_array(self, X: Any, n_threads: int | None) -> np.ndarray | None:
        """Return the outputs for a plain array of finite numbers; None for all else."""
        if self._engine == "reference":
            return None
        if n_threads is not None and self.operations == "blas":
            with limited_blas(self.operations, n_threads):
                return self._predictor.predict(X, n_threads)
        return self._predictor.predict(X, n_threads)

    def of_all_layers(self, X: Readable, n_threads: int | None) -> list[np.ndarray]:
        """Return the outputs of every layer for X as the engine reads it."""
        outs = [self._empty(X, layer.n_out) for layer in self._parameters.plan.layers]
        self._run(X, outs, n_threads)
        return outs

    def with_loss(
        self, X: Readable, targets: np.ndarray, loss: Loss, sample_weight: np.ndarray | None, *,
        n_threads: int | None,
    ) -> tuple[float, np.ndarray]:  # fmt: skip
        """Return the mean loss and the outputs for X and targets as the engine reads them."""
        outputs = self._empty(X, self._parameters.plan.n_outputs)
        value: float = self._run(
            X,
            self._last(outputs),
            n_threads,
            loss=loss.name,
            loss_options=loss.options(),
            targets=targets,
            sample_weight=sample_weight,
        )
        return value, outputs

    def compile(
        self, shape: tuple[int, ...], n_threads: int | None, **made_of_outputs: Any
    ) -> Callable[..., Any]:
        """Return the predictions as a function, see `Network.compile`."""
        if self._engine == "reference":
            raise ValueError(
                "engine='reference' is NumPy, and there is nothing to compile; take another engine."
            )
        function: Callable[..., Any] = import_module(COMPILED).Compiled(
            self._predictor, n_threads, shape, **made_of_outputs
        )
        if n_threads is None or self.operations != "blas":
            return function
        return _Limited(function, n_threads)

    def _empty(self, X: Readable, n_columns: int) -> np.ndarray:
        return np.empty((X.shape[0], n_columns), dtype=self._inputs.dtype)

    def _last(self, outputs: np.ndarray) -> list[np.ndarray | None]:
        """Return a place for each layer's outputs: None for all but the last."""
        return [*[None] * (len(self._parameters.plan.layers) - 1), outputs]

    def _run(
        self, X: Readable, outs: list[np.ndarray] | list[np.ndarray | None], n_threads: int | None,
        **with_loss: Any,
    ) -> Any:  # fmt: skip
        """Have the engine write the layers' outputs; return the mean loss, or None without one."""
        with limited_blas(self.operations, n_threads):
            return import_module(ENGINES[self._engine]).forward(
                self._parameters.plan,
                self._parameters.values,
                X,
                self._inputs.prepared,
                outs,
                n_threads=count_threads(n_threads),
                **with_loss,
            )


class _Limited:
    """A compiled network that multiplies by BLAS, on the threads that it may use."""

    def __init__(self, function: Callable[..., Any], n_threads: int) -> None:
        self._function, self._n_threads = function, n_threads

    def __call__(self, X: Any, out: np.ndarray | None = None) -> Any:
        with limited_blas("blas", self._n_threads):
            return self._function(X, out)

    def __repr__(self) -> str:
        return repr(self._function)
