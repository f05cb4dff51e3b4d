"""What a fit leaves behind of each epoch."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastmlp.callbacks import EpochEnd

# The names of History's lists.
_CURVES = ("loss", "val_loss", "val_score", "learning_rate", "seconds", "samples_per_second")
_VALIDATION = ("val_loss", "val_score")
# The epochs that the table in a notebook shows.
_N_SHOWN = 5


@dataclass(repr=False)
class History:
    """What happened in each epoch, one entry per epoch in every list but those of the validation data.

    Attributes
    ----------
    loss, val_loss, val_score, learning_rate, seconds, samples_per_second : list of float
        As in `fastmlp.callbacks.EpochEnd`; ``val_loss`` and ``val_score`` have an entry for each epoch with
        validation data.
    val_epochs : list of int
        The epochs with validation data, counted from 1.
    converged : bool
        Whether the last fit stopped because what it watched no longer improved.
    best_epoch : int or None
        The epoch with the best value of what is watched, counted from 1.
    kept_epoch : int or None
        The epoch whose parameters the network has, counted from 1: the last that was finished, or the best if
        the fit went back to it; None if the network has its initial parameters.
    diverged : bool
        Whether the last fit stopped because it diverged.
    """

    loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_score: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    samples_per_second: list[float] = field(default_factory=list)
    converged: bool = False
    best_epoch: int | None = None
    kept_epoch: int | None = None
    val_epochs: list[int] = field(default_factory=list)
    diverged: bool = False

    @property
    def kept_score(self) -> float | None:
        """The validation score of ``kept_epoch``; None without validation data, NaN if it is not known."""
        return self.of_kept_epoch("val_score")

    def of_kept_epoch(self, curve: str) -> float | None:
        """Return what a list says of ``kept_epoch``: None if it is empty, NaN if it says nothing."""
        values = getattr(self, curve)
        if not values:
            return None
        return math.nan if self.kept_epoch is None else self._by_epoch(curve).get(self.kept_epoch, math.nan)

    def __repr__(self) -> str:
        parts = [f"{name} {curve[-1]:.4g}" for name in _CURVES[:3] if (curve := getattr(self, name))]
        if self.best_epoch is not None:
            parts.append(f"best epoch {self.best_epoch}")
        parts += [name for name in ("converged", "diverged") if getattr(self, name)]
        return f"<History of {', '.join([f'{len(self.loss)} epochs', *parts])}>"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p>\n{self.to_html()}"

    def to_html(self) -> str:
        """Return the last epochs as a table for a web page."""
        curves = {name: self._by_epoch(name) for name in _CURVES if getattr(self, name)}
        n_epochs = len(self.loss)
        lines = ["".join(f"<th>{name}</th>" for name in ("epoch", *curves))]
        for epoch in range(max(n_epochs - _N_SHOWN, 0) + 1, n_epochs + 1):
            values = [curve.get(epoch) for curve in curves.values()]
            cells = [str(epoch), *("" if value is None else f"{value:.4g}" for value in values)]
            lines.append("".join(f"<td>{cell}</td>" for cell in cells))
        return "\n".join(["<table>", *(f"<tr>{line}</tr>" for line in lines), "</table>"])

    def to_frame(self) -> Any:
        """Return a pandas data frame with a row for each epoch; pandas must be installed.

        Columns without values, such as those of validation data that were not there, are left out; where only
        some epochs have a value the others are NaN.
        """
        import pandas as pd

        curves = {name: getattr(self, name) for name in _CURVES if getattr(self, name)}
        columns = {name: pd.Series(curve, self._epochs_of(name)) for name, curve in curves.items()}
        return pd.DataFrame(columns, index=pd.RangeIndex(1, len(self.loss) + 1, name="epoch"))

    def _epochs_of(self, curve: str) -> list[int]:
        """Return the epochs that a list has entries of."""
        n_values, n_epochs = len(getattr(self, curve)), len(self.loss)
        if curve in _VALIDATION and len(self.val_epochs) == n_values:
            return self.val_epochs
        # What another process trained has no times, and a file does not say which epochs were validated.
        return list(range(n_epochs - n_values + 1, n_epochs + 1))

    def _by_epoch(self, curve: str) -> dict[int, float]:
        """Return the entries of a list by their epochs."""
        return dict(zip(self._epochs_of(curve), getattr(self, curve), strict=True))

    def append(self, event: EpochEnd) -> None:
        """Add an epoch."""
        for name in _CURVES:
            if (value := getattr(event, name)) is not None:
                getattr(self, name).append(value)
        self.kept_epoch = len(self.loss)
        if event.val_loss is not None:
            self.val_epochs.append(self.kept_epoch)


def known_history(
    *, losses: list[float], val_losses: list[float] | None, val_scores: list[float] | None,
    by_score: bool, kept_score: float | None = None,
) -> History:  # fmt: skip
    """Return the history of a model from its curves, which are all that a file or scikit-learn keeps.

    Parameters
    ----------
    losses : list of float
    val_losses, val_scores : list of float or None
        Of the last epochs; a score of NaN after the last epoch, of one that diverged, is left out.
    by_score : bool
        Whether early stopping went by the score.
    kept_score : float or None
        The score of the weights that the model has, if it is known.
    """
    n_epochs = len(losses)
    scores = list(val_scores or [])[:n_epochs]
    history = History(
        loss=list(losses),
        val_loss=list(val_losses or []),
        val_score=scores,
        kept_epoch=n_epochs or None,
        val_epochs=list(range(n_epochs - len(scores) + 1, n_epochs + 1)),
    )
    goes_by_score = by_score and bool(scores)  # L-BFGS without validation data has none
    values = np.negative(scores) if goes_by_score else np.array(losses, dtype=float)
    if not np.isnan(values).all():  # the array may be empty
        history.best_epoch = n_epochs - len(values) + int(np.nanargmin(values)) + 1
    if goes_by_score and history.best_epoch:
        best = -np.nanmin(values)
        if kept_score is None or kept_score == best:  # an older file does not say so
            history.kept_epoch = history.best_epoch
    return history
