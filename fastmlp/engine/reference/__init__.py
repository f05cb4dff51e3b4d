"""The engine in NumPy, file for file: native.py has a fit, walk.py the layers."""

from typing import Any

from numpy.typing import NDArray

#: An array of any type; what its axes are, the functions say.
Array = NDArray[Any]
Pair = tuple[Array, Array]
Triple = tuple[Array, Array, Array]
#: The options of a loss or an optimizer, by name.
Options = dict[str, Any]
