from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.engine.plan import Plan

_Preparation = tuple[NDArray[np.float64], NDArray[np.float64]] | None

def is_finite(X: NDArray[Any], n_threads: int) -> bool: ...
def forward(
    plan: Plan,
    parameters: NDArray[Any],
    X: NDArray[Any],
    preparation: _Preparation,
    outs: Sequence[NDArray[Any] | None],
    *,
    loss: str | None = None,
    loss_options: dict[str, Any] | None = None,
    targets: NDArray[Any] | None = None,
    targets_preparation: _Preparation = None,
    sample_weight: NDArray[np.float64] | None = None,
    n_threads: int = 1,
) -> float | None: ...
def gradients(
    plan: Plan,
    parameters: NDArray[Any],
    X: NDArray[Any],
    preparation: _Preparation,
    d_parameters: NDArray[Any],
    d_inputs: NDArray[Any] | None,
    *,
    loss: str,
    targets: NDArray[Any],
    loss_options: dict[str, Any] | None = None,
    targets_preparation: _Preparation = None,
    sample_weight: NDArray[np.float64] | None = None,
    rows: NDArray[np.int64] | None = None,
    n_threads: int = 1,
    is_checked: bool = False,
) -> float: ...
