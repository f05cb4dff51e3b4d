"""The settings of a trainer, checked once."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp import augmentations
from fastmlp._support.checks import are_equal, number, shown
from fastmlp.augmentations import Augmentation
from fastmlp.callbacks import Callback, EveryNSteps
from fastmlp.losses import Loss
from fastmlp.network.network import Network
from fastmlp.network.preparation import Preparation
from fastmlp.optimizers import LBFGS, Optimizer
from fastmlp.schedules import Schedule
from fastmlp.training import lbfgs
from fastmlp.training.data import Score

_PENALTIES = ("alpha", "l2", "l1")
_LIMITS = ("max_seconds", "clip_value", "clip_norm")


@dataclass(frozen=True, eq=False, kw_only=True)
class Settings:
    """The settings of a `Trainer`; its parameters document them.

    Loss, optimizer and schedule are objects; all else is as it was given.

    Raises
    ------
    TypeError, ValueError
        If a value that must be a number is not one, or is out of range, or a callback cannot be called.
    """

    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    batch_size: int
    alpha: float
    l2: float
    l1: float
    clip_value: float | None
    clip_norm: float | None
    ema_decay: float | None
    augmentation: str | Augmentation | Sequence[str | Augmentation] | None
    image_shape: Sequence[int] | None
    input_dropout: float
    input_noise: float
    shuffle: bool
    restore_best: bool
    max_seconds: float | None
    target_preparation: Preparation | None
    score: Score | None
    callbacks: tuple[Callback, ...]
    progress: bool | None

    def __post_init__(self) -> None:
        for name in ("augmentation", "image_shape"):  # lists, which the caller may change later
            object.__setattr__(self, name, copy(getattr(self, name)))
        number("batch_size", self.batch_size, at_least=1, whole=True)
        for name in _PENALTIES:
            number(name, getattr(self, name), at_least=0)
        for name in _LIMITS:
            if (limit := getattr(self, name)) is not None:
                number(name, limit, above=0)
        if self.ema_decay is not None:
            number("ema_decay", self.ema_decay, at_least=0, below=1)
        number("input_dropout", self.input_dropout, at_least=0, below=1)
        number("input_noise", self.input_noise, at_least=0)
        for callback in self.callbacks:
            if not callable(callback):
                raise TypeError(f"callbacks has {shown(callback)}, which cannot be called.")

    @property
    def step_callbacks(self) -> list[EveryNSteps]:
        """The callbacks that are called amid the epochs."""
        return [one for one in self.callbacks if isinstance(one, EveryNSteps)]

    def has_rate_of(self, other: Settings) -> bool:
        """Return whether the learning rate begins and changes as with other settings."""
        now, then = ((one.optimizer.learning_rate, one.schedule) for one in (self, other))
        return are_equal(now, then)

    def augmentation_for(self, network: Network) -> dict[str, Any] | None:
        """Return the augmentation as the engine takes it; None without one."""
        return augmentations.engine_options(self.augmentation, self.image_shape, network.n_features)

    def check_goes_with(self, network: Network) -> None:
        """Refuse settings that do not go with the network or with each other.

        Raises
        ------
        TypeError, ValueError
            If the images are not of the inputs' size, targets cannot be standardised, or something does not
            go with L-BFGS.
        """
        self.augmentation_for(network)
        if self.target_preparation is not None:
            if np.isfinite(self.loss.target_range).any():
                raise ValueError(
                    f"target_preparation does not go with loss={self.loss.name!r}: targets that are "
                    "standardised may be any number."
                )
            n_targets = network.n_outputs // self.loss.outputs_per_target
            self.target_preparation.check_width("target_preparation", n_targets)
        if isinstance(self.optimizer, LBFGS):
            names = ("schedule", "l1", "clip_value", "clip_norm", "ema_decay", "input_dropout", "input_noise")
            given = {name: getattr(self, name) for name in (*names, "augmentation")}
            lbfgs.check_goes_with(network, **given, callbacks=self.step_callbacks)
