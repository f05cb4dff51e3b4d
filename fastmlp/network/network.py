"""A network: dense layers over one flat vector of parameters.

Only this package reaches the engine, and engine/selection.py finds it: parameter_vector.py has the
parameters, inputs.py and targets.py what a network takes, prediction.py what it predicts, summary.py its
table. Here they are put together, and here is the way into training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy, deepcopy
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from sklearn.utils import check_random_state

from fastmlp._support.checks import number, weights
from fastmlp._support.threads import check_n_threads, count_threads
from fastmlp.engine.plan import LayerPlan, Plan
from fastmlp.engine.selection import ENGINES, dtype_name, limited_blas, operations_of
from fastmlp.engine.sparse_rows import SparseRows
from fastmlp.initializers import Initializer
from fastmlp.layers import Dense
from fastmlp.losses import Loss
from fastmlp.network.construction import checked, initializers_of, plan_of
from fastmlp.network.gradients import Gradients
from fastmlp.network.inputs import Inputs, Readable, Samples
from fastmlp.network.parameter_vector import ParameterVector
from fastmlp.network.prediction import Prediction
from fastmlp.network.preparation import Preparation
from fastmlp.network.state import State
from fastmlp.network.summary import Summary
from fastmlp.network.targets import check_loss, check_targets
from fastmlp.network.training_lock import TrainingLock

if TYPE_CHECKING:
    from fastmlp.engine.native import Training


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
    initializer : str, Initializer or list of these, default="glorot_uniform"
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
    layers : tuple of Dense
        The layers, their activations by the names that fastmlp uses.
    n_threads : int or None
        As above; it can be changed at any time.
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
        dtype: DTypeLike = "float32",
        engine: str = "auto",
        initializer: str | Initializer | Sequence[str | Initializer] = "glorot_uniform",
        preparation: Preparation | None = None,
        random_state: int | np.random.RandomState | None = None,
        n_threads: int | None = None,
    ) -> None:
        number("n_features", n_features, at_least=1, whole=True)
        check_n_threads(n_threads)
        if preparation is not None:
            preparation.check_width("preparation", n_features)
        computed_in = dtype_name(dtype)
        operations = operations_of(engine, computed_in)
        self.layers, self.n_threads = checked(layers), n_threads
        self._engine, self._computed_in = engine, computed_in
        self._vector = ParameterVector(plan_of(self.layers, n_features, computed_in, operations))
        self._inputs = Inputs(n_features, self.dtype, preparation)
        self._prediction = Prediction(self._vector, self._inputs, engine)
        self._lock = TrainingLock()
        self._vector.draw(initializers_of(self.layers, initializer), check_random_state(random_state))

    @property
    def n_features(self) -> int:
        """The number of inputs."""
        return self._vector.plan.n_features

    @property
    def n_outputs(self) -> int:
        """The number of outputs."""
        return self._vector.plan.n_outputs

    @property
    def dtype(self) -> np.dtype:
        """The type of the parameters and outputs."""
        return self._vector.plan.dtype

    @property
    def is_mixed(self) -> bool:
        """Whether training multiplies in bfloat16."""
        return self._computed_in == "bfloat16"

    @property
    def engine(self) -> str:
        """The engine as it was given."""
        return self._engine

    @property
    def engine_in_use(self) -> str:
        """What ``engine="auto"`` came to: "tile" or "blas"; otherwise the engine as it was given."""
        return self._prediction.operations

    @property
    def plan(self) -> Plan:
        """Sizes, types and the layout of the parameters."""
        return self._vector.plan

    @property
    def preparation(self) -> Preparation | None:
        """The standardisation of the inputs, or None."""
        return self._inputs.preparation

    @preparation.setter
    def preparation(self, preparation: Preparation | None) -> None:
        self._inputs = Inputs(self.n_features, self.dtype, preparation)
        self._prediction = Prediction(self._vector, self._inputs, self._engine)

    def __repr__(self) -> str:
        sizes = "-".join(str(n) for n in (self.n_features, *(layer.units for layer in self.layers)))
        return f"<Network {sizes}, {self._computed_in}>"

    def _repr_html_(self) -> str:
        return Summary(self.plan, self._computed_in, self.engine_in_use, self._inputs).html()

    def summary(self) -> str:
        """Return a table of the layers: activations, outputs and parameters, and what else they do.

        Parameters that are not trainable are those of frozen layers, and the running means and variances of
        batch normalisation. The bytes are those of the parameters in the network's type.

        Returns
        -------
        str

        Examples
        --------
        >>> from fastmlp import Network
        >>> from fastmlp.layers import Dense
        >>> layers = [Dense(32, batch_norm=True), Dense(16, "tanh", dropout=0.1), Dense(10, "softmax")]
        >>> print(Network(layers, n_features=64, engine="blas").summary())
        Network 64-32-16-10, float32, blas engine
        Inputs: 64 features
        Layer  Activation  Outputs  Parameters  Also
        ---------------------------------------------------
            0  relu             32       2,176  batch norm
            1  tanh             16         528  dropout 0.1
            2  softmax          10         170
        Parameters: 2,874 (11,496 bytes)
        Trainable: 2,810
        Not trainable: 64
        """
        return Summary(self.plan, self._computed_in, self.engine_in_use, self._inputs).text()

    @property
    def parameters(self) -> np.ndarray:
        """All weights and biases; assigning copies into it."""
        return self._vector.values

    @parameters.setter
    def parameters(self, values: np.ndarray) -> None:
        self._vector.assign(values)

    @property
    def coefs_(self) -> list[np.ndarray]:
        """The weights of each layer, (n_in, n_out) as scikit-learn has them: views of `parameters`."""
        return self._vector.split()[0]

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """The biases of each layer, (n_out,): views of `parameters`."""
        return self._vector.split()[1]

    def parts(self, vector: np.ndarray | None = None) -> list[dict[str, np.ndarray]]:
        """Return each layer's parts of `parameters`, or of a vector like it, by their names: views of it.

        ``"weight"`` (n_out, n_in), and of (n_out,) each ``"bias"``, the ``"scale"`` of a normalisation, the
        ``"slope"`` of prelu, and the running ``"mean"`` and ``"variance"`` of a batch normalisation.

        Examples
        --------
        >>> from fastmlp import Network
        >>> network = Network([Dense(8, "prelu", batch_norm=True), Dense(1, "identity")], n_features=2)
        >>> [list(parts) for parts in network.parts()]
        [['weight', 'bias', 'scale', 'slope', 'mean', 'variance'], ['weight', 'bias']]
        """
        return self._vector.parts(vector)

    def split_layer(self, layer: LayerPlan, vector: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Return one layer's `parts`."""
        return self._vector.layer_parts(layer, vector)

    def split(self, vector: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return a vector like `parameters` as weights (n_in, n_out) and biases (n_out,): views of it."""
        return self._vector.split(vector)

    def new_vector(self) -> np.ndarray:
        """Return zeros like `parameters`, aligned as the engine wants them."""
        return self._vector.new_vector()

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
        plans = tuple(replace(one, trainable=i not in frozen) for i, one in enumerate(self.plan.layers))
        self._vector = ParameterVector(replace(self.plan, layers=plans), self._vector.values)
        self._prediction = Prediction(self._vector, self._inputs, self._engine)

    def check_inputs(self, X: Samples) -> Readable:
        """Return X as the engine reads it, without a copy where it can be; refuse what is not fit to be read.

        Raises
        ------
        ValueError
            If X is not two-dimensional, empty, of another width, or holds NaN or infinity.
        """
        return self._readable(self._inputs.check(X, self.n_threads))

    def _readable(self, X: Readable) -> Readable:
        """Return an array as float64 if the preparation cannot be applied in the network's type."""
        if self._inputs.needs_float64 and isinstance(X, np.ndarray):
            return np.asarray(X, dtype=np.float64)
        return X

    def read_sparse(self, X: Readable) -> np.ndarray | SparseRows:
        """Return a sparse X as the engine reads it, for many passes over it; an array as it is."""
        return X if isinstance(X, np.ndarray) else SparseRows.of(X, self.dtype)

    def check_loss(self, loss: str | Loss) -> Loss:
        """Return the loss that a name stands for; refuse one that does not go with the last layer.

        Raises
        ------
        ValueError
            If it is not known, also because it is of a class of your own, or needs other outputs.
        """
        return check_loss(loss, self.layers[-1].activation, self.n_outputs)

    def check_targets(self, X: Readable, y: ArrayLike, loss: Loss) -> np.ndarray:
        """Return y as the engine reads it: int32 labels, or a (n_samples, n_targets) matrix.

        Raises
        ------
        ValueError
            If y has the wrong length or shape, holds NaN or infinity, or labels or targets out of range.
        """
        return check_targets(y, loss, X.shape[0], self.n_outputs)

    def predict(self, X: Samples) -> np.ndarray:
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
        outputs = self._prediction.of_array(X, self.n_threads)
        if outputs is not None:
            return outputs
        # No plain array, or one that is not fit to be read: this finds out.
        outputs = self._prediction.of_last_layer(self.check_inputs(X), self.n_threads)
        if np.isnan(outputs).any():
            raise ValueError(f"X has values that are too large for {self.dtype}: some outputs are NaN.")
        return outputs

    def predict_array(self, X: Any) -> np.ndarray | None:
        """Return what `predict` returns for a plain array of finite numbers; None for all else."""
        return self._prediction.of_array(X, self.n_threads)

    def compile(self, shape: tuple[int, ...] | None = None, **made_of_outputs: Any) -> Callable[..., Any]:
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
        shape = (self.n_outputs,) if shape is None else shape
        return self._prediction.compile(shape, self.n_threads, **made_of_outputs)

    def forward(self, X: Samples) -> list[np.ndarray]:
        """Return the activations of every layer, each (n_samples, units); the last are the outputs."""
        return self._prediction.of_all_layers(self.check_inputs(X), self.n_threads)

    def evaluate(
        self, X: Samples, y: ArrayLike, loss: str | Loss, sample_weight: ArrayLike | None = None
    ) -> tuple[float, np.ndarray]:
        """Return the mean loss against the targets y, weighted or not, and the outputs, in one pass."""
        X, loss = self.check_inputs(X), self.check_loss(loss)
        return self._prediction.with_loss(
            X,
            self.check_targets(X, y, loss),
            loss,
            sample_weight=weights("sample_weight", sample_weight, X.shape[0]),
            n_threads=self.n_threads,
        )

    def gradients(
        self, X: Samples, y: ArrayLike, loss: str | Loss, sample_weight: ArrayLike | None = None
    ) -> tuple[float, np.ndarray, np.ndarray]:
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
        return Gradients(self._vector, self._inputs, self._engine).of(
            X,
            self.check_targets(X, y, loss),
            loss,
            sample_weight=weights("sample_weight", sample_weight, X.shape[0]),
            n_threads=self.n_threads,
        )

    @contextmanager
    def training(
        self, X: Readable, targets: np.ndarray, loss: Loss, *, parameters: np.ndarray | None = None,
        **options: Any,
    ) -> Iterator[Training]:  # fmt: skip
        """Hold the network for one fit, and yield the engine's `Training` for it.

        It trains the network's own parameters, or those that are given.

        Raises
        ------
        RuntimeError
            If another fit is already training this network.
        """
        with self._lock.held(), limited_blas(self.engine_in_use, self.n_threads):
            yield import_module(ENGINES[self._engine]).Training(
                replace(self.plan, operations="bfloat16") if self.is_mixed else self.plan,
                self.parameters if parameters is None else parameters,
                self._readable(X),
                self._inputs.prepared,
                loss=loss.name,
                loss_options=loss.options(),
                targets=targets,
                n_threads=count_threads(self.n_threads),
                **options,
            )

    @contextmanager
    def full_batch(
        self, X: Readable, targets: np.ndarray, loss: Loss, **options: Any
    ) -> Iterator[Callable[[np.ndarray], float]]:
        """Hold the network for one fit, and yield a function: the mean loss, which writes its gradient.

        It takes a vector like `parameters`, for the gradient. Raises RuntimeError as `training` does.
        """
        with self._lock.held(), limited_blas(self.engine_in_use, self.n_threads):
            yield partial(
                import_module(ENGINES[self._engine]).gradients,
                self.plan,
                self.parameters,
                self.read_sparse(self._readable(X)),
                self._inputs.prepared,
                d_inputs=None,
                loss=loss.name,
                loss_options=loss.options(),
                targets=targets,
                n_threads=count_threads(self.n_threads),
                **options,
            )

    def __getstate__(self) -> dict[str, Any]:
        return State(
            self.layers, self.n_features, self._computed_in, self._engine, self.n_threads, self.preparation,
            self._vector.by_name(),
        ).to_dict()  # fmt: skip

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        read = State.from_dict(state)
        self.layers, self.n_threads = read.layers, read.n_threads
        self._engine, self._computed_in = read.engine, read.dtype
        # Where the processor cannot train in bfloat16 the network predicts all the same, in float32.
        operations = operations_of(read.engine, "float32" if self.is_mixed else read.dtype)
        self._vector = ParameterVector(plan_of(read.layers, read.n_features, read.dtype, operations))
        self._inputs = Inputs(read.n_features, self.dtype, read.preparation)
        self._prediction = Prediction(self._vector, self._inputs, read.engine)
        self._lock = TrainingLock()
        self._vector.assign_by_name(read.parameters)

    def __deepcopy__(self, memo: dict[int, Any]) -> Network:
        # `__setstate__` copies the arrays: a deep copy of the state would copy them a second time.
        twin = memo[id(self)] = copy(self)
        twin.layers, twin.preparation = deepcopy(self.layers, memo), deepcopy(self.preparation, memo)
        return twin
