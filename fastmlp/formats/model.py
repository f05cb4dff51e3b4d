"""A fitted model: estimators hold one once they are fitted; saving, exports and prediction work on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastmlp import losses
from fastmlp.network.network import Network
from fastmlp.network.preparation import Preparation
from fastmlp.training.data import Score, Validation
from fastmlp.training.evaluation import evaluate
from fastmlp.training.history import History


class Targets(Protocol):
    """What the outputs of a network stand for; see `fastmlp.estimators.targets` for the three kinds."""

    @property
    def classes(self) -> NDArray[Any] | None:
        """The classes, or the numbers of the labels; None for real targets."""

    @property
    def is_multilabel(self) -> bool:
        """Whether they are label indicators."""

    @property
    def is_several(self) -> bool:
        """Whether each sample has one of more than two classes."""

    @property
    def is_sparse(self) -> bool:
        """Whether predictions are a sparse matrix, as the label indicators of `fit` were."""

    @property
    def n_targets(self) -> int:
        """Columns of y; 1 for a class of each sample."""

    def encode(self, y: Any) -> NDArray[Any]:
        """Return targets as numbers."""

    def encode_again(self, y: Any) -> NDArray[Any]:
        """Return targets as numbers, for a warm start."""

    def decode(self, codes: NDArray[Any]) -> NDArray[Any]:
        """Return what `encode` was given."""

    def strata(self, codes: NDArray[Any], n_held_out: int, is_all: bool) -> NDArray[Any] | None:
        """Return what a split is stratified by, or None."""

    def outputs(self, settings: Any) -> Outputs:
        """Return the loss and the outputs that an estimator's settings ask for."""

    def for_loss(self, codes: NDArray[Any], outputs: Outputs) -> NDArray[Any]:
        """Return encoded targets as the loss of `outputs` takes them."""

    def score(self, outputs: Outputs) -> Score | None:
        """Return what scores data, or None for the score of the loss."""


@dataclass(frozen=True)
class Outputs:
    """The end of a network: how many outputs, what they pass through, and the loss that they are trained by.

    Attributes
    ----------
    loss : Loss
    activation : str
    n_outputs : int
    smoothing : float
        Label smoothing that is part of the targets, for losses that take no labels.
    """

    loss: losses.Loss
    activation: str
    n_outputs: int
    smoothing: float = 0.0


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Record:
    """What happened in the training of a model.

    Attributes
    ----------
    history : History
    n_iter : int
        Epochs of the last fit, and of `partial_fit` since.
    samples_seen : int
        Also of the fits before, if the last one was a warm start.
    loss : float
        Of the last epoch.
    best_loss : float or None
        None with early stopping.
    validation_scores : list of float or None
        NaN ends them if training diverged. None without validation data.
    validation_score : float or None
        Of the weights that the model has.
    stopped_early : bool
    divergence : str
        How the last fit diverged; empty if it did not.
    """

    history: History
    n_iter: int
    samples_seen: int
    loss: float
    best_loss: float | None
    validation_scores: list[float] | None
    validation_score: float | None
    stopped_early: bool = False
    divergence: str = ""

    def __repr__(self) -> str:
        return f"<Record of {self.n_iter} epochs: {self.history!r}>"


@dataclass(frozen=True, eq=False, repr=False)
class FittedModel:
    """A network with all that is needed to predict, save, export and describe it.

    Attributes
    ----------
    network : Network
        With the preparation of its inputs.
    targets : Targets
    outputs : Outputs
    target_preparation : Preparation or None
        Standardisation of real targets.
    feature_names : ndarray of str or None
    parameters : mapping of str to object
        The estimator's parameters as they were when the model was trained.
    record : Record
    """

    network: Network
    targets: Targets
    outputs: Outputs
    target_preparation: Preparation | None
    feature_names: NDArray[Any] | None
    parameters: Mapping[str, Any]
    record: Record

    def __repr__(self) -> str:
        return f"<FittedModel of {self.estimator_name}: {self.network!r}>"

    @property
    def loss(self) -> losses.Loss:
        """What the network is trained by."""
        return self.outputs.loss

    @property
    def preparation(self) -> Preparation | None:
        """Standardisation of the inputs, which the network applies."""
        return self.network.preparation

    @property
    def is_classifier(self) -> bool:
        """Whether the targets are classes or label indicators."""
        return self.targets.classes is not None

    @property
    def estimator_name(self) -> str:
        """The estimator that has such models."""
        return "MLPClassifier" if self.is_classifier else "MLPRegressor"

    @property
    def is_binary(self) -> bool:
        """Whether a single output is the probability of the second of two classes."""
        return self.is_classifier and self.outputs.n_outputs == 1 and not self.targets.is_multilabel

    @property
    def is_divided(self) -> bool:
        """Whether each of several classes has a logistic output, divided by their sum for probabilities."""
        return self.targets.is_several and self.outputs.activation == "logistic"

    def loss_targets(self, codes: NDArray[Any]) -> NDArray[Any]:
        """Return encoded targets as the loss takes them."""
        return self.targets.for_loss(codes, self.outputs)

    def evaluate(
        self, X: Any, y: Any, sample_weight: NDArray[np.float64] | None = None,
        score: Callable[..., float] | None = None,
    ) -> tuple[float, float]:  # fmt: skip
        """Return loss and score of other data, as validation data have them after each epoch.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like
            Class labels, label indicators or real targets.
        sample_weight : ndarray of shape (n_samples,) or None
        score : callable or None
            In place of the score of these targets, see `fastmlp.training.data.Validation`.
        """
        codes = self.loss_targets(self.targets.encode(y))
        data = Validation(X, codes, sample_weight, score or self.targets.score(self.outputs))
        return evaluate(self.network, self.loss, self.target_preparation, data)

    def probabilities(self, outputs: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the probability of each class, of a classifier's network outputs."""
        if self.is_divided:
            return shares(outputs)
        if not self.is_binary:
            return outputs
        both = np.empty((len(outputs), 2), dtype=outputs.dtype)  # a third of hstack's time for one row
        both[:, 1] = outputs[:, 0]
        np.subtract(1, outputs[:, 0], out=both[:, 0])
        return both

    def predictions(self, outputs: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return a regressor's predictions, in the units of its targets, of network outputs."""
        each, n_targets = self.loss.outputs_per_target, self.targets.n_targets
        if self.target_preparation is not None:
            outputs = self.target_preparation.repeated(each).invert(outputs)
        outputs = self.loss.predictions(outputs)
        if each > 1 and n_targets > 1:
            return outputs.reshape(len(outputs), n_targets, each)
        return outputs.ravel() if self.outputs.n_outputs == 1 else outputs

    def compile(self) -> Any:
        """Return what `MLPClassifier.compile` does."""
        if self.is_classifier:
            return self.network.compile(
                shape=(2 if self.is_binary else self.outputs.n_outputs,),
                pairs=self.is_binary,
                finish=shares if self.is_divided else None,
            )
        each, n_targets, restored = self.loss.outputs_per_target, self.targets.n_targets, None
        if self.target_preparation is not None:
            preparation = self.target_preparation.repeated(each)
            restored = preparation.center, preparation.scale
        return self.network.compile(
            shape=(n_targets,) * (n_targets > 1) + (each,) * (each > 1),
            restored=restored,
            finish=self.loss.predictions if isinstance(self.loss, losses.Poisson) else None,
        )


def shares(outputs: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return each row divided by its sum; a row of zeros is shared evenly.

    Examples
    --------
    >>> import numpy as np
    >>> shares(np.array([[1.0, 3.0], [0.0, 0.0]]))
    array([[0.25, 0.75],
           [0.5 , 0.5 ]])
    """
    total = outputs.sum(axis=1, keepdims=True)
    even = np.asarray(1 / outputs.shape[1], dtype=outputs.dtype)
    return np.where(total > 0, outputs / np.where(total > 0, total, 1), even)
