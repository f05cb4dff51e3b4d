"""What a network takes and gives: inputs, outputs, losses, and a function that it is compiled to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from fastmlp._support.checks import weights
from fastmlp._support.threads import count_threads
from fastmlp.engine.selection import COMPILED, ENGINES, PREDICTOR
from fastmlp.engine.sparse_rows import SparseRows, is_sparse
from fastmlp.layers import Dense
from fastmlp.network.inputs import check_inputs, check_loss, check_sparse, check_targets
from fastmlp.network.parameter_vector import NetworkParameters
from fastmlp.network.preparation import Preparation


class NetworkPredictions(NetworkParameters):
    """Base of `Network`, whose constructor chooses the engine."""

    layers: tuple[Dense, ...]
    engine: str
    n_threads: int | None
    preparation: Preparation | None

    @property
    def engine_in_use(self) -> str:
        """What ``engine="auto"`` came to: "tile" or "blas"; otherwise the engine as it was given."""
        return self._plan.operations if self.engine == "auto" else self.engine

    def predict(self, X) -> np.ndarray:
        """Return the outputs for X.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            uint8, float32 and float64 are read as they are, in any strides; other types are converted.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs), of the network's dtype

        Raises
        ------
        ValueError
            If X is not fit to be read, see `check_inputs`, or so large that outputs would be NaN.
        """
        outputs = self.predict_array(X)
        if outputs is not None:
            return outputs
        # No plain array, or one that is not fit to be read: this finds out.
        X = self.check_inputs(X)
        outputs = self._run(X)[0][-1]
        if np.isnan(outputs).any():
            raise ValueError(f"X has values that are too large for {self.dtype}: some outputs are NaN.")
        return outputs

    def predict_array(self, X) -> np.ndarray | None:
        """Return what `predict` returns for a plain array of finite numbers; None for all else."""
        if self.engine == "reference":
            return None
        with self._limited_blas():
            return self._predictor.predict(X, self.n_threads)

    def compile(self, shape=None, **made_of_outputs) -> Callable[..., Any]:
        """Return `predict` as a function for serving, of one row or a batch.

        Parameters
        ----------
        shape : tuple of int, optional
            Of what it returns for one row; by default (n_outputs,).
        **made_of_outputs
            What it makes of the outputs: see `fastmlp.engine.compiled.Compiled`.

        Returns
        -------
        callable
            ``function(X, out=None)``.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> from fastmlp.layers import Dense
        >>> network = Network([Dense(8, "tanh"), Dense(3, "softmax")], n_features=4, random_state=0)
        >>> function = network.compile()
        >>> function(np.ones(4)).shape, function(np.ones((2, 4))).shape
        ((3,), (2, 3))
        """
        if self.engine == "reference":
            raise ValueError(
                "engine='reference' is NumPy, and there is nothing to compile; take another engine."
            )
        if shape is None:
            shape = (self.n_outputs,)
        function = import_module(COMPILED).Compiled(self._predictor, self.n_threads, shape, **made_of_outputs)
        return _Limited(function, self._limited_blas) if self._limits_blas else function

    def forward(self, X) -> list[np.ndarray]:
        """Return the activations of every layer, each (n_samples, units); the last are the outputs."""
        return self._run(self.check_inputs(X), of_all_layers=True)[0]

    def evaluate(self, X, y, loss, sample_weight=None) -> tuple[float, np.ndarray]:
        """Return the mean loss against the targets y, weighted or not, and the outputs, in one pass."""
        X, loss = self.check_inputs(X), self.check_loss(loss)
        outs, value = self._run(
            X,
            loss=loss,
            targets=self.check_targets(X, y, loss),
            sample_weight=weights("sample_weight", sample_weight, X.shape[0]),
        )
        return value, outs[-1]

    def _run(self, X, of_all_layers=False, loss=None, targets=None, sample_weight=None):
        *hidden, last = self._plan.layers  # `layers` can be assigned to, and the engine writes by the plan
        outs = [
            np.empty((X.shape[0], layer.n_out), dtype=self.dtype) if of_all_layers or layer is last else None
            for layer in (*hidden, last)
        ]
        with self._limited_blas():
            value = self._engine().forward(
                self._plan,
                self.parameters,
                X,
                self._prepared(),
                outs,
                loss=loss and loss.name,
                loss_options=loss and loss.options(),
                targets=targets,
                sample_weight=sample_weight,
                n_threads=count_threads(self.n_threads),
            )
        return outs, value

    @cached_property
    def _predictor(self):
        return import_module(PREDICTOR).Predictor(
            self._plan, self._parameters, self._prepared(), self._prepares_float64_only
        )

    @property
    def _limits_blas(self) -> bool:
        return self.n_threads is not None and self.engine_in_use == "blas"

    def _limited_blas(self):
        """Keep BLAS, whose number of threads is the whole process's, to ours for as long as this is open."""
        if not self._limits_blas:
            return nullcontext()
        return threadpool_limits(count_threads(self.n_threads), user_api="blas")

    def check_inputs(self, X) -> np.ndarray:
        """Return X as the engine reads it, without a copy where it can be; refuse what is not fit to be read.

        Raises
        ------
        ValueError
            If X is not two-dimensional, empty, of another width, or holds NaN or infinity.
        """
        check_sparse(X, preparation=self.preparation)
        return self._readable(check_inputs(X, self.n_features, self._is_finite))

    def _readable(self, X) -> np.ndarray:
        """Return X as float64 if the preparation cannot be applied in the network's type.

        The engine prepares float64 in float64, before it rounds; other types only after they are converted.
        """
        if self._prepares_float64_only and not is_sparse(X):
            return np.asarray(X, dtype=np.float64)
        return X

    @property
    def _prepares_float64_only(self) -> bool:
        return self.preparation is not None and not self.preparation.can_prepare_in(self.dtype)

    def read_sparse(self, X) -> Any:
        """Return a sparse X as the engine reads it, for many passes over it; an array as it is."""
        return SparseRows.of(X, self.dtype) if is_sparse(X) else X

    def check_loss(self, loss):
        """Return the loss that a name stands for; refuse one that does not go with the last layer."""
        return check_loss(loss, self.layers[-1].activation, self.n_outputs)

    def check_targets(self, X, y, loss) -> np.ndarray:
        """Return y as the engine reads it: int32 labels, or a (n_samples, n_targets) matrix.

        Raises
        ------
        ValueError
            If y has the wrong length or shape, holds NaN or infinity, or labels or targets out of range.
        """
        return check_targets(y, loss, X.shape[0], self.n_outputs)

    def _is_finite(self, X) -> bool:
        # On all threads, a large array takes a third of the time that scikit-learn's check does.
        return import_module(ENGINES["tile"]).is_finite(X, count_threads(self.n_threads))

    def _engine(self):
        return import_module(ENGINES[self.engine])

    def _prepared(self):
        return self.preparation and (self.preparation.center, self.preparation.scale)


class _Limited:
    """A compiled network that multiplies by BLAS, on the threads that it may use."""

    def __init__(self, function: Callable[..., Any], limited_blas: Callable[[], AbstractContextManager]):
        self._function, self._limited_blas = function, limited_blas

    def __call__(self, X: Any, out: np.ndarray | None = None) -> Any:
        with self._limited_blas():
            return self._function(X, out)

    def __repr__(self):
        return repr(self._function)
