"""Schedules: the learning rate, and the momentum, of every step.

A schedule turns an optimizer's base values into one value per batch of the coming epoch. It keeps no
state: what it depends on is in the `Clock`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fastmlp.checks import number


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


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate throughout."""


@dataclass(frozen=True)
class InverseScaling(Schedule):
    """rate / (t + 1)^power_t with t the samples seen as the epoch begins: scikit-learn's ``invscaling``."""

    power_t: float = 0.5

    def __post_init__(self):
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

    def __post_init__(self):
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

    def __post_init__(self):
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


#: The schedules by name, as strings choose them; the first three are scikit-learn's.
BY_NAME = {"constant": Constant, "invscaling": InverseScaling, "adaptive": Adaptive, "one_cycle": OneCycle}
