"""What an estimator learns of its targets: classes, label indicators or real numbers.

Each of the three encodes and decodes targets, says by which loss and outputs a network learns them, what the
loss takes, and how a split is stratified.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

from fastmlp import activations, losses
from fastmlp._support.checks import as_printed, listed, shown
from fastmlp.estimators.readable_targets import readable_labels, readable_numbers
from fastmlp.estimators.settings import EstimatorSettings
from fastmlp.formats.model import Outputs, Targets
from fastmlp.losses import BinaryCrossEntropy, CrossEntropy, LogLikelihood, SquaredError
from fastmlp.training.data import Score


@dataclass(frozen=True, eq=False)
class Classes:
    """One class of each sample.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted.
    """

    classes: NDArray[Any]

    is_multilabel: ClassVar[bool] = False
    is_sparse: ClassVar[bool] = False
    n_targets: ClassVar[int] = 1

    @property
    def is_several(self) -> bool:
        """Whether there are more than two classes."""
        return len(self.classes) > 2

    def encode(self, y: Any) -> NDArray[Any]:
        """Return the number of each class.

        Raises
        ------
        ValueError
            If y has classes that are not known, or label indicators.
        """
        if np.ndim(y) == 2:
            raise ValueError(
                f"y are label indicators, {y.shape}, but the model has learnt classes, one a sample."
            )
        unknown = np.setdiff1d(y, self.classes)
        if len(unknown):
            has = "class {}, which is" if len(unknown) == 1 else "classes {}, which are"
            raise ValueError(
                f"y has the {has.format(listed(unknown))} not among classes_: {listed(self.classes)}."
            )
        codes = np.searchsorted(self.classes, y)
        return codes.astype(np.int32 if self.is_several else np.uint8)

    def encode_again(self, y: Any) -> NDArray[Any]:
        """Return the number of each class, for a warm start: all classes must be there again."""
        _check_same_classes(self.classes, self.is_multilabel, y)
        return self.encode(y)

    def decode(self, codes: NDArray[Any]) -> NDArray[Any]:
        """Return the classes of these numbers."""
        return self.classes[codes]

    def sample_weight(self, class_weight: Any, codes: NDArray[Any]) -> NDArray[Any]:
        """Return the weight that its class gives each sample."""
        if isinstance(class_weight, list):
            raise ValueError(f"class_weight={shown(class_weight)} is for label indicators; give a dict.")
        return compute_class_weight(class_weight, classes=self.classes, y=self.classes[codes])[codes]

    def strata(self, codes: NDArray[Any], n_held_out: int, is_all: bool) -> NDArray[Any] | None:
        """Return what a split is stratified by: classes, if each can be on both sides, otherwise None.

        ``is_all`` says that the codes are those of all samples.
        """
        if is_all and not self.is_several:
            return codes.astype(bool).reshape(-1, 1)  # as scikit-learn has them, and names them
        counts = np.bincount(codes)
        counts = counts[counts > 0]
        possible = counts.min() > 1 and len(counts) <= min(n_held_out, len(codes) - n_held_out)
        return codes if possible else None

    def outputs(self, settings: EstimatorSettings) -> Outputs:
        """Return the loss and the outputs that the parameters ask for; refuse a loss that does not suit."""
        smoothing, output = settings.label_smoothing, _wanted_activation(settings)
        softmax = self.is_several if output is None else output == "softmax"
        loss = _loss_or_default(settings.loss, CrossEntropy if softmax else BinaryCrossEntropy)
        if isinstance(loss, BinaryCrossEntropy) and self.is_several and output is None:
            raise ValueError(
                f"loss={loss.name!r} is for two classes and label indicators; y has {len(self.classes)} "
                "classes. With output_activation='logistic' each of them has an output of its own."
            )
        if isinstance(loss, LogLikelihood) and not self.is_several:
            raise _log_likelihood_needs_several(loss)
        loss = _smoothed(loss, smoothing)
        if output is None:
            output = "softmax" if self.is_several or isinstance(loss, CrossEntropy) else "logistic"
        if output == "softmax":
            return Outputs(loss, output, max(2, len(self.classes)), smoothing)
        return Outputs(loss, output, len(self.classes) if self.is_several else 1, smoothing)

    def for_loss(self, codes: NDArray[Any], outputs: Outputs) -> NDArray[Any]:
        """Return the numbers of classes as the loss takes them: labels or a column for each output."""
        if outputs.loss.takes_labels:
            return codes
        if self.is_several or outputs.activation == "softmax":
            codes = np.eye(outputs.n_outputs, dtype=np.uint8)[codes]
        return _smoothed_targets(codes, outputs.smoothing)

    def score(self, outputs: Outputs) -> Score:
        """Return what scores validation data after an epoch: the accuracy."""
        one_of_several = self.is_several or outputs.activation == "softmax"
        return (CrossEntropy() if one_of_several else BinaryCrossEntropy()).score


@dataclass(frozen=True, eq=False)
class Indicators:
    """Label indicators: for each sample and each label 0 or 1.

    Attributes
    ----------
    classes : ndarray of shape (n_labels,)
        The numbers of the labels.
    is_sparse : bool
        Whether they were a sparse matrix, as predictions then are.
    """

    classes: NDArray[Any]
    is_sparse: bool = False

    is_multilabel: ClassVar[bool] = True
    is_several: ClassVar[bool] = False

    @property
    def n_targets(self) -> int:
        """The number of labels."""
        return len(self.classes)

    def encode(self, y: Any) -> NDArray[Any]:
        """Return label indicators as bytes."""
        return np.ascontiguousarray(y, dtype=np.uint8)

    def encode_again(self, y: Any) -> NDArray[Any]:
        """Return label indicators as bytes, for a warm start: of as many labels as before."""
        _check_same_classes(self.classes, self.is_multilabel, y)
        return self.encode(y)

    def decode(self, codes: NDArray[Any]) -> NDArray[Any]:
        """Return the label indicators."""
        return codes

    def sample_weight(self, class_weight: Any, codes: NDArray[Any]) -> NDArray[Any]:
        """Return the weight that its labels give each sample."""
        return compute_sample_weight(class_weight, codes)

    def strata(self, codes: NDArray[Any], n_held_out: int, is_all: bool) -> None:
        """Return None: a split is not stratified."""

    def outputs(self, settings: EstimatorSettings) -> Outputs:
        """Return the loss and the outputs that the parameters ask for; refuse a loss that does not suit."""
        smoothing, output = settings.label_smoothing, _wanted_activation(settings)
        loss = _loss_or_default(settings.loss, CrossEntropy if output == "softmax" else BinaryCrossEntropy)
        if output == "softmax":
            raise ValueError("output_activation='softmax' is for one class each; y are label indicators.")
        if isinstance(loss, CrossEntropy):
            raise ValueError(f"loss={loss.name!r} is for samples of one class each; y are label indicators.")
        if isinstance(loss, LogLikelihood):
            raise _log_likelihood_needs_several(loss)
        return Outputs(_smoothed(loss, smoothing), output or "logistic", len(self.classes), smoothing)

    def for_loss(self, codes: NDArray[Any], outputs: Outputs) -> NDArray[Any]:
        """Return label indicators as the loss takes them."""
        return codes if outputs.loss.takes_labels else _smoothed_targets(codes, outputs.smoothing)

    def score(self, outputs: Outputs) -> Score:
        """Return what scores validation data after an epoch: the share of samples with all labels right."""
        return BinaryCrossEntropy().score


@dataclass(frozen=True)
class Reals:
    """Real numbers.

    Attributes
    ----------
    n_targets : int
        Of each sample.
    """

    n_targets: int

    classes: ClassVar[None] = None
    is_multilabel: ClassVar[bool] = False
    is_several: ClassVar[bool] = False
    is_sparse: ClassVar[bool] = False

    def encode(self, y: Any) -> NDArray[Any]:
        """Return y.

        Raises
        ------
        ValueError
            If it has another number of targets.
        """
        n_targets = _n_columns(y)
        if n_targets != self.n_targets:
            raise ValueError(f"y has {n_targets} targets for each sample; the model has {self.n_targets}.")
        return y

    def encode_again(self, y: Any) -> NDArray[Any]:
        """Return y, for a warm start."""
        n_targets = _n_columns(y)
        if n_targets != self.n_targets:
            raise ValueError(
                f"warm_start=True needs as many targets as before: y has {n_targets}, not {self.n_targets}."
            )
        return y

    def decode(self, codes: NDArray[Any]) -> NDArray[Any]:
        """Return the targets."""
        return codes

    def strata(self, codes: NDArray[Any], n_held_out: int, is_all: bool) -> None:
        """Return None: a split is not stratified."""

    def outputs(self, settings: EstimatorSettings) -> Outputs:
        """Return the loss and the outputs that the parameters ask for."""
        loss = _loss_or_default(settings.loss, SquaredError)
        activation = activations.canonical(settings.output_activation or "identity", "output_activation")
        return Outputs(loss, activation, self.n_targets * loss.outputs_per_target)

    def for_loss(self, codes: NDArray[Any], outputs: Outputs) -> NDArray[Any]:
        """Return the targets."""
        return codes

    def score(self, outputs: Outputs) -> None:
        """Return None: the loss has a score of its own."""


def learn_labels(
    y: Any, classes: NDArray[Any] | None = None, is_sparse: bool = False
) -> Classes | Indicators:
    """Return what y holds: classes, those that are given or its own, or label indicators."""
    check_classification_targets(y)
    if type_of_target(y) == "multilabel-indicator":
        return Indicators(np.arange(y.shape[1]), is_sparse)
    return Classes(unique_labels(y) if classes is None else classes)


def learn_reals(y: Any, classes: NDArray[Any] | None = None, is_sparse: bool = False) -> Reals:
    """Return how many targets each sample has; `learn_labels` takes the same arguments."""
    return Reals(_n_columns(y))


@dataclass(frozen=True)
class KindOfTargets:
    """What an estimator takes for targets.

    Attributes
    ----------
    readable : callable
        ``readable(argument, y)`` returns y as scikit-learn's checks accept it; messages name the argument.
    learn : callable
        ``learn(y, classes, is_sparse)`` returns what y holds: of ``classes`` if all of them are known, and
        ``is_sparse`` if y was a sparse matrix.
    """

    readable: Callable[[str, Any], Any]
    learn: Callable[[Any, NDArray[Any] | None, bool], Targets]


LABELS = KindOfTargets(readable_labels, learn_labels)
REALS = KindOfTargets(readable_numbers, learn_reals)


def _n_columns(y: NDArray[Any]) -> int:
    return 1 if y.ndim == 1 else int(y.shape[1])


def _check_same_classes(known: NDArray[Any], is_multilabel: bool, y: Any) -> None:
    """Refuse a warm start with other classes than before, or with label indicators in their place."""
    check_classification_targets(y)
    classes = unique_labels(y)
    is_other_kind = (type_of_target(y) == "multilabel-indicator") != is_multilabel
    if is_other_kind or set(classes) != set(known):
        raise ValueError(
            "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
            f"Previously got {as_printed(known)}, `y` has {as_printed(classes)}"
            + (" and is of another kind" if is_other_kind else "")
        )


def _wanted_activation(settings: EstimatorSettings) -> str | None:
    """Return the output activation that a classifier's parameters ask for, or None."""
    if settings.output_activation is not None:
        return activations.canonical(settings.output_activation, "output_activation")
    asks = isinstance(settings.loss, LogLikelihood) or settings.loss == LogLikelihood.name
    return "logistic" if asks else None


def _loss_or_default(loss: Any, default: type[losses.Loss]) -> losses.Loss:
    return default() if loss is None else losses.chosen("loss", loss)


def _log_likelihood_needs_several(loss: losses.Loss) -> ValueError:
    return ValueError(
        f"loss={loss.name!r} is for three and more classes of which each sample has one: a target of 0 adds "
        "nothing to it."
    )


def _smoothed(loss: losses.Loss, smoothing: float) -> losses.Loss:
    """Return a loss with label smoothing, where it is part of the loss; refuse one without any."""
    if smoothing and isinstance(loss, SquaredError):
        raise ValueError(
            f"label_smoothing={smoothing!r} goes with the cross-entropies, not loss={loss.name!r}."
        )
    return replace(loss, label_smoothing=smoothing) if smoothing and loss.takes_labels else loss  # type: ignore[call-arg]


def _smoothed_targets(codes: NDArray[Any], smoothing: float) -> NDArray[Any]:
    """Return indicators with a share of each spread evenly over 0 and 1."""
    return (1 - smoothing) * codes + smoothing / 2 if smoothing else codes
