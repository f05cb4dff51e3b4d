"""A network: dense layers over one flat vector of parameters.

Only this package reaches the engine, and engine/selection.py finds it: structure.py and parameter_vector.py
have layers and parameters, inputs.py and targets.py what a network takes, prediction.py what it predicts,
gradients.py and fits.py what trains it, summary.py its table. Here they are put together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import copy, deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from sklearn.utils import check_random_state

from fastmlp._support.checks import number, weights
from fastmlp._support.threads import check_n_threads
from fastmlp.engine.selection import dtype_name, operations_of
from fastmlp.engine.sparse_rows import SparseRows
from fastmlp.initializers import Initializer
from fastmlp.layers import Dense
from fastmlp.losses import Loss
from fastmlp.network.construction import checked, initializers_of, plan_of
from fastmlp.network.fits import Fits, TrainingLock
from fastmlp.network.gradients import Gradients
from fastmlp.network.inputs import Inputs, Readable, Samples
from fastmlp.network.loss_targets import check_loss, check_targets
from fastmlp.network.parameter_vector import ParameterVector
from fastmlp.network.pickles import State
from fastmlp.network.prediction import Prediction
from fastmlp.network.preparation import Preparation
from fastmlp.network.structure import Structure
from fastmlp.network.summary import Summary

if TYPE_CHECKING:
    from fastmlp.engine.native import Training


class Network(Structure):
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
        layers = checked(layers)
        vector = ParameterVector(plan_of(layers, n_features, computed_in, operations))
        self._assemble(layers, vector, computed_in, engine, n_threads, preparation)
        vector.draw(initializers_of(layers, initializer), check_random_state(random_state))

    def _assemble(
        self, layers: tuple[Dense, ...], vector: ParameterVector, computed_in: str, engine: str,
        n_threads: int | None, preparation: Preparation | None,
    ) -> None:  # fmt: skip
        """Set every attribute, of a new network or one that was pickled."""
        super().__init__(layers, vector, computed_in)
        self._engine, self.n_threads = engine, n_threads
        self._inputs = Inputs(self.n_features, self.dtype, preparation)
        self._prediction = Prediction(vector, self._inputs, engine)
        self._lock = TrainingLock()

    @property
    def engine(self) -> str:
        """The engine as it was given."""
        return self._engine

    @property
    def engine_in_use(self) -> str:
        """What ``engine="auto"`` stands for here: "tile" or "blas"; otherwise the engine as it was given."""
        return self._prediction.operations

    @property
    def preparation(self) -> Preparation | None:
        """The standardisation of the inputs, or None."""
        return self._inputs.preparation

    @preparation.setter
    def preparation(self, preparation: Preparation | None) -> None:
        if preparation is not None:
            preparation.check_width("preparation", self.n_features)
        self._inputs = Inputs(self.n_features, self.dtype, preparation)
        self._prediction = Prediction(self._vector, self._inputs, self._engine)

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

    def check_inputs(self, X: Samples) -> Readable:
        """Return X as the engine reads it, without a copy where it can be; refuse what is not fit to be read.

        Raises
        ------
        ValueError
            If X is not two-dimensional, empty, of another width, or holds NaN or infinity.
        """
        return self._inputs.check(X, self.n_threads)

    def read_sparse(self, X: Readable) -> np.ndarray | SparseRows:
        """Return a sparse X as the engine reads it, for many passes over it; an array as it is."""
        return self._inputs.read_sparse(X)

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
        return self._prediction.of(X, self.n_threads)

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
        checked = self._check_all(X, y, loss, sample_weight)
        return self._prediction.with_loss(*checked, n_threads=self.n_threads)

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
        checked = self._check_all(X, y, loss, sample_weight)
        return Gradients(self._vector, self._inputs, self._engine).of(*checked, n_threads=self.n_threads)

    def _check_all(
        self, X: Samples, y: ArrayLike, loss: str | Loss, sample_weight: ArrayLike | None
    ) -> tuple[Readable, np.ndarray, Loss, np.ndarray | None]:
        """Return inputs, targets, loss and weights as the engine reads them."""
        X, loss = self.check_inputs(X), self.check_loss(loss)
        targets = self.check_targets(X, y, loss)
        return X, targets, loss, weights("sample_weight", sample_weight, X.shape[0])

    def training(
        self, X: Readable, targets: np.ndarray, loss: Loss, *, parameters: np.ndarray | None = None,
        **options: Any,
    ) -> AbstractContextManager[Training]:  # fmt: skip
        """Hold the network for one fit, and yield the engine's `Training` for it.

        It trains the network's own parameters, or those that are given.

        Raises
        ------
        RuntimeError
            If another fit is already training this network.
        """
        return Fits(self._vector, self._inputs, self._engine, self._lock).by_batches(
            X, targets, loss, parameters=parameters, is_mixed=self.is_mixed, n_threads=self.n_threads,
            **options,
        )  # fmt: skip

    def full_batch(
        self, X: Readable, targets: np.ndarray, loss: Loss, **options: Any
    ) -> AbstractContextManager[Callable[[np.ndarray], float]]:
        """Hold the network for one fit, and yield a function: the mean loss, which writes its gradient.

        It takes a vector like `parameters`, for the gradient. Raises RuntimeError as `training` does.
        """
        return Fits(self._vector, self._inputs, self._engine, self._lock).of_all_samples(
            X, targets, loss, n_threads=self.n_threads, **options
        )

    def __getstate__(self) -> dict[str, Any]:
        return State(
            self.layers, self.n_features, self._computed_in, self._engine, self.n_threads, self.preparation,
            self._vector.by_name(),
        ).to_dict()  # fmt: skip

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        read = State.from_dict(state)
        self._assemble(read.layers, read.vector(), read.dtype, read.engine, read.n_threads, read.preparation)

    def __deepcopy__(self, memo: dict[int, Any]) -> Network:
        # `__setstate__` copies the arrays: a deep copy of the state would copy them a second time.
        twin = memo[id(self)] = copy(self)
        twin.layers, twin.preparation = deepcopy(self.layers, memo), deepcopy(self.preparation, memo)
        return twin
