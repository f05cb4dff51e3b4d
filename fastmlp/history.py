"""What a fit leaves behind of each epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fastmlp.callbacks import EpochEnd

# What History has a list of.
_CURVES = ("loss", "val_loss", "val_score", "learning_rate", "seconds", "samples_per_second")


@dataclass(repr=False)
class History:
    """What happened in each epoch, one entry per epoch in every list.

    Attributes
    ----------
    loss, val_loss, val_score, learning_rate, seconds, samples_per_second : list of float
        As in `fastmlp.callbacks.EpochEnd`; ``val_loss`` and ``val_score`` stay empty without validation data.
    converged : bool
        Whether the last fit stopped because what it watched no longer improved.
    best_epoch : int or None
        The epoch with the best value of what is watched, counted from 1.
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
    diverged: bool = False

    def __repr__(self):
        parts = [f"{name} {curve[-1]:.4g}" for name in _CURVES[:3] if (curve := getattr(self, name))]
        if self.best_epoch is not None:
            parts.append(f"best epoch {self.best_epoch}")
        parts += [name for name in ("converged", "diverged") if getattr(self, name)]
        return f"<History of {', '.join([f'{len(self.loss)} epochs', *parts])}>"

    def to_frame(self) -> Any:
        """Return a pandas data frame with a row for each epoch; pandas must be installed.

        Columns without values, such as those of validation data that were not there, are left out.
        """
        import pandas as pd

        columns = {name: getattr(self, name) for name in _CURVES if getattr(self, name)}
        return pd.DataFrame(columns, index=pd.RangeIndex(1, len(self.loss) + 1, name="epoch"))

    def append(self, event: EpochEnd) -> None:
        """Add an epoch."""
        for name in _CURVES:
            if (value := getattr(event, name)) is not None:
                getattr(self, name).append(value)
