"""A network: dense layers over one flat vector of parameters.

This is the only module that reaches the engine.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import cached_property, partial
from importlib import import_module
from typing import Any

import numpy as np
from sklearn.utils import check_array, check_random_state
from threadpoolctl import threadpool_limits

from fastmlp import activations, initializers, losses
from fastmlp.checks import named, number, weights
from fastmlp.engine.core import BFLOAT16_IS_MISSING, has_bfloat16, instruction_set
from fastmlp.engine.plan import LayerPlan, Plan, aligned_zeros, choose_operations, make_plan
from fastmlp.layers import Dense
from fastmlp.preparation import Preparation
from fastmlp.threads import count_threads

#: What predicts for all of them but the reference.
PREDICTOR = "fastmlp.engine.prediction"

#: The engines by name; "auto" is "tile" wherever the processor has vectors for it (engine/plan.py).
ENGINES = {
    "auto": "fastmlp.engine.native",
    "blas": "fastmlp.engine.native",
    "tile": "fastmlp.engine.native",
    "reference": "fastmlp.engine.reference",
}
DTYPES = ("float32", "float64", "bfloat16")

# What a copy makes anew.
_NOT_COPIED = ("_training_lock", "_predictor")

#: Types of input that the engine reads as they are; others become the first of these.
INPUT_DTYPES = (np.float64, np.float32, np.uint8)


class Network:
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
            raise ValueError(f"layers={layers!r} must be a list of one or more instances of Dense.")
        number("n_features", n_features, at_least=1, whole=True)
        if n_threads is not None:
            number("n_threads", n_threads, at_least=1, whole=True)
        if preparation is not None:
            preparation.check_width("preparation", n_features)
        if not isinstance(engine, str) or engine not in ENGINES:
            raise ValueError(f"engine={engine!r} is not known; choose one of {', '.join(ENGINES)}.")
        self.layers = tuple(
            replace(layer, activation=activations.canonical(layer.activation)) for layer in layers
        )
        if self.layers[-1].dropout:
            raise ValueError(
                f"layers={layers!r}: the last layer has dropout={self.layers[-1].dropout}, but only layers "
                "before it can drop some of their outputs."
            )
        self.engine = engine
        self.preparation = preparation
        self.n_threads = n_threads
        units = tuple(layer.units for layer in self.layers)
        operations = engine if engine in ("blas", "tile") else choose_operations(instruction_set())
        mixed = _dtype_name(dtype) == "bfloat16"
        if mixed and engine != "reference":
            if operations != "tile":
                raise ValueError(f"dtype='bfloat16' goes with engine 'tile', not {operations!r}.")
            if not has_bfloat16():
                raise ValueError(BFLOAT16_IS_MISSING)
        self._plan = make_plan(
            n_features,
            units,
            tuple(layer.activation for layer in self.layers),
            np.dtype("float32" if mixed else _dtype_name(dtype)),
            operations,
            tuple(
                {"norm": layer.norm, "dropout": float(layer.dropout), "trainable": layer.trainable}
                for layer in self.layers
            ),
        )
        self._training_plan = replace(self._plan, operations="bfloat16") if mixed else self._plan
        self._parameters = self.new_vector()
        self._training_lock = threading.Lock()
        ways = initializers.one_per_layer("initializer", initializer, len(layers))
        random_state = check_random_state(random_state)
        for layer, dense, way in zip(self._plan.layers, layers, ways, strict=True):
            if dense.initializer is not None:
                way = named("initializer", dense.initializer, initializers.BY_NAME)
            weight, bias = way.draw(random_state, layer.n_in, layer.n_out)
            parts = self.split_layer(layer)
            parts["weight"][:], parts["bias"][:] = weight.T, bias
            for name in parts.keys() & {"scale", "variance"}:
                parts[name][:] = 1
            if "slope" in parts:
                parts["slope"][:] = activations.split(layer.activation)[1]

    @property
    def plan(self) -> Plan:
        """Sizes, types and the layout of the parameters."""
        return self._plan

    @property
    def dtype(self) -> np.dtype:
        """The type of the parameters and outputs."""
        return self._plan.dtype

    @property
    def is_mixed(self) -> bool:
        """Whether training multiplies in bfloat16."""
        return self._training_plan.operations == "bfloat16"

    @property
    def engine_in_use(self) -> str:
        """What ``engine="auto"`` came to: "tile" or "blas"; otherwise the engine as it was given."""
        return self._plan.operations if self.engine == "auto" else self.engine

    @property
    def n_features(self) -> int:
        """The number of inputs."""
        return self._plan.n_features

    @property
    def n_outputs(self) -> int:
        """The number of outputs."""
        return self._plan.n_outputs

    @property
    def parameters(self) -> np.ndarray:
        """All weights and biases; assigning copies into it."""
        return self._parameters

    @parameters.setter
    def parameters(self, values: np.ndarray) -> None:
        values = np.asarray(values)
        if values.shape != self._parameters.shape or values.dtype != self.dtype:
            raise ValueError(
                f"parameters must be {self.dtype} of shape {self._parameters.shape}, "
                f"not {values.dtype} of shape {values.shape}."
            )
        self._parameters[:] = values

    @property
    def coefs_(self) -> list[np.ndarray]:
        """The weights of each layer, (n_in, n_out) as scikit-learn has them: views of `parameters`."""
        return [layer.weight_of(self.parameters).T for layer in self._plan.layers]

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """The biases of each layer, (n_out,): views of `parameters`."""
        return [layer.bias_of(self.parameters) for layer in self._plan.layers]

    def parts(self, vector: np.ndarray | None = None) -> list[dict[str, np.ndarray]]:
        """Return each layer's parts of `parameters`, or of a vector like it, by their names: views of it.

        ``"weight"`` (n_out, n_in), and of (n_out,) each ``"bias"``, the ``"scale"`` of a normalisation, the
        ``"slope"`` of prelu, and the running ``"mean"`` and ``"variance"`` of a batch normalisation.

        Examples
        --------
        >>> network = Network([Dense(8, "prelu", batch_norm=True), Dense(1, "identity")], n_features=2)
        >>> [list(parts) for parts in network.parts()]
        [['weight', 'bias', 'scale', 'slope', 'mean', 'variance'], ['weight', 'bias']]
        """
        return [self.split_layer(layer, vector) for layer in self._plan.layers]

    def split_layer(self, layer: LayerPlan, vector: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Return one layer's `parts`."""
        vector = self._parameters if vector is None else vector
        return {"weight": layer.weight_of(vector)} | {
            name: layer.vector_of(name, vector) for name in layer.vectors
        }

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

    def predict(self, X) -> np.ndarray:
        """Return the outputs for X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            uint8, float32 and float64 are read as they are, in any strides; other types are converted.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs), of the network's dtype
        """
        if self.engine != "reference":
            with self._limited_blas():
                outputs = self._predictor.predict(X, self.n_threads)
            if outputs is not None:
                return outputs
        # No plain array, or one that is not fit to be read: this finds out.
        X = self.check_inputs(X)
        return self._run(X, [False] * (len(self.layers) - 1) + [True])[0][-1]

    def forward(self, X) -> list[np.ndarray]:
        """Return the activations of every layer, each (n_samples, units); the last are the outputs."""
        return self._run(self.check_inputs(X), [True] * len(self.layers))[0]

    def evaluate(self, X, y, loss, sample_weight=None) -> tuple[float, np.ndarray]:
        """Return the mean loss against the targets y, weighted or not, and the outputs, in one pass."""
        X, loss = self.check_inputs(X), self.check_loss(loss)
        outs, value = self._run(
            X,
            [False] * (len(self.layers) - 1) + [True],
            loss,
            self.check_targets(X, y, loss),
            weights("sample_weight", sample_weight, len(X)),
        )
        return value, outs[-1]

    def _run(self, X, wanted, loss=None, targets=None, sample_weight=None):
        outs = [
            np.empty((len(X), layer.units), dtype=self.dtype) if want else None
            for layer, want in zip(self.layers, wanted, strict=True)
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

    def gradients(self, X, y, loss, sample_weight=None) -> tuple[float, np.ndarray, np.ndarray]:
        """Return the mean loss over X and its gradients.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
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
        d_inputs = np.empty((len(X), self.n_features), dtype=self.dtype)
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
            sample_weight=weights("sample_weight", sample_weight, len(X)),
            n_threads=count_threads(self.n_threads),
        )
        if self.preparation is not None:
            d_inputs *= self.preparation.scale.astype(self.dtype)
        return value, d_parameters, d_inputs

    def split(self, vector: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return a vector like `parameters` as weights (n_in, n_out) and biases (n_out,): views of it."""
        layers = self._plan.layers
        return [layer.weight_of(vector).T for layer in layers], [layer.bias_of(vector) for layer in layers]

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
                X,
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
                X,
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

    def check_inputs(self, X) -> np.ndarray:
        """Return X as the engine reads it, without a copy where it can be; refuse what is not fit to be read.

        Raises
        ------
        ValueError
            If X is not two-dimensional, empty, of another width, or holds NaN or infinity.
        """
        X = check_array(X, dtype=list(INPUT_DTYPES), order=None, input_name="X", ensure_all_finite=False)
        if X.dtype.kind == "f" and not (X.flags.c_contiguous and self._is_finite(X)):
            check_array(X, order=None, input_name="X")  # says what it found
        if X.shape[1] != self.n_features:
            raise ValueError(f"X has {X.shape[1]} features, but this network takes {self.n_features}.")
        return X

    def check_loss(self, loss):
        """Return the loss that a name stands for; refuse one that does not go with the last layer."""
        loss = named("loss", loss, losses.BY_NAME)
        activation = self.layers[-1].activation
        if loss.output_activations is not None and activation not in loss.output_activations:
            raise ValueError(
                f"loss={loss.name!r} goes with an output activation of "
                f"{' or '.join(loss.output_activations)}, as {loss.reason}; this network ends with "
                f"{activation}."
            )
        if self.n_outputs % loss.outputs_per_target:
            raise ValueError(
                f"loss={loss!r} takes {loss.outputs_per_target} outputs for each target; this network has "
                f"{self.n_outputs}."
            )
        return loss

    def check_targets(self, X, y, loss) -> np.ndarray:
        """Return y as the engine reads it: int32 labels, or a (n_samples, n_targets) matrix.

        Raises
        ------
        ValueError
            If y has the wrong length or shape, holds NaN or infinity, or labels or targets out of range.
        """
        takes_labels = loss.takes_labels and np.shape(y) != (len(X), self.n_outputs)
        y = check_array(
            y, dtype=None if takes_labels else list(INPUT_DTYPES), ensure_2d=False, allow_nd=True,
            ensure_min_samples=0, input_name="y",
        )  # fmt: skip
        if y.ndim == 0:
            raise ValueError(f"y={y[()]!r} must be an array of {len(X)} targets.")
        if len(y) != len(X):
            raise ValueError(f"X has {len(X)} samples and y has {len(y)}; they must be as many.")
        if takes_labels:
            if y.ndim != 1 or y.dtype.kind not in "iub" or y.min() < 0 or y.max() >= self.n_outputs:
                raise ValueError(
                    f"loss={loss.name!r} takes class labels, integers from 0 to {self.n_outputs - 1} in one "
                    f"dimension, or probabilities of shape (n_samples, {self.n_outputs}); y is {y.dtype} of "
                    f"shape {y.shape}" + (f" from {y.min()} to {y.max()}." if y.dtype.kind in "iub" else ".")
                )
            return np.ascontiguousarray(y, dtype=np.int32)
        y = y.reshape(-1, 1) if y.ndim == 1 else y
        n_targets = self.n_outputs // loss.outputs_per_target
        if y.shape != (len(X), n_targets):
            each = f", {loss.outputs_per_target} for each target" if loss.outputs_per_target > 1 else ""
            raise ValueError(f"y has shape {y.shape}, but this network has {self.n_outputs} outputs{each}.")
        lowest, highest = loss.target_range
        if y.min() < lowest or y.max() > highest:
            allowed = f"from {lowest:g} to {highest:g}" if np.isfinite(highest) else f"of at least {lowest:g}"
            raise ValueError(
                f"loss={loss.name!r} takes targets {allowed}; y goes from {y.min()} to {y.max()}."
            )
        if loss.takes_labels:
            totals = y.sum(axis=1, dtype=np.float64)
            worst = int(np.abs(totals - 1).argmax())
            if abs(totals[worst] - 1) > 1e-6:
                raise ValueError(
                    f"loss={loss.name!r} takes rows of probabilities that sum to 1; row {worst} of y sums to "
                    f"{totals[worst]:.9g}."
                )
        return y

    def new_vector(self) -> np.ndarray:
        """Return zeros like `parameters`, aligned as the engine wants them."""
        return aligned_zeros(self._plan.n_parameters, self.dtype)

    @cached_property
    def _predictor(self):
        return import_module(PREDICTOR).Predictor(self._plan, self._parameters, self._prepared())

    def _limited_blas(self):
        """Keep BLAS, whose number of threads is the whole process's, to ours for as long as this is open."""
        if self.n_threads is None or self.engine_in_use != "blas":
            return nullcontext()
        return threadpool_limits(count_threads(self.n_threads), user_api="blas")

    def _is_finite(self, X) -> bool:
        # On all threads, a large array takes a third of the time that scikit-learn's check does.
        return import_module(ENGINES["tile"]).is_finite(X, count_threads(self.n_threads))

    def _engine(self):
        return import_module(ENGINES[self.engine])

    def _prepared(self):
        return self.preparation and (self.preparation.center, self.preparation.scale)

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


def _dtype_name(dtype: Any) -> str:
    """Return the name, one of `DTYPES`, that a name or type stands for."""
    try:
        name = "bfloat16" if isinstance(dtype, str) and dtype == "bfloat16" else np.dtype(dtype).name
    except TypeError:
        name = None
    if dtype is None or name not in DTYPES:
        raise ValueError(f"dtype={dtype!r} is not supported; choose one of {', '.join(DTYPES)}.")
    return name


def needs_blas(engine: str) -> bool:
    """Return whether an engine multiplies by BLAS on this machine, ours or NumPy's."""
    return engine != "tile" and (engine != "auto" or choose_operations(instruction_set()) != "tile")


def can_train_in(dtype: str) -> bool:
    """Return whether this machine can: bfloat16 needs a processor with instructions for it."""
    return dtype != "bfloat16" or has_bfloat16()


def engine_info() -> dict[str, Any]:
    """Return what the compiled engine is and what it found on this machine."""
    from threadpoolctl import ThreadpoolController

    from fastmlp.engine import core

    import_module(ENGINES["auto"])  # loads SciPy's BLAS, so that it is there to be found
    libraries = ThreadpoolController().select(user_api="blas").info()
    # NumPy's wheels bring a BLAS of their own; the engine uses SciPy's.
    ours = [library for library in libraries if "scipy.libs" in library["filepath"]] or libraries
    blas = [
        {"library": library["internal_api"], "version": library["version"], "threads": library["num_threads"]}
        for library in ours
    ]
    return {
        "compiler": core.compiler(),
        "instruction sets": core.instruction_sets(),
        "instruction set": core.instruction_set(),
        "engine": choose_operations(core.instruction_set()),
        "threads": count_threads(),
        "bfloat16": has_bfloat16(),
        "blas": blas,
    }
