"""What a call of training takes: the data, and who follows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp._support.checks import check_together, frozen, naming, weights
from fastmlp.callbacks import EpochEnd
from fastmlp.losses import Loss
from fastmlp.network.network import Network

#: An array, or a sparse matrix: SciPy's, which has no types, or the rows of one as the engine reads them.
Matrix: TypeAlias = Any
#: ``score(y, predictions)``, and ``sample_weight`` by name if the samples have weights.
Score: TypeAlias = Callable[..., float]


class Reporter(Protocol):
    """Draws how far training is."""

    def update(self, epoch: int, n_samples: int, loss: float, val_score: float | None = None) -> None:
        """Draw ``epoch`` finished epochs and ``n_samples`` of the next; an exception ends the training."""


class Observer(Protocol):
    """Follows the epochs from their beginning to their end."""

    def begin_epoch(self) -> None:
        """Called as an epoch begins; by L-BFGS, as often as the loss is evaluated."""

    def add_epoch(self, event: EpochEnd) -> None:
        """Called when an epoch is in the history, before the callbacks."""

    def end_epoch(self, event: EpochEnd) -> bool:
        """Called after the callbacks; True stops the training."""


@dataclass(frozen=True, eq=False, repr=False)
class Validation:
    """Data that are scored after every epoch.

    Attributes
    ----------
    X : ndarray or sparse matrix of shape (n_samples, n_features)
    y : array-like
        Targets as the trainer's loss takes them, in their own units: before any ``target_preparation``.
    sample_weight : ndarray of float64, shape (n_samples,), or None
    score : callable or None
        ``score(y, predictions)``, and ``sample_weight`` by name if there are weights; in place of the
        trainer's own.
    """

    X: Matrix
    y: ArrayLike
    sample_weight: NDArray[np.float64] | None = None
    score: Score | None = None

    def __repr__(self) -> str:
        return f"<Validation data of shape {self.X.shape}>"


@dataclass(frozen=True, eq=False, repr=False)
class TrainingData:
    """Data to train on, checked and encoded: what `Trainer.train` takes.

    Attributes
    ----------
    X : ndarray or sparse matrix of shape (n, n_features)
        As `Network.check_inputs` returns it.
    targets : ndarray
        As `Network.check_targets` returns them.
    rows : ndarray of int64
        The rows of X to train on.
    sample_weight : ndarray of float64, shape (n,), or None
        At least 0, one for each row of X.
    validation : Validation or None

    Examples
    --------
    >>> import numpy as np
    >>> X, targets = np.zeros((4, 2)), np.array([0, 1, 1, 0], dtype=np.int32)
    >>> data = TrainingData(X, targets, rows=np.arange(3), sample_weight=np.array([1.0, 2.0, 0.0, 9.0]))
    >>> data.n_samples, data.total_weight, data.is_sparse
    (3, 3.0, False)
    """

    X: Matrix
    targets: NDArray[Any]
    rows: NDArray[np.int64]
    sample_weight: NDArray[np.float64] | None = None
    validation: Validation | None = None

    @classmethod
    def checked(
        cls, network: Network, loss: Loss, X: Matrix, y: ArrayLike, X_val: Matrix = None,
        y_val: ArrayLike | None = None, *, rows: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None, sample_weight_val: ArrayLike | None = None,
    ) -> Self:  # fmt: skip
        """Check and encode what `Trainer.fit` is called with.

        Raises
        ------
        ValueError
            If something does not go with the network or the loss, or with the rest.
        """
        check_together(X_val, y_val)
        X = network.check_inputs(X)
        targets = network.check_targets(X, y, loss)
        weight, validation = weights("sample_weight", sample_weight, X.shape[0]), None
        if y_val is not None:
            with naming("X_val", "y_val"):
                X_val = network.check_inputs(X_val)
                network.check_targets(X_val, y_val, loss)
            weight_val = weights("sample_weight_val", sample_weight_val, X_val.shape[0])
            validation = Validation(X_val, y_val, weight_val)
        elif sample_weight_val is not None:
            raise ValueError("sample_weight_val needs X_val and y_val.")
        chosen = _check_rows(np.arange(X.shape[0]) if rows is None else rows, X.shape[0])
        return cls(X, targets, chosen, weight, validation)

    @property
    def n_samples(self) -> int:
        """The number of rows to train on."""
        return len(self.rows)

    @property
    def total_weight(self) -> float:
        """The sum of the weights of the rows to train on; without weights, their number."""
        return float(len(self.rows) if self.sample_weight is None else self.sample_weight[self.rows].sum())

    @property
    def is_sparse(self) -> bool:
        """Whether X is anything but an array."""
        return not isinstance(self.X, np.ndarray)

    def __repr__(self) -> str:
        return f"<TrainingData of {self.n_samples} rows of X, whose shape is {self.X.shape}>"


def _check_rows(rows: ArrayLike, n_samples: int) -> NDArray[np.int64]:
    rows = frozen(rows)  # the engine reads where they point, and nobody else may change them
    if (
        rows.ndim != 1
        or len(rows) == 0
        or rows.dtype.kind not in "iu"
        or rows.min() < 0
        or rows.max() >= n_samples
    ):
        raise ValueError(f"rows must be one or more row numbers from 0 to {n_samples - 1}.")
    return frozen(rows, np.int64)
