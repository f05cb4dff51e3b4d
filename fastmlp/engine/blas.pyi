from typing import Any

from numpy.typing import NDArray

def linear_forward(
    weight: NDArray[Any], bias: NDArray[Any], x: NDArray[Any], activation: str = "identity"
) -> NDArray[Any]: ...
def linear_backward(
    weight: NDArray[Any], d_y: NDArray[Any], x: NDArray[Any] | None = None, activation: str = "identity"
) -> NDArray[Any]: ...
def linear_update(
    weight: NDArray[Any],
    bias: NDArray[Any],
    d_y: NDArray[Any],
    x: NDArray[Any],
    *,
    learning_rate: float,
    momentum: float = 0.0,
    nesterov: bool = False,
    velocity: tuple[NDArray[Any], NDArray[Any]] | None = None,
    l2: float = 0.0,
) -> None: ...
