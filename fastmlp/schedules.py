"""Schedules: the learning rate, and the momentum, of every step.

A schedule turns an optimizer's base values into one value per batch of the coming epoch. It keeps no
state: what it depends on is in the `Clock`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fastmlp._support.checks import number


@dataclass(frozen=True)
class Clock:
    """Where training stands as an epoch begins.

    Attributes
    ----------
    step : int
        Steps of this fit that are done.
    n_steps : int
        Steps of the coming epoch.
    total_steps : int
        Steps of the whole fit, if nothing stops it.
    samples_seen : int
        Samples trained on since the trainer was made.

    `progress` and `epochs` count from the beginning of the fit.
    """

    step: int
    n_steps: int
    total_steps: int
    samples_seen: int

    @property
    def progress(self) -> np.ndarray:
        """For each step of the coming epoch, the share of the fit that is done before it, in [0, 1]."""
        steps = self.step + np.arange(self.n_steps)
        return np.minimum(steps / max(self.total_steps - 1, 1), 1.0)

    @property
    def epochs(self) -> np.ndarray:
        """For each step of the coming epoch, the epochs that are done before it, with fractions."""
        return (self.step + np.arange(self.n_steps)) / self.n_steps


@dataclass(frozen=True)
class Schedule:
    """The constant schedule, and the base of the others."""

    #: Whether the schedule is planned over all epochs, so that stopping on a flat loss makes no sense.
    runs_to_the_end: ClassVar[bool] = False

    def rates(self, learning_rate: float, clock: Clock) -> np.ndarray:
        """Return the learning rate of each step of the coming epoch, (n_steps,)."""
        return np.full(clock.n_steps, learning_rate, dtype=np.float64)

    def momenta(self, momentum: float, clock: Clock) -> np.ndarray:
        """Return the momentum of each step of the coming epoch, (n_steps,)."""
        return np.full(clock.n_steps, momentum, dtype=np.float64)

    def on_plateau(self, learning_rate: float) -> float | None:
        """Return the base rate to go on with when the loss has stopped falling, or None to stop."""
        return None

    def after_epoch(self, learning_rate: float, history: Any) -> float:
        """Return the base rate to go on with after an epoch, which is the last one in the history."""
        return learning_rate


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate throughout."""


@dataclass(frozen=True)
class InverseScaling(Schedule):
    """rate / (t + 1)^power_t with t the samples seen as the epoch begins: scikit-learn's ``invscaling``."""

    power_t: float = 0.5

    def __post_init__(self) -> None:
        number("power_t", self.power_t, at_least=0)

    def rates(self, learning_rate: float, clock: Clock) -> np.ndarray:
        """Return the learning rate of each step of the coming epoch, (n_steps,)."""
        samples = clock.samples_seen
        return np.full(
            clock.n_steps, learning_rate / (samples + 1) ** self.power_t if samples else learning_rate
        )


@dataclass(frozen=True)
class Adaptive(Schedule):
    """The same rate until the loss stops falling, then a fifth of it: scikit-learn's ``adaptive``."""

    factor: float = 0.2
    lowest: float = 1e-6

    def __post_init__(self) -> None:
        number("factor", self.factor, above=0, below=1)
        number("lowest", self.lowest, at_least=0)

    def on_plateau(self, learning_rate: float) -> float | None:
        """Return the reduced rate, or None once it is at its lowest."""
        return None if learning_rate <= self.lowest else learning_rate * self.factor


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up to the base rate and down to nearly nothing, both along half a cosine.

    The momentum goes the other way: down by ``momentum_drop`` at the highest rate, and back.
    L. N. Smith, N. Topin, "Super-convergence", 2017, with PyTorch's cosine form.

    Parameters
    ----------
    warm_up : float in (0, 1), default=0.2
        Share of the fit in which the rate rises.
    start, end : float, default=0.04 and 0.0001
        First and last rate, as shares of the base rate.
    momentum_drop : float, default=0.1
    """

    warm_up: float = 0.2
    start: float = 0.04
    end: float = 0.0001
    momentum_drop: float = 0.1

    runs_to_the_end: ClassVar[bool] = True

    def __post_init__(self) -> None:
        number("warm_up", self.warm_up, above=0, below=1)
        number("start", self.start, at_least=0)
        number("end", self.end, at_least=0)
        number("momentum_drop", self.momentum_drop, at_least=0, at_most=1)

    def _height(self, progress: np.ndarray, start: float, end: float) -> np.ndarray:
        """From ``start`` up to 1 and down to ``end``."""
        up = 0.5 - 0.5 * np.cos(np.pi * np.minimum(progress / self.warm_up, 1))
        down = 0.5 - 0.5 * np.cos(np.pi * np.maximum(progress - self.warm_up, 0) / (1 - self.warm_up))
        return np.where(progress < self.warm_up, start + (1 - start) * up, 1 + (end - 1) * down)

    def rates(self, learning_rate: float, clock: Clock) -> np.ndarray:
        """Return the learning rate of each step of the coming epoch, (n_steps,)."""
        return learning_rate * self._height(clock.progress, self.start, self.end)

    def momenta(self, momentum: float, clock: Clock) -> np.ndarray:
        """Return the momentum of each step of the coming epoch, (n_steps,)."""
        drop = min(self.momentum_drop, momentum)
        return momentum - drop * self._height(clock.progress, 0.0, 0.0)


def _check_unit(per: str) -> None:
    if per not in ("epoch", "step"):
        raise ValueError(f"per={per!r} is not known; choose 'epoch' or 'step'.")


def _done(clock: Clock, per: str) -> np.ndarray:
    """Return how many epochs, or steps, of the fit are done before each step of the coming epoch."""
    if per == "epoch":
        return np.asarray(np.floor(clock.epochs))
    return clock.step + np.arange(clock.n_steps, dtype=np.float64)


@dataclass(frozen=True)
class Step(Schedule):
    """The rate times ``factor`` after every so many epochs, or steps.

    Parameters
    ----------
    every : int, default=10
    factor : float in (0, 1], default=0.1
    per : {"epoch", "step"}, default="epoch"
        What is counted.
    """

    every: int = 10
    factor: float = 0.1
    per: str = "epoch"

    def __post_init__(self) -> None:
        number("every", self.every, at_least=1, whole=True)
        number("factor", self.factor, above=0, at_most=1)
        _check_unit(self.per)

    def rates(self, learning_rate: float, clock: Clock) -> np.ndarray:
        """Return the learning rate of each step of the coming epoch, (n_steps,)."""
        return learning_rate * self.factor ** np.floor(_done(clock, self.per) / self.every)


@dataclass(frozen=True)
class Exponential(Schedule):
    """The rate times ``decay`` after every epoch, or step.

    Parameters
    ----------
    decay : float in (0, 1], default=0.95
    per : {"epoch", "step"}, default="epoch"
        What is counted.
    """

    decay: float = 0.95
    per: str = "epoch"

    def __post_init__(self) -> None:
        number("decay", self.decay, above=0, at_most=1)
        _check_unit(self.per)

    def rates(self, learning_rate: float, clock: Clock) -> np.ndarray:
        """Return the learning rate of each step of the coming epoch, (n_steps,)."""
        return learning_rate * self.decay ** _done(clock, self.per)


@dataclass(frozen=True)
class Cosine(Schedule):
    """Up along a line, then down along half a cosine over the rest of the fit.

    I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2016.

    Parameters
    ----------
    warm_up : float in [0, 1), default=0
        Share of the fit in which the rate rises.
    end : float in [0, 1], default=0
        Last rate, as a share of the base rate.
    """

    warm_up: float = 0.0
    end: float = 0.0

    runs_to_the_end: ClassVar[bool] = True

    def __post_init__(self) -> None:
        number("warm_up", self.warm_up, at_least=0, below=1)
        number("end", self.end, at_least=0, at_most=1)

    def rates(self, learning_rate: float, clock: Clock) -> np.ndarray:
        """Return the learning rate of each step of the coming epoch, (n_steps,)."""
        steps = clock.step + np.arange(clock.n_steps)
        n_rising = int(self.warm_up * clock.total_steps)
        down = np.clip((steps - n_rising) / max(clock.total_steps - n_rising, 1), 0, 1)
        height = self.end + (1 - self.end) * (0.5 + 0.5 * np.cos(np.pi * down))
        return learning_rate * np.where(steps < n_rising, (steps + 1) / (n_rising + 1), height)


@dataclass(frozen=True)
class CosineRestarts(Schedule):
    """Down along half a cosine, and again from the base rate: PyTorch's CosineAnnealingWarmRestarts.

    Loshchilov and Hutter, 2016.

    Parameters
    ----------
    period : int, default=10
        Epochs until the first restart.
    growth : int, default=2
        Each period is so many times as long as the one before.
    warm_up : int, default=0
        Epochs before the first period, in which the rate rises along a line.
    end : float in [0, 1], default=0
        Rate at the end of a period, as a share of the base rate.
    """

    period: int = 10
    growth: int = 2
    warm_up: int = 0
    end: float = 0.0

    def __post_init__(self) -> None:
        number("period", self.period, at_least=1, whole=True)
        number("growth", self.growth, at_least=1, whole=True)
        number("warm_up", self.warm_up, at_least=0, whole=True)
        number("end", self.end, at_least=0, at_most=1)

    def rates(self, learning_rate: float, clock: Clock) -> np.ndarray:
        """Return the learning rate of each step of the coming epoch, (n_steps,)."""
        epochs = clock.epochs - self.warm_up
        since, length = np.maximum(epochs, 0.0), np.full(clock.n_steps, float(self.period))
        while (over := since >= length).any():
            since[over] -= length[over]
            length[over] *= self.growth
        height = self.end + (1 - self.end) * (0.5 + 0.5 * np.cos(np.pi * since / length))
        rising = (clock.epochs + 1 / clock.n_steps) / (self.warm_up + 1 / clock.n_steps)
        return learning_rate * np.where(epochs < 0, rising, height)


@dataclass(frozen=True)
class OnPlateau(Schedule):
    """The rate times ``factor`` when the loss has stopped falling: PyTorch's ReduceLROnPlateau.

    The loss is that of the validation data where there are any, otherwise that of the training data. A loss
    that is not a number is no improvement. Where only some epochs have validation data, only they count.

    Parameters
    ----------
    factor : float in (0, 1), default=0.1
    patience : int, default=10
        Epochs without improvement that are put up with.
    threshold : float in [0, 1), default=1e-4
        An improvement is a loss below the best one by more than this share of it.
    lowest : float, default=0
        The rate falls no lower.
    """

    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    lowest: float = 0.0

    def __post_init__(self) -> None:
        number("factor", self.factor, above=0, below=1)
        number("patience", self.patience, at_least=0, whole=True)
        number("threshold", self.threshold, at_least=0, below=1)
        number("lowest", self.lowest, at_least=0)

    def after_epoch(self, learning_rate: float, history: Any) -> float:
        """Return the base rate to go on with."""
        if _lacks_validation(history):
            return learning_rate
        best, n_flat = np.inf, 0
        for loss in history.val_loss or history.loss:  # from the start: a schedule keeps no state
            if n_flat > self.patience:
                n_flat = 0
            n_flat = 0 if loss < best * (1 - self.threshold) else n_flat + 1
            best = loss if n_flat == 0 else best
        return max(learning_rate * self.factor, self.lowest) if n_flat > self.patience else learning_rate


@dataclass(frozen=True)
class HalveOnDrop(Schedule):
    """The rate times ``factor`` after each epoch in which the validation score fell.

    It is compared with the last score before it that is a number. Without validation data the rate stays.

    Parameters
    ----------
    factor : float in (0, 1), default=0.5
    """

    factor: float = 0.5

    def __post_init__(self) -> None:
        number("factor", self.factor, above=0, below=1)

    def after_epoch(self, learning_rate: float, history: Any) -> float:
        """Return the base rate to go on with."""
        if _lacks_validation(history):
            return learning_rate
        score = history.val_score[-1] if history.val_score else np.nan
        before = next((one for one in reversed(history.val_score[:-1]) if not math.isnan(one)), np.nan)
        return learning_rate * self.factor if score < before else learning_rate


def _lacks_validation(history: Any) -> bool:
    """Return whether the last epoch had no validation data while others had some."""
    validated = getattr(history, "val_epochs", [])
    return bool(validated) and validated[-1] != len(history.loss)


#: The schedules by name, as strings choose them; the first three are scikit-learn's.
BY_NAME: dict[str, type[Schedule]] = {
    "constant": Constant,
    "invscaling": InverseScaling,
    "adaptive": Adaptive,
    "one_cycle": OneCycle,
    "step": Step,
    "exponential": Exponential,
    "cosine": Cosine,
    "cosine_restarts": CosineRestarts,
    "on_plateau": OnPlateau,
    "halve_on_drop": HalveOnDrop,
}
