from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.engine.passes import forward as forward
from fastmlp.engine.passes import gradients as gradients
from fastmlp.engine.passes import is_finite as is_finite
from fastmlp.engine.plan import Plan

_Preparation = tuple[NDArray[np.float64], NDArray[np.float64]] | None

class Training:
    def __init__(
        self,
        plan: Plan,
        parameters: NDArray[Any],
        X: NDArray[Any],
        preparation: _Preparation,
        batch_size: int,
        *,
        loss: str,
        targets: NDArray[Any],
        targets_preparation: _Preparation,
        rows: NDArray[np.int64],
        optimizer: dict[str, Any],
        moments: Sequence[NDArray[Any]],
        alpha: float,
        shuffle: bool,
        seed: int,
        n_steps: int,
        loss_options: dict[str, Any] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
        l2: float = 0.0,
        l1: float = 0.0,
        clip_value: float = 0.0,
        clip_norm: float = 0.0,
        input_noise: float = 0.0,
        input_dropout: float = 0.0,
        average: NDArray[Any] | None = None,
        ema_decay: float = 0.0,
        augmentation: dict[str, Any] | None = None,
        n_threads: int = 1,
        measure: bool = True,
    ) -> None: ...
    @property
    def n_threads(self) -> int: ...
    @property
    def n_steps(self) -> int: ...
    @property
    def n_samples_seen(self) -> int: ...
    @property
    def mean_loss(self) -> float: ...
    @property
    def has_diverged(self) -> bool: ...
    def start_epoch(self, epoch: int, rates: NDArray[np.float64], momenta: NDArray[np.float64]) -> None: ...
    def run(self, budget: float, n_batches: int | None = None) -> bool: ...
    def predicts_finite(self) -> bool: ...
