from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.engine.plan import Plan

IDLE_BYTES: int

class Predictor:
    @property
    def idle_bytes(self) -> int: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def n_features(self) -> int: ...
    @property
    def n_outputs(self) -> int: ...
    def __init__(
        self,
        plan: Plan,
        parameters: NDArray[Any],
        preparation: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
        float64_only: bool = False,
    ) -> None: ...
    def predict(self, X: Any, n_threads: int | None = None) -> NDArray[Any] | None: ...
