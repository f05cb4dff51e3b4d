"""What the values of an array or a column are, whatever holds them: text, numbers as objects, dates."""

from __future__ import annotations

import datetime
from decimal import Decimal
from numbers import Complex, Integral, Real
from typing import Any

import numpy as np

# Kinds of Python objects, by base class; the first that fits counts. NumPy's timedelta64 is a subclass of
# its integers and a bool one of Python's.
_KINDS: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("date", (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)),
    ("boolean", (bool, np.bool_)),
    ("integer", (Integral,)),
    ("decimal", (Decimal,)),
    ("float", (Real,)),
    ("complex", (Complex,)),
    ("string", (str,)),
    ("bytes", (bytes,)),
)
# Kinds by name, of None and of classes that only pandas has. NaT is a date that is missing.
_NAMED = {"NoneType": "missing", "NAType": "missing", "NaTType": "date", "Period": "date"}
# The same for NumPy's own types, by the letter of their kind.
_OF_DTYPES = {
    "M": "date", "m": "date", "b": "boolean", "i": "integer", "u": "integer", "f": "float", "c": "complex",
    "U": "string", "T": "string", "S": "bytes",
}  # fmt: skip
NUMBERS = frozenset({"boolean", "integer", "decimal", "float"})


def kind_of_type(cls: type) -> str:
    """Return the kind of an object's class; "other" for what is neither a number, text nor a date."""
    if cls.__name__ in _NAMED:
        return _NAMED[cls.__name__]
    return next((kind for kind, bases in _KINDS if issubclass(cls, bases)), "other")


def kinds_of(values: np.ndarray) -> set[str]:
    """Return the kinds of the values of an array; of objects each is looked at, and NaN is missing.

    Examples
    --------
    >>> import numpy as np
    >>> kinds_of(np.array(["a", None, 1], dtype=object)) == {"string", "missing", "integer"}
    True
    """
    if values.dtype.kind in "Mm" and np.isnat(values).any():
        return {"date", "missing"}
    if values.dtype.kind != "O":
        return {_OF_DTYPES.get(values.dtype.kind, "other")}
    kinds = {kind_of_type(cls) for cls in set(map(type, values.flat))}
    if "float" in kinds and "string" in kinds:  # NaN is how NumPy and pandas have a string that is missing
        floats = [value for value in values.flat if kind_of_type(type(value)) == "float"]
        if all(value != value for value in floats):
            kinds = (kinds - {"float"}) | {"missing"}
    return kinds


def plain(values: np.ndarray) -> np.ndarray:
    """Return objects that are numbers as an array of numbers, and all else as it is.

    Booleans stay booleans and integers integers, if 64 bits hold them; floats and decimals become float64.

    Examples
    --------
    >>> import numpy as np
    >>> from decimal import Decimal
    >>> plain(np.array([1, 2], dtype=object)), plain(np.array([Decimal("0.5"), 2], dtype=object))
    (array([1, 2]), array([0.5, 2. ]))
    """
    if values.dtype.kind != "O":
        return values
    kinds = kinds_of(values)
    if not kinds or not kinds <= NUMBERS:
        return values
    if kinds == {"boolean"}:
        return values.astype(bool)
    if kinds <= {"boolean", "integer"}:
        for dtype in (np.int64, np.uint64):
            try:
                return values.astype(dtype)
            except OverflowError:
                continue
        return values
    return values.astype(np.float64)


def holds_categories(y: Any) -> bool:
    """Return whether y is a column of categories: of pandas, polars (also Enum) or Arrow."""
    kinds = [y.dtype] if hasattr(y, "dtype") else list(getattr(y, "dtypes", [getattr(y, "type", None)]))
    return len(kinds) == 1 and str(kinds[0]).startswith(("category", "Categorical", "Enum", "dictionary<"))


def without_missing(values: np.ndarray) -> np.ndarray:
    """Return the values of one dimension that are not None, NA or NaN."""
    if values.dtype.kind == "f":
        return values[~np.isnan(values)]
    if values.dtype.kind != "O":
        return values
    present = [not is_missing(value) for value in values]
    return values[np.array(present, dtype=bool)]


def is_missing(value: Any) -> bool:
    """Return whether an object is None, NA, NaN or NaT."""
    kind = kind_of_type(type(value))
    return kind == "missing" or (kind in ("float", "date") and value is not None and bool(value != value))


def reads_as_number(value: Any) -> bool:
    """Return whether Python makes a float of an object, such as of the text "1.5"."""
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
