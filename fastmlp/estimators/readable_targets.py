"""Convert targets to what scikit-learn's checks accept: objects, text, sparse label indicators."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
from scipy.sparse import issparse

from fastmlp._support.dates import refuse_dates
from fastmlp._support.values import NUMBERS, is_missing, kinds_of, plain, reads_as_number

_TEXT = frozenset({"string", "bytes"})


def readable_labels(argument: str, y: Any) -> Any:
    """Return class labels or label indicators; only objects that are numbers, and sparse ones, are converted.

    Parameters
    ----------
    argument : str
        What they are called in messages.
    y : array-like or sparse matrix

    Raises
    ------
    TypeError
        If y is sparse and of one column.
    ValueError
        If y holds nothing that can be a class: missing values, strings beside numbers, dates as objects,
        records; or if label indicators hold other numbers than 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_matrix
    >>> readable_labels("y", np.array([1, 2], dtype=object)), readable_labels("y", csr_matrix([[1, 0]]))
    (array([1, 2]), array([[1, 0]], dtype=uint8))
    """
    if issparse(y):
        return _dense_indicators(argument, y)
    values = _read(argument, y)
    if values is None:
        return y
    if values.dtype.kind == "T":  # NumPy's strings of any length, which scikit-learn does not know
        y = values = values.astype(object)
    if values.dtype.kind not in "Mm":  # NumPy's own dates can be classes, as in scikit-learn
        refuse_dates(argument, y)
    kinds = _check_kinds(argument, values, " or give them a class")
    if "string" in kinds and kinds & NUMBERS:
        text, number = (_first(values, of) for of in ({"string"}, NUMBERS))
        raise ValueError(
            f"{argument} has strings and numbers for classes, such as {text} and {number}; make all of them "
            "strings, or all numbers."
        )
    if values.dtype.kind == "O" and kinds <= NUMBERS:
        y = values = plain(values)
    if values.ndim == 2 and values.shape[1] > 1 and values.dtype.kind in "iuf":
        _check_indicators(argument, values)
    return y


def readable_numbers(argument: str, y: Any) -> Any:
    """Return a regressor's targets; only objects and text that are numbers are converted.

    Raises
    ------
    TypeError
        If y is sparse.
    ValueError
        If y holds anything but numbers: missing values, other text, dates, records.

    Examples
    --------
    >>> from decimal import Decimal
    >>> readable_numbers("y", [Decimal("0.5"), Decimal("1.5")])
    array([0.5, 1.5])
    """
    if issparse(y):
        raise TypeError(
            f"{argument} is sparse; a regressor's targets must be dense: pass {argument}.toarray()."
        )
    values = _read(argument, y)
    if values is None:
        return y
    refuse_dates(argument, y)
    kinds = _check_kinds(argument, values, "")
    if kinds & _TEXT:
        try:
            return values.astype(np.float64)
        except ValueError:
            text = _first(values, _TEXT, number=False)
            raise ValueError(
                f"{argument} holds strings that are not numbers, such as {text}; a regressor's targets must "
                "be numbers."
            ) from None
    return plain(values) if values.dtype.kind == "O" and kinds <= NUMBERS else y


def _read(argument: str, y: Any) -> np.ndarray | None:
    """Return y as an array; None where scikit-learn says what is wrong with it."""
    if y is None:
        return None
    try:
        values = np.asarray(y)
    except ValueError:  # rows of several lengths
        return None
    if values.dtype.kind == "V":
        raise ValueError(f"{argument} is an array of records, {values.dtype}; pass one of its fields.")
    return values if values.ndim in (1, 2) else None


def _check_kinds(argument: str, values: np.ndarray, remedy: str) -> set[str]:
    """Return the kinds of the values; refuse objects that are missing or complex."""
    kinds = kinds_of(values)
    if "missing" in kinds:
        row = next(row for row, value in enumerate(values) if any(map(is_missing, np.atleast_1d(value))))
        raise ValueError(f"{argument} has missing values, the first in row {row}: drop these rows{remedy}.")
    if values.dtype.kind == "O" and "complex" in kinds:
        raise ValueError(f"Complex data not supported: {argument} holds complex numbers.")
    return kinds


def _first(values: np.ndarray, kinds: AbstractSet[str], number: bool = True) -> str:
    """Return the first value of these kinds as a message shows it, with its row."""
    for row, value in enumerate(values.ravel().tolist()):
        if kinds_of(np.array([value], dtype=object)) <= kinds and (number or not reads_as_number(value)):
            return f"{value!r} in row {row // (values.size // len(values))}"
    raise AssertionError("no value of these kinds")


def _dense_indicators(argument: str, y: Any) -> np.ndarray:
    if y.ndim != 2 or y.shape[1] < 2:
        raise TypeError(
            f"{argument} is sparse and of shape {y.shape}; only label indicators, which have two columns or "
            f"more, can be sparse: pass {argument}.toarray().ravel()."
        )
    if hasattr(y, "check_format"):
        y.check_format()
    y = y.tocsr(copy=True)
    y.sum_duplicates()
    _check_indicators(argument, y.data)
    return y.astype(np.uint8).toarray()


def _check_indicators(argument: str, values: np.ndarray) -> None:
    wrong = values[~np.isin(values, (0, 1))]
    if len(wrong):
        raise ValueError(
            f"{argument} has several columns, and must be label indicators of 0 and 1; it holds {wrong[0]}."
        )
