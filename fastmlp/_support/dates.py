"""Dates, times and complex numbers among inputs and targets: found by column, and refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.sparse import issparse

from fastmlp._support.values import kind_of_type, kinds_of

# How the names of types begin by which pandas, polars and Arrow have dates, times and spans of time.
_DATES = ("date", "time", "duration", "period")
_OBJECTS = ("object", "Object")  # pandas' and polars' names of columns of Python objects
_KINDS_SEEN = "MmcO"  # letters of NumPy's types that are looked into
_ODD = frozenset({"date", "complex"})
_MOST_NAMED = 5


def refuse_columns(argument: str, X: Any) -> None:
    """Refuse inputs with a column that holds dates, times or complex numbers.

    NumPy and scikit-learn convert some of them to numbers, dates to nanoseconds.

    Parameters
    ----------
    argument : str
        What the inputs are called in the message.
    X : array-like, data frame or sparse matrix

    Raises
    ------
    ValueError
        If there are any, or X is an array of records; the message names the columns.

    Examples
    --------
    >>> import numpy as np
    >>> refuse_columns("X", np.array([["2024-01-31", "2024-02-29"]], dtype="datetime64[D]"))
    Traceback (most recent call last):
    ValueError: X has dates or times in the columns 0 (datetime64[D]) and 1 (datetime64[D]); make numbers of
    them, such as the seconds since the first, (x - x.min()).dt.total_seconds(), or the year, month and
    weekday.
    """
    dtype = getattr(X, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind == "V":
        fields = f" with the fields {', '.join(map(repr, dtype.names))}" if dtype.names else ""
        raise ValueError(
            f"{argument} is an array of records{fields}; it must have a column of numbers for each feature, "
            "such as numpy.lib.recfunctions.structured_to_unstructured makes."
        )
    found = list(_odd_columns(X))
    dates = [f"{name!r} ({of})" for name, kind, of in found if kind == "date"]
    if dates:
        raise ValueError(
            f"{argument} has dates or times in the column{_listed(dates)}; make numbers of them, such as the "
            "seconds since the first, (x - x.min()).dt.total_seconds(), or the year, month and weekday."
        )
    if found:
        raise ValueError(
            f"Complex data not supported: {argument} has complex numbers in the column"
            f"{_listed([repr(name) for name, *_ in found])}."
        )


def refuse_dates(argument: str, y: Any) -> None:
    """Refuse targets that are dates, times or spans of time.

    Raises
    ------
    ValueError
        If there are any; the message says how to convert them.
    """
    of = next((of for _, kind, of in _odd_columns(y) if kind == "date"), None)
    if of is not None:
        raise ValueError(
            f"{argument} holds dates or times ({of}). Convert them to numbers, such as the seconds since the "
            "first: (y - y.min()).dt.total_seconds() in pandas and polars, and in NumPy "
            "(y - y.min()) / np.timedelta64(1, 's'); or to classes, one for each: y.astype(str)."
        )


def _odd_columns(X: Any) -> Iterator[tuple[Any, str, str]]:
    """Yield name, kind and type of the columns that hold dates or complex numbers."""
    columns = _columns(X)
    if columns is None:
        yield from _odd_columns_of_array(X)
        return
    names, dtypes, column = columns
    for i, (name, dtype) in enumerate(zip(names, dtypes, strict=True)):
        if _is_date(dtype):
            yield name, "date", str(dtype)
        elif str(dtype).startswith("complex"):
            yield name, "complex", str(dtype)
        elif str(dtype) in _OBJECTS:
            for _, kind, of in _odd_columns_of_array(column(i)):
                yield name, kind, of


def _columns(X: Any) -> tuple[Any, Any, Callable[[int], Any]] | None:
    """Return the names and types of the columns of a frame, and what gives one; None for anything else."""
    if hasattr(X, "iloc") and hasattr(X, "columns"):  # pandas
        return X.columns, X.dtypes, lambda i: X.iloc[:, i]
    if hasattr(X, "to_series") and hasattr(X, "schema"):  # polars
        return X.columns, X.dtypes, X.to_series
    if hasattr(X, "column_names") and hasattr(X, "schema"):  # Arrow
        return X.column_names, X.schema.types, X.column
    return None


def _odd_columns_of_array(X: Any) -> Iterator[tuple[int, str, str]]:
    """Yield what `_odd_columns` does, of anything that is not a frame; a series is column 0."""
    if issparse(X) or X is None:
        return
    dtype = getattr(X, "dtype", getattr(X, "type", None))
    if isinstance(dtype, np.dtype):
        if dtype.kind not in _KINDS_SEEN:
            return
    elif dtype is not None:
        if _is_date(dtype):
            yield 0, "date", str(dtype)
        if str(dtype) not in _OBJECTS:
            return
    try:
        array = np.asarray(X)
    except ValueError:  # rows of several lengths, which scikit-learn refuses
        return
    if array.dtype.kind not in _KINDS_SEEN or array.size == 0:
        return
    array = array.reshape(len(array) if array.ndim else 1, -1)
    if array.dtype.kind != "O":
        kind = "complex" if array.dtype.kind == "c" else "date"
        yield from ((column, kind, str(array.dtype)) for column in range(array.shape[1]))
    elif kinds_of(array) & _ODD:
        for column in range(array.shape[1]):
            for value_type in set(map(type, array[:, column])):
                if (kind := kind_of_type(value_type)) in _ODD:
                    yield column, kind, f"{value_type.__name__} objects"
                    break


def _is_date(dtype: Any) -> bool:
    """Return whether a type is one of dates, or of categories that are dates."""
    categories = getattr(getattr(dtype, "categories", None), "dtype", dtype)
    return str(categories).lower().startswith(_DATES)


def _listed(names: list[str]) -> str:
    """Return the names of one column or several, the first few of many."""
    if len(names) == 1:
        return f" {names[0]}"
    if len(names) > _MOST_NAMED:
        return f"s {', '.join(names[:_MOST_NAMED])} and {len(names) - _MOST_NAMED} more"
    return f"s {', '.join(names[:-1])} and {names[-1]}"
