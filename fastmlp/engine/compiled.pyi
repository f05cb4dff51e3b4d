from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import ArrayLike, NDArray

from fastmlp.engine.prediction import Predictor

class Compiled:
    def __new__(
        cls,
        predictor: Predictor,
        n_threads: int | None,
        shape: Sequence[int],
        *,
        pairs: bool = False,
        restored: tuple[NDArray[Any], NDArray[Any]] | None = None,
        finish: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
    ) -> Compiled: ...
    def __call__(self, X: ArrayLike, out: NDArray[Any] | None = None) -> Any: ...
