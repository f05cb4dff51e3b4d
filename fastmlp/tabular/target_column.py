"""The target of a table or an array: class labels as they are written, or numbers, and which of the two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from fastmlp.tabular.files import Table
from fastmlp.tabular.tasks import Task, choose_task


def target_of_table(table: Table, column: str, task: str, option: str) -> tuple[np.ndarray, Task]:
    """Return the values of a column, and the task that they are for.

    Text that is all numbers becomes numbers, unless they are labels that numbers would change, such as 01.

    Parameters
    ----------
    table : Table
    column : str
    task, option : str
        As `choose_task` takes them.

    Raises
    ------
    ValueError
        If a value is missing or infinite, or the values do not go with the task.
    """
    where = f"{table.name}: column {column!r}"
    if column not in table.written.columns:
        values = table.frame[column]
        _refuse(where, values.isna().to_numpy(), "missing")
        is_category = column in table.categories and _is_whole(values)
        chosen = choose_task(values.astype("category") if is_category else values, task, option=option)
        return checked_target(where, values.to_numpy()), chosen
    written, numbers = table.written[column], table.frame[column]
    texts = written.str.strip()
    _refuse(where, (texts == "").to_numpy(dtype=bool), "missing", "row {} below the header")
    # Classes that all look missing, such as NA and None, are still classes, if there are several.
    is_text = numbers.isna().all() and texts.nunique() > 1
    if is_text or pd.api.types.is_bool_dtype(numbers) or not pd.api.types.is_numeric_dtype(numbers):
        chosen = choose_task(written.to_numpy(), task, option=option)
        return written.to_numpy(), chosen
    _refuse(where, numbers.isna().to_numpy(), "missing", "row {} below the header")
    _refuse(where, np.isinf(numbers).to_numpy(), "infinite", "row {} below the header")
    is_whole = pd.api.types.is_integer_dtype(numbers)
    if is_whole and task != "regression" and (numbers.astype(str) != texts).any():
        return written.to_numpy(), choose_task(written.to_numpy(), task, option=option)  # 01, or +1
    chosen = choose_task(numbers.to_numpy(), task, option=option)
    if chosen.is_classification and not is_whole and any(map(_is_changed, numbers, texts)):
        return written.to_numpy(), chosen
    return numbers.to_numpy(), chosen


def _is_whole(values: pd.Series) -> bool:
    """Return whether values are numbers without fractions: others cannot be classes."""
    is_float = pd.api.types.is_float_dtype(values)
    return pd.api.types.is_integer_dtype(values) or (is_float and bool((values % 1 == 0).all()))


def _is_changed(number: float, text: str) -> bool:
    return repr(float(number)) != text


def checked_target(where: str, y: Any) -> np.ndarray:
    """Return the targets; refuse NaN and infinite numbers."""
    if y.dtype.kind == "f":
        _refuse(where, np.isnan(y), "missing")
        _refuse(where, np.isinf(y), "infinite")
    return y


def _refuse(where: str, bad: np.ndarray, what: str, place: str = "row {}") -> None:
    rows = np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1))
    if len(rows):
        values = "value" if len(rows) == 1 else "values"
        first = place.format(rows[0] + 1)
        raise ValueError(
            f"{where} has {len(rows)} {what} {values}, {'in' if len(rows) == 1 else 'the first in'} {first}."
        )
