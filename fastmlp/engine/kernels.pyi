from collections.abc import Sequence
from typing import Any

from numpy.typing import DTypeLike, NDArray

_Array = NDArray[Any]
_Pair = tuple[_Array, _Array]
_Options = dict[str, Any]

def pad(x: _Array) -> _Array: ...
def gather_rows(X: _Array, rows: _Array, preparation: _Pair | None, dtype: DTypeLike, isa: str) -> _Array: ...
def gather_columns(
    X: _Array, rows: _Array, preparation: _Pair | None, dtype: DTypeLike, isa: str
) -> _Array: ...
def scatter_rows(x: _Array, n_samples: int, isa: str) -> _Array: ...
def activation_forward(
    z: _Array, bias: _Array, n_samples: int, activation: str, isa: str, slopes: _Array | None = None
) -> _Array: ...
def activation_backward(
    d: _Array, y: _Array, n_samples: int, activation: str, isa: str, slopes: _Array | None = None
) -> _Array: ...
def cross_entropy(
    z: _Array, labels: _Array, weight: float, isa: str, label_smoothing: float = 0.0
) -> _Pair: ...
def summed_loss(
    name: str,
    x: _Array,
    targets: _Array,
    n_samples: int,
    weight: float,
    isa: str,
    numbers: Sequence[float] = (0.0,),
) -> _Pair: ...
def soft_cross_entropy(
    z: _Array, targets: _Array, n_samples: int, weight: float, isa: str, label_smoothing: float = 0.0
) -> _Pair: ...
def binary_cross_entropy(z: _Array, targets: _Array, n_samples: int, weight: float, isa: str) -> _Pair: ...
def log_likelihood(z: _Array, targets: _Array, n_samples: int, weight: float, isa: str) -> _Pair: ...
def squared_error(y: _Array, targets: _Array, n_samples: int, weight: float, isa: str) -> _Pair: ...
def absolute_error(y: _Array, targets: _Array, n_samples: int, weight: float, isa: str) -> _Pair: ...
def huber(
    y: _Array, targets: _Array, n_samples: int, weight: float, isa: str, delta: float = 1.0
) -> _Pair: ...
def quantile(
    y: _Array, targets: _Array, n_samples: int, weight: float, isa: str, quantiles: Sequence[float] = (0.5,)
) -> _Pair: ...
def poisson(x: _Array, targets: _Array, n_samples: int, weight: float, isa: str) -> _Pair: ...
def row_sums(x: _Array, n_samples: int, isa: str) -> _Array: ...
def sum_of_squares(x: _Array, isa: str) -> float: ...
def is_finite(x: _Array, isa: str) -> bool: ...
def solver_step(
    w: _Array, moments: Sequence[_Array], gradient: _Array, options: _Options, isa: str
) -> None: ...
def transpose(x: _Array, n_samples: int, isa: str) -> _Array: ...
def pad_rows(x: _Array) -> _Array: ...
def linear_forward(
    weight: _Array,
    bias: _Array,
    x: _Array,
    n_samples: int,
    activation: str,
    isa: str,
    operations: str,
    slopes: _Array | None = None,
) -> _Array: ...
def linear_backward(
    weight: _Array,
    d_y: _Array,
    x: _Array,
    n_samples: int,
    input_activation: str,
    isa: str,
    operations: str,
    input_slopes: _Array | None = None,
) -> _Array: ...
def linear_update(
    weight: _Array,
    bias: _Array,
    moments: Sequence[_Pair],
    d_y: _Array,
    x: _Array,
    n_samples: int,
    options: _Options,
    isa: str,
    operations: str,
) -> None: ...
