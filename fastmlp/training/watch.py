"""When a fit has nothing more to gain, and which of its epochs was the best."""

from __future__ import annotations

import numpy as np

from fastmlp._support.checks import number
from fastmlp.callbacks import EpochEnd
from fastmlp.training.history import History

#: What can be watched, by the names of History; a score rises, a loss falls.
WATCHED = ("loss", "val_loss", "val_score")


class Watch:
    """Follows a fit's training loss, validation loss or validation score from epoch to epoch.

    Parameters
    ----------
    watched : {"loss", "val_loss", "val_score"}
    tol : float or None
        scikit-learn's plateau rule: the value is flat when it has not improved by ``tol`` in more than
        ``n_iter_no_change`` epochs. None: it never is.
    n_iter_no_change : int

    Attributes
    ----------
    n_flat : int
        Epochs since the value last improved by ``tol``.
    """

    def __init__(self, watched: str, tol: float | None, n_iter_no_change: float):
        if watched not in WATCHED:
            raise ValueError(f"watch={watched!r} is not known; choose one of {', '.join(WATCHED)}.")
        number("n_iter_no_change", n_iter_no_change, at_least=0, below=None)
        if tol is not None:
            number("tol", tol, at_least=0)
        self.watched, self.tol, self.n_iter_no_change = watched, tol, n_iter_no_change
        self._best: float = np.inf
        self.n_flat = 0

    def __repr__(self) -> str:
        return f"Watch({self.watched!r}, tol={self.tol!r}, n_iter_no_change={self.n_iter_no_change!r})"

    def see(self, event: EpochEnd) -> bool:
        """Take in an epoch; return whether it is the best so far; one whose value is NaN never is.

        Raises
        ------
        ValueError
            If a validation value is watched and there are no validation data.
        """
        value: float | None = getattr(event, self.watched)
        if value is None:
            raise ValueError(f"watch={self.watched!r} needs validation data: give X_val and y_val to fit.")
        if self.watched == "val_score":
            value = -value
        if np.isnan(value):  # a custom score; comparisons would forget the best for it
            value = np.inf
        if self.tol is not None:
            self.n_flat = self.n_flat + 1 if value > self._best - self.tol else 0
        is_best = bool(value < self._best)
        self._best = min(value, self._best)
        return is_best

    def is_flat(self) -> bool:
        """Return whether the value has stopped improving."""
        return self.n_flat > self.n_iter_no_change

    def begin_anew(self) -> None:
        """Count the epochs without improvement from 0 again; the best value stays."""
        self.n_flat = 0

    def forget(self) -> None:
        """Forget the best value and the count."""
        self._best, self.n_flat = np.inf, 0

    def go_on(self, history: History, earlier: Watch | None) -> None:
        """Continue from the best value of a history, and from the count of an earlier watch."""
        if earlier is not None and earlier.watched == self.watched:
            self._best, self.n_flat = earlier._best, earlier.n_flat
        elif earlier is None:
            sign = -1 if self.watched == "val_score" else 1
            values = [sign * value for value in getattr(history, self.watched) if not np.isnan(value)]
            self._best = min(values, default=np.inf)
