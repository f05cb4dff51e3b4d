from typing import Any

from numpy.typing import NDArray

_Array = NDArray[Any]
_Pair = tuple[_Array, _Array]
_Triple = tuple[_Array, _Array, _Array]

STREAMS: dict[str, int]
STREAMS_PER_LAYER: int

def batch_norm_forward(
    z: _Array,
    mean: _Array,
    variance: _Array,
    scale: _Array,
    bias: _Array,
    n_samples: int,
    epsilon: float,
    momentum: float,
    isa: str,
    is_fixed: bool = False,
) -> _Triple: ...
def batch_norm_backward(
    d: _Array,
    normed: _Array,
    inverse: _Array,
    scale: _Array,
    n_samples: int,
    isa: str,
    is_fixed: bool = False,
) -> _Triple: ...
def fold_norm(
    scale: _Array, bias: _Array, mean: _Array, variance: _Array, epsilon: float, isa: str
) -> _Pair: ...
def layer_norm_forward(
    z: _Array, scale: _Array, bias: _Array, n_samples: int, epsilon: float, isa: str
) -> _Triple: ...
def layer_norm_backward(
    d: _Array, normed: _Array, inverse: _Array, scale: _Array, n_samples: int, isa: str
) -> _Triple: ...
def prelu_forward(z: _Array, slope: _Array, n_samples: int, isa: str) -> _Pair: ...
def prelu_backward(d: _Array, kept: _Array, slope: _Array, n_samples: int, isa: str) -> _Pair: ...
def dropout_forward(
    y: _Array,
    n_samples: int,
    rate: float,
    seed: int,
    step: int,
    stream: int,
    isa: str,
    first_unit: int = 0,
    first_sample: int = 0,
) -> _Triple: ...
def dropout_backward(d: _Array, factors: _Array, n_samples: int, isa: str) -> _Array: ...
def input_dropout(
    x: _Array,
    n_features: int,
    rate: float,
    seed: int,
    step: int,
    stream: int,
    isa: str,
    first_sample: int = 0,
) -> _Array: ...
def input_noise(
    x: _Array,
    n_features: int,
    deviation: float,
    seed: int,
    step: int,
    stream: int,
    isa: str,
    first_sample: int = 0,
) -> _Array: ...
