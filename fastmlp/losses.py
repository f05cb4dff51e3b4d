"""The losses, each a mean over the samples of a batch; their formulas stand in engine/reference/losses.py.

``output_activations`` are the activations of the last layer that a loss goes with; None stands for any. A
loss of several outputs is their sum; PyTorch's mean over all elements is smaller by the factor of the
outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from fastmlp._support import converting
from fastmlp._support.checks import known, number, shown

#: A weight for each sample.
Weights: TypeAlias = Sequence[float] | np.ndarray
_Numbers: TypeAlias = float | Sequence[float] | np.ndarray

# Squares of numbers up to this magnitude, and down to its inverse, are far from overflow and underflow.
_LARGEST = 2.0**300


def r2(targets: ArrayLike, predictions: np.ndarray, sample_weight: Weights | None = None) -> float:
    """Return scikit-learn's R^2, also of targets whose squares are too large or too small for float64.

    Those, and their predictions, are multiplied by a power of two first, which leaves R^2 as it is.
    """
    from sklearn.metrics import r2_score  # here, so that naming a loss does not load scikit-learn

    values = np.asarray(targets)
    if values.dtype == np.float64 and np.isfinite(values).all():
        largest = np.abs(values).max(axis=0, initial=0)
        exponent = np.where((largest > _LARGEST) | (largest < 1 / _LARGEST), -np.frexp(largest)[1], 0)
        if exponent.any():
            targets, predictions = np.ldexp(values, exponent), np.ldexp(predictions, exponent)
    return float(r2_score(targets, predictions, sample_weight=sample_weight))


@dataclass(frozen=True)
class Loss:
    """The base of the losses.

    The engine knows the classes of this module only, and refuses subclasses of them. For another score than
    a loss has, there is ``score=`` of `Trainer` and ``scoring=`` of the estimators.
    """

    name: ClassVar[str]
    output_activations: ClassVar[tuple[str, ...] | None] = None
    #: Why it goes with no other activation.
    reason: ClassVar[str] = ""
    #: Whether targets may be class labels, 0 .. n_outputs - 1.
    takes_labels: ClassVar[bool] = False
    #: The smallest and largest target; a loss that takes any number can have its targets standardised.
    target_range: ClassVar[tuple[float, float]] = (-np.inf, np.inf)

    def options(self) -> dict[str, Any]:
        """Return the loss's own numbers, as the engine is told."""
        return asdict(self)

    @property
    def outputs_per_target(self) -> int:
        """How many outputs the network has for each column of the targets."""
        return 1

    def predictions(self, outputs: np.ndarray) -> np.ndarray:
        """Return what the network's outputs predict: the outputs themselves, but for `Poisson`."""
        return outputs

    def score(
        self, targets: ArrayLike, predictions: np.ndarray, sample_weight: Weights | None = None
    ) -> float:
        """Return the R^2 of predictions, or for classes the accuracy."""
        return r2(np.asarray(targets).reshape(predictions.shape), predictions, sample_weight)


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """-sum t log p over the classes, for a softmax output.

    Targets are class labels 0 .. n_outputs - 1, or probabilities (n_samples, n_outputs), such as indicators
    of one class.

    Parameters
    ----------
    label_smoothing : float in [0, 1), default=0
        This share of each target is spread evenly over all classes, as PyTorch does it.
    """

    label_smoothing: float = 0.0

    name: ClassVar[str] = "cross_entropy"
    output_activations: ClassVar[tuple[str, ...]] = ("softmax",)
    reason: ClassVar[str] = "it needs outputs that are the probabilities of classes"
    takes_labels: ClassVar[bool] = True
    target_range: ClassVar[tuple[float, float]] = (0, 1)

    def __post_init__(self) -> None:
        number("label_smoothing", self.label_smoothing, at_least=0, below=1)
        object.__setattr__(self, "label_smoothing", float(self.label_smoothing))

    def score(
        self, targets: ArrayLike, predictions: np.ndarray, sample_weight: Weights | None = None
    ) -> float:
        """Return the accuracy; scikit-learn's accuracy_score would take as long as the network."""
        labels = np.asarray(targets)
        labels = labels.argmax(axis=1) if labels.ndim == 2 else labels
        return float(np.average(labels == predictions.argmax(axis=1), weights=sample_weight))


@dataclass(frozen=True)
class _OfProbabilities(Loss):
    """A loss of logistic outputs, each the probability of a label of its own."""

    output_activations: ClassVar[tuple[str, ...]] = ("logistic",)
    reason: ClassVar[str] = "it needs outputs that are probabilities, each for itself"
    target_range: ClassVar[tuple[float, float]] = (0, 1)

    def score(
        self, targets: ArrayLike, predictions: np.ndarray, sample_weight: Weights | None = None
    ) -> float:
        """Return the share of samples whose labels are all right."""
        targets = np.asarray(targets).reshape(predictions.shape)
        right = ((targets > 0.5) == (predictions > 0.5)).all(axis=1)
        return float(np.average(right, weights=sample_weight))


@dataclass(frozen=True)
class BinaryCrossEntropy(_OfProbabilities):
    """-t log p - (1 - t) log(1 - p), summed over logistic outputs; targets t lie in [0, 1].

    PyTorch's BCEWithLogitsLoss times the number of outputs.
    """

    name: ClassVar[str] = "binary_cross_entropy"


@dataclass(frozen=True)
class LogLikelihood(_OfProbabilities):
    """-t log p, summed over logistic outputs; targets t lie in [0, 1].

    Only the half of `BinaryCrossEntropy` that a target of 1 has: outputs whose target is 0 learn nothing.
    """

    name: ClassVar[str] = "log_likelihood"


@dataclass(frozen=True)
class SquaredError(Loss):
    """Half the squared difference, summed over the outputs, for any output activation.

    PyTorch's MSELoss times half the number of outputs.
    """

    name: ClassVar[str] = "squared_error"


@dataclass(frozen=True)
class AbsoluteError(Loss):
    """The magnitude of the difference, summed over the outputs, for any output activation.

    Its minimum is the median of the targets. PyTorch's L1Loss times the number of outputs.
    """

    name: ClassVar[str] = "absolute_error"


@dataclass(frozen=True)
class Huber(Loss):
    """Half the squared difference up to ``delta`` and beyond it a straight line, summed over the outputs.

    PyTorch's HuberLoss times the number of outputs.

    Parameters
    ----------
    delta : float, default=1
        Beyond this difference an error counts as an outlier; in units of the targets, or if they are
        standardised, of their standard deviation.
    """

    delta: float = 1.0

    name: ClassVar[str] = "huber"

    def __post_init__(self) -> None:
        number("delta", self.delta, above=0)
        object.__setattr__(self, "delta", float(self.delta))


def _shares(quantiles: _Numbers) -> tuple[float, ...]:
    try:
        given = np.ravel(quantiles).tolist()
    except ValueError:  # lists of different lengths
        given = []
    if not given:
        raise ValueError(f"quantiles={shown(quantiles)} must hold one or more numbers.")
    for one in given:
        number("quantiles", one, above=0, below=1)
    return tuple(map(float, given))


@dataclass(frozen=True)
class Quantile(Loss):
    """The pinball loss, q (t - y) or (1 - q) (y - t) where the output y is above t, summed over the outputs.

    Its minimum is the quantile q of the targets. A network has an output for every quantile of every target:
    all quantiles of the first target, then those of the second; targets stay (n_samples, n_targets).

    Parameters
    ----------
    quantiles : float or sequence of float in (0, 1), default=(0.5,)

    Examples
    --------
    >>> Quantile([0.1, 0.9])
    Quantile(quantiles=(0.1, 0.9))
    """

    quantiles: converting.Field[_Numbers, tuple[float, ...]] = converting.Field((0.5,), _shares)  # noqa: RUF009

    name: ClassVar[str] = "quantile"
    output_activations: ClassVar[tuple[str, ...]] = ("identity", "relu", "tanh", "logistic")
    reason: ClassVar[str] = "the outputs of softmax sum to 1, which quantiles do not"

    @property
    def outputs_per_target(self) -> int:
        """The number of quantiles."""
        return len(self.quantiles)

    def score(
        self, targets: ArrayLike, predictions: np.ndarray, sample_weight: Weights | None = None
    ) -> float:
        """Return the mean D^2 of the quantiles: the share of the pinball loss of constants that is gone."""
        from sklearn.metrics import d2_pinball_score

        predictions = np.asarray(predictions).reshape(len(predictions), -1, len(self.quantiles))
        targets = np.asarray(targets).reshape(predictions.shape[:2])
        return float(np.mean([
            d2_pinball_score(targets, predictions[:, :, k], sample_weight=sample_weight, alpha=q)
            for k, q in enumerate(self.quantiles)
        ]))  # fmt: skip


@dataclass(frozen=True)
class Poisson(Loss):
    """e^x - t x, summed over the linear outputs x: targets t >= 0 are counts of mean e^x.

    PyTorch's PoissonNLLLoss(log_input=True, full=False) times the number of outputs.
    """

    name: ClassVar[str] = "poisson"
    output_activations: ClassVar[tuple[str, ...]] = ("identity",)
    reason: ClassVar[str] = "its outputs are logarithms of means, which may be any number"
    target_range: ClassVar[tuple[float, float]] = (0, np.inf)

    def predictions(self, outputs: np.ndarray) -> np.ndarray:
        """Return the means, e^x; infinite where that is too large for their type."""
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(outputs))


#: The losses by name, as strings choose them.
BY_NAME: dict[str, type[Loss]] = {
    loss.name: loss
    for loss in (
        CrossEntropy, BinaryCrossEntropy, LogLikelihood,
        SquaredError, AbsoluteError, Huber, Quantile, Poisson,
    )
}  # fmt: skip


def chosen(argument: str, value: Any) -> Loss:
    """Return the loss that a name or an instance stands for.

    Raises
    ------
    ValueError
        If it is neither, or of a class that the engine does not know.
    """
    loss: Loss = known(argument, value, BY_NAME)
    return loss
