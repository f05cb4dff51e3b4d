from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.engine.plan import Plan

class Predictor:
    def __init__(
        self,
        plan: Plan,
        parameters: NDArray[Any],
        preparation: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    ) -> None: ...
    def predict(self, X: Any, n_threads: int | None = None) -> NDArray[Any] | None: ...
