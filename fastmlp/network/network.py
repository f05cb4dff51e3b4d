"""A network: dense layers over one flat vector of parameters.

Only this floor reaches the engine: this module, network_predictions.py for what a network gives,
network_checks.py for what it takes, network_parameters.py for the layout of the vector, and machine.py for
what there is on this machine.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from fastmlp import activations
from fastmlp._support.checks import number, shown, weights
from fastmlp._support.threads import check_n_threads, count_threads
from fastmlp.engine.plan import make_plan
from fastmlp.engine.selection import dtype_name, operations_of
from fastmlp.layers import Dense
from fastmlp.network.prediction import NetworkPredictions
from fastmlp.network.preparation import Preparation

# What a copy makes anew.
_NOT_COPIED = ("_training_lock", "_predictor")


class Network(NetworkPredictions):
    """A multilayer perceptron: its layers and its parameters.

    Parameters
    ----------
    layers : sequence of Dense
        From the first hidden layer to the output.
    n_features : int
        Number of inputs.
    dtype : {"float32", "float64", "bfloat16"}, default="float32"
        The type of the parameters and of all that is computed. With ``"bfloat16"`` only what enters the
        products of training is rounded to it: parameters, sums and predictions are float32. It needs a
        processor with AVX512_BF16, which multiplies it nearly twice as fast.
    engine : {"auto", "blas", "tile", "reference"}, default="auto"
        Who multiplies: kernels of our own ("tile") or SciPy's BLAS, on its threads; ``"auto"`` takes tiles
        on every processor with AVX2, AVX-512 or NEON. ``"reference"`` is NumPy: slow, and easy to read and
        to step through.
    initializer : str, object or list, default="glorot_uniform"
        See `fastmlp.initializers`; one for all layers or one for each. A layer's own takes precedence.
    preparation : Preparation or None, default=None
        Standardisation of the inputs, applied as they are read.
    random_state : int, RandomState instance or None, default=None
        For the initial parameters.
    n_threads : int or None, default=None
        The most threads to use; None for as many as the process may use. Training measures how many pay.
        With tiles the results do not depend on it, to the bit.

    Attributes
    ----------
    parameters : ndarray of shape (n,)
        All weights and biases, one layer after the other, weights in rows of (n_out, n_in), then what
        normalisations and PReLU have learned; between them a few zeros that align them. Changing it changes
        the network.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import Network
    >>> from fastmlp.layers import Dense
    >>> network = Network([Dense(8, "tanh"), Dense(3, "softmax")], n_features=4, random_state=0)
    >>> outputs = network.predict(np.ones((2, 4)))
    >>> outputs.shape, outputs.sum(axis=1).round(5).tolist()
    ((2, 3), [1.0, 1.0])
    """

    def __init__(
        self,
        layers: Sequence[Dense],
        n_features: int,
        *,
        dtype: str = "float32",
        engine: str = "auto",
        initializer: Any = "glorot_uniform",
        preparation: Preparation | None = None,
        random_state: Any = None,
        n_threads: int | None = None,
    ):
        if not (
            isinstance(layers, Sequence) and layers and all(isinstance(layer, Dense) for layer in layers)
        ):
            raise ValueError(f"layers={shown(layers)} must be a list of one or more instances of Dense.")
        number("n_features", n_features, at_least=1, whole=True)
        check_n_threads(n_threads)
        if preparation is not None:
            preparation.check_width("preparation", n_features)
        computed_in = dtype_name(dtype)
        operations = operations_of(engine, computed_in)
        self.layers = tuple(
            replace(layer, activation=activations.canonical(layer.activation)) for layer in layers
        )
        if self.layers[-1].dropout:
            raise ValueError(
                f"layers={shown(layers)}: the last layer has dropout={self.layers[-1].dropout}, but only "
                "layers before it can drop some of their outputs."
            )
        self.engine = engine
        self.preparation = preparation
        self.n_threads = n_threads
        units = tuple(layer.units for layer in self.layers)
        mixed = computed_in == "bfloat16"
        self._plan = make_plan(
            n_features,
            units,
            tuple(layer.activation for layer in self.layers),
            np.dtype("float32" if mixed else computed_in),
            operations,
            tuple(
                {"norm": layer.norm, "dropout": float(layer.dropout), "trainable": layer.trainable}
                for layer in self.layers
            ),
        )
        self._training_plan = replace(self._plan, operations="bfloat16") if mixed else self._plan
        self._parameters = self.new_vector()
        self._training_lock = threading.Lock()
        self._draw(layers, initializer, check_random_state(random_state))

    @property
    def is_mixed(self) -> bool:
        """Whether training multiplies in bfloat16."""
        return self._training_plan.operations == "bfloat16"

    def freeze(self, layers: Sequence[int]) -> None:
        """Have training leave these layers as they are; the others learn, also those that did not before.

        Parameters
        ----------
        layers : sequence of int
            Their numbers, from 0 for the first hidden layer; negative ones count from the end. An empty one
            sets all layers free.

        Examples
        --------
        Fine-tune the last layer of a model alone:

        >>> import fastmlp
        >>> X, y, *_ = fastmlp.datasets.load_digits()
        >>> model = fastmlp.fit(X[:500], y[:500], random_state=0)
        >>> model.network_.freeze([0])
        >>> before = model.coefs_[0].copy()
        >>> model = model.partial_fit(X[500:], y[500:])
        >>> bool((model.coefs_[0] == before).all())
        True
        """
        n = len(self.layers)
        frozen = set()
        for layer in layers:
            number("layers", layer, at_least=-n, at_most=n - 1, whole=True)
            frozen.add(layer % n)
        self.layers = tuple(replace(one, trainable=i not in frozen) for i, one in enumerate(self.layers))
        plans = tuple(replace(one, trainable=i not in frozen) for i, one in enumerate(self._plan.layers))
        self._plan = replace(self._plan, layers=plans)
        self._training_plan = replace(self._training_plan, layers=plans)

    def gradients(self, X, y, loss, sample_weight=None) -> tuple[float, np.ndarray, np.ndarray]:
        """Return the mean loss over X and its gradients.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like
            Class labels 0 .. n_outputs - 1 or probabilities (n_samples, n_outputs) for cross-entropy,
            otherwise targets (n_samples, n_outputs); (n_samples,) will do for one output. For quantiles
            n_outputs is that of each quantile.
        loss : str or object
            See `fastmlp.losses`.
        sample_weight : array-like of shape (n_samples,), optional
            The loss is then sum(weights * losses) / sum(weights).

        Returns
        -------
        loss : float
        d_parameters : ndarray of shape (n,)
            Like `parameters`; `split` gives the layers' parts.
        d_inputs : ndarray of shape (n_samples, n_features)
            With respect to X as it was given, before any preparation.

        Examples
        --------
        >>> import numpy as np
        >>> network = Network([Dense(1, "identity")], n_features=2, dtype="float64", random_state=0)
        >>> loss, d_parameters, d_inputs = network.gradients(np.ones((1, 2)), [3.0], "squared_error")
        >>> error = network.predict(np.ones((1, 2))) - 3.0
        >>> bool(np.allclose(d_inputs, error * network.coefs_[0].T))
        True
        """
        X, loss = self.check_inputs(X), self.check_loss(loss)
        targets = self.check_targets(X, y, loss)
        d_parameters = self.new_vector()
        d_inputs = np.empty((X.shape[0], self.n_features), dtype=self.dtype)
        value = self._engine().gradients(
            self._plan,
            self.parameters,
            X,
            self._prepared(),
            d_parameters,
            d_inputs,
            loss=loss.name,
            loss_options=loss.options(),
            targets=targets,
            sample_weight=weights("sample_weight", sample_weight, X.shape[0]),
            n_threads=count_threads(self.n_threads),
        )
        if self.preparation is not None:
            if self._prepares_float64_only:
                d_inputs = d_inputs.astype(np.float64)  # the network's type may not have such scales
            d_inputs *= self.preparation.scale.astype(d_inputs.dtype)
        return value, d_parameters, d_inputs

    @contextmanager
    def training(self, X, targets, loss, *, parameters=None, **options):
        """Hold the network for one fit, and yield the engine's `Training` for it.

        It trains the network's own parameters, or those that are given.

        Raises
        ------
        RuntimeError
            If another fit is already training this network.
        """
        with self._held():
            yield self._engine().Training(
                self._training_plan,
                self.parameters if parameters is None else parameters,
                self._readable(X),
                self._prepared(),
                loss=loss.name,
                loss_options=loss.options(),
                targets=targets,
                n_threads=count_threads(self.n_threads),
                **options,
            )

    @contextmanager
    def full_batch(self, X, targets, loss, **options):
        """Hold the network for one fit, and yield a function: the mean loss, which writes its gradient.

        It takes a vector like `parameters`, for the gradient. Raises RuntimeError as `training` does.
        """
        with self._held():
            yield partial(
                self._engine().gradients,
                self._plan,
                self.parameters,
                self.read_sparse(self._readable(X)),
                self._prepared(),
                d_inputs=None,
                loss=loss.name,
                loss_options=loss.options(),
                targets=targets,
                n_threads=count_threads(self.n_threads),
                **options,
            )

    @contextmanager
    def _held(self):
        """Let nobody else train the network for as long as this is open."""
        if not self._training_lock.acquire(blocking=False):
            raise RuntimeError(
                "this network is being trained by another fit; wait for it, or train a copy (copy.deepcopy)."
            )
        try:
            with self._limited_blas():
                yield
        finally:
            self._training_lock.release()

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if name not in _NOT_COPIED}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._training_lock = threading.Lock()
        # Unpickled memory may lie anywhere; the engine wants it aligned.
        self._parameters = self.new_vector()
        self._parameters[:] = state["_parameters"]

    def __repr__(self):
        sizes = "-".join(str(n) for n in (self.n_features, *(layer.units for layer in self.layers)))
        return f"<Network {sizes}, {'bfloat16' if self.is_mixed else self.dtype.name}>"
