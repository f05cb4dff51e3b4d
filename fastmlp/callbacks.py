"""Callbacks: anything that can be called with an `EpochEnd`; one that returns True stops the fit.

`EveryNSteps` calls a function with a `StepEnd` amid the epochs.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from fastmlp._support.checks import number

if TYPE_CHECKING:
    from fastmlp.network.network import Network


@dataclass(frozen=True)
class EpochEnd:
    """What a callback is called with after each epoch.

    Attributes
    ----------
    epoch, n_epochs : int
        The epoch that ended, counted from 1 over the trainer's life, and the last one planned.
    loss : float
        Mean training loss, penalty included, each batch's before its update.
    val_loss, val_score : float or None
        Of the validation data, if there are any: accuracy for classes, R^2 for numbers.
    learning_rate : float
        Of the epoch's last step.
    seconds : float
        Spent on the epoch's training, validation left out.
    samples_per_second : float
    network : fastmlp.Network
        As it stands; to be read, not changed.
    """

    epoch: int
    n_epochs: int
    loss: float
    val_loss: float | None
    val_score: float | None
    learning_rate: float
    seconds: float
    samples_per_second: float
    network: Network


@dataclass(frozen=True)
class StepEnd:
    """What a function of `EveryNSteps` is called with.

    Attributes
    ----------
    step : int
        The solver's steps so far, over the trainer's life.
    epoch : int
        The epoch that it is in, counted from 1 over the trainer's life.
    loss : float
        Mean training loss of the epoch so far, penalty included, each batch's before its update.
    learning_rate : float
        Of the last step.
    network : fastmlp.Network
        As it stands. Training continues from the parameters that the function leaves; an average of the
        parameters, which the network has under ``ema_decay``, is overwritten instead.
    """

    step: int
    epoch: int
    loss: float
    learning_rate: float
    network: Network


Callback = Callable[[EpochEnd], bool | None]


@dataclass(frozen=True)
class PrintEpoch:
    """Print one line per epoch, as scikit-learn's ``verbose`` does, with the validation score behind it."""

    def __call__(self, event: EpochEnd) -> None:
        """Print the line."""
        line = f"Iteration {event.epoch}, loss = {event.loss:.8f}"
        if event.val_score is not None:
            line += f", validation score = {event.val_score:.6f}"
        print(line)


@dataclass(frozen=True, repr=False)
class EveryNSteps:
    """Call a function after every ``n`` steps of the solver, counted over the trainer's life.

    Parameters
    ----------
    n : int
    function : callable
        Called with a `StepEnd`. If it returns True the fit stops amid the epoch, which then counts with the
        samples that it had.

    Examples
    --------
    >>> import fastmlp
    >>> X, y, *_ = fastmlp.datasets.load_digits()
    >>> curve = []
    >>> log = fastmlp.callbacks.EveryNSteps(20, lambda end: curve.append((end.step, end.loss)))
    >>> model = fastmlp.fit(X, y, max_iter=2, batch_size=32, random_state=0, callbacks=[log])
    >>> [step for step, loss in curve]
    [20, 40, 60, 80]
    """

    n: int
    function: Callable[[StepEnd], bool | None]

    def __post_init__(self) -> None:
        number("n", self.n, at_least=1, whole=True)

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", type(self.function).__qualname__)
        return f"EveryNSteps({self.n}, {name})"

    def __call__(self, event: EpochEnd | StepEnd) -> bool | None:
        """Call the function at the end of a step; ignore the end of an epoch."""
        return self.function(event) if isinstance(event, StepEnd) else None


@dataclass(frozen=True)
class StopAtScore:
    """Stop once the validation score has reached ``score``."""

    score: float

    def __call__(self, event: EpochEnd) -> bool:
        """Return whether to stop; raises ValueError if the fit has no validation data."""
        if event.val_score is None:
            raise ValueError("StopAtScore needs validation data: give X_val and y_val to fit.")
        return event.val_score >= self.score


@dataclass(frozen=True)
class CSVLog:
    """Write a line per epoch to a CSV file, which can be read during training.

    The columns are the attributes of `EpochEnd` but the network; missing values, such as a score without
    validation data, are left empty. A trainer's first epoch replaces a file of that name.

    Parameters
    ----------
    path : str or path-like

    Examples
    --------
    >>> import tempfile, fastmlp
    >>> from pathlib import Path
    >>> log = Path(tempfile.mkdtemp()) / "log.csv"
    >>> X, y, *_ = fastmlp.datasets.load_digits()
    >>> model = fastmlp.fit(X, y, max_iter=3, callbacks=[fastmlp.callbacks.CSVLog(log)])
    >>> len(log.read_text().splitlines())
    4
    """

    path: str | Path

    def __call__(self, event: EpochEnd) -> None:
        """Write the line."""
        columns = [one.name for one in fields(EpochEnd) if one.name != "network"]
        goes_on = event.epoch > 1 and Path(self.path).exists()
        with Path(self.path).open("a" if goes_on else "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if not goes_on:
                writer.writerow(columns)
            writer.writerow([getattr(event, name) for name in columns])
