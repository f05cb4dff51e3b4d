"""Data for the command line and for studies: built-in data sets, and files of tables and arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fastmlp import datasets
from fastmlp._support.checks import listed
from fastmlp._support.values import NUMBERS, kinds_of, reads_as_number
from fastmlp.tabular.arrays import features_of_arrays, kept_arrays, target_of_arrays
from fastmlp.tabular.files import SUFFIXES, Table, kind_of, name_of, read
from fastmlp.tabular.splits import rows_of_parts
from fastmlp.tabular.target_column import target_of_table
from fastmlp.tabular.tasks import Task, choose_task
from fastmlp.tabular.text_files import TextFormat

BUILT_IN = {
    "digits": datasets.load_digits,
    "mnist": datasets.load_mnist,
    "fashion-mnist": datasets.load_fashion_mnist,
}


_AS_FOUND = TextFormat()


@dataclass(frozen=True)
class Split:
    """Training, validation and test part of a data set.

    Attributes
    ----------
    X_train, y_train, X_val, y_val, X_test, y_test : array or DataFrame
    task : Task
        What the whole target is for.
    notes : tuple of str
        What the user should know of how a file was read.
    """

    X_train: Any
    y_train: Any
    X_val: Any
    y_val: Any
    X_test: Any
    y_test: Any
    task: Task
    notes: tuple[str, ...] = ()


def load_split(
    data: str,
    target: str | None,
    validation: float,
    test: float,
    seed: int,
    shuffle: bool = False,
    *,
    task: str = "auto",
    option: str = "task",
    text_format: TextFormat = _AS_FOUND,
) -> Split:
    """Load a data set and set its parts aside: shares of its rows, or numbers of them from 1 on.

    A validation part of 0 is empty.

    The built-in sets bring their test part; of their training part the last rows are the validation part,
    so that nothing is copied, or with ``shuffle`` any of them. Files are shuffled, and stratified if the
    task is classification. ``task`` and ``option`` are those of `choose_task`.
    """
    if data in BUILT_IN:
        if target is not None or text_format != _AS_FOUND:
            raise ValueError(
                f"{data} is a built-in data set, which is read as it is: leave out the target, sep, decimal "
                "and encoding."
            )
        X, y, X_test, y_test = BUILT_IN[data]()
        if shuffle:
            order = np.random.RandomState(seed).permutation(len(X))
            X, y = X[order], y[order]
        n = len(X) - _count(data, "validation", validation, len(X))
        return Split(X[:n], y[:n], X[n:], y[n:], X_test, y_test, choose_task(y, task, option=option))
    X, y, chosen, notes = read_table(data, target, task=task, option=option, text_format=text_format)
    n_test = _count(name_of(data), "test", test, len(X))
    n_validation = _count(name_of(data), "validation", validation, len(X) - n_test, of=len(X))
    try:
        train, val, rest = rows_of_parts(y, n_test, n_validation, seed, chosen.is_classification)
    except ValueError as error:
        raise ValueError(f"{name_of(data)}: {error} (validation={validation}, test={test}).") from None
    return Split(taken(X, train), y[train], taken(X, val), y[val], taken(X, rest), y[rest], chosen, notes)


def taken(X: Any, rows: Any) -> Any:
    """Return some rows of an array or a frame."""
    return X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]


def _count(data: str, name: str, wanted: float, n: int, of: int | None = None) -> int:
    """Return how many rows a share is, of ``of`` or all n of them; refuse to set them all aside."""
    if wanted == 0:
        return 0
    count = max(1, int(wanted) if wanted >= 1 else round(wanted * (of or n)))
    if count >= n:
        rows = f"{n} row" + "s" * (n != 1) + " left" * (of is not None)
        raise ValueError(f"{data}: {name}={wanted} of {rows} leaves none to train on.")
    return count


def read_table(
    data: str, target: str | None, *, task: str, option: str, text_format: TextFormat
) -> tuple[Any, np.ndarray, Task, tuple[str, ...]]:
    """Return the features and the target of a file, the task that it is for, and what the user should know.

    Raises
    ------
    ValueError, FileNotFoundError
        If the file, the target or a column is not there, or a value is missing or not a number.
    """
    content = _read(data, text_format, [] if target is None else [target])
    if not isinstance(content, Table):
        X, notes = features_of_arrays(data, content)
        return X, *target_of_arrays(data, content, target or "y", len(X), task, option), notes
    columns = [one for one in content.frame.columns if one not in content.index]
    if target is None:
        raise ValueError(
            f"{content.name}: --target must name the column to predict; there are "
            f"{listed(map(str, columns))}."
        )
    if target not in content.frame.columns:
        raise ValueError(
            f"{content.name}: there is no column {target!r} for --target; there are "
            f"{listed(map(str, columns))}."
        )
    if len(content.frame) == 0:
        raise ValueError(f"{content.name}: there are column names, but no rows.")
    frame, notes = content.without([target])
    y, chosen = target_of_table(content, target, task, option)
    return check_features(content.name, frame, content.decimal), y, chosen, content.notes + notes


def read_features(
    data: str, model: Any, keep: Sequence[str] = (), text_format: TextFormat = _AS_FOUND
) -> tuple[Any, pd.DataFrame, tuple[str, ...]]:
    """Return the features that a model was trained on, columns to keep, and what the user should know.

    They are read from a file, or are a built-in set's test part.
    """
    if data in BUILT_IN:
        if keep:
            raise ValueError(f"--keep {keep[0]} is for files; {data} has no such columns.")
        return BUILT_IN[data]().X_test, pd.DataFrame(), ()
    content = _read(data, text_format, keep)
    if not isinstance(content, Table):
        X, notes = features_of_arrays(data, content)
        return X, kept_arrays(data, content, keep, len(X)), notes
    if len(content.frame) == 0:
        raise ValueError(f"{content.name}: there are column names, but no rows.")
    unknown = [name for name in keep if name not in content.frame.columns]
    if unknown:
        raise ValueError(
            f"{content.name}: there is no column {unknown[0]!r} for --keep; there are "
            f"{listed(map(str, content.frame.columns))}."
        )
    kept = pd.DataFrame({name: content.written.get(name, content.frame[name]) for name in keep})
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        frame, notes = content.without([name for name in keep if name in content.index])
        return check_features(content.name, frame, content.decimal).to_numpy(), kept, content.notes + notes
    missing = [name for name in names if name not in content.frame.columns]
    if missing:
        raise ValueError(
            f"{content.name}: the model needs the columns {listed(map(str, missing))}, which are not there."
        )
    frame = content.frame[list(names)]
    return check_features(content.name, frame, content.decimal), kept, content.notes


def check_features(data: str, frame: pd.DataFrame, decimal: str = ".") -> pd.DataFrame:
    """Return the columns as float64; refuse what is not a number, by the columns' names."""
    if frame.shape[1] == 0:
        raise ValueError(f"{data}: there is no column besides the target.")
    text = [name for name in frame.columns if not _holds_numbers(frame[name])]
    if text:
        present = frame[text[0]].dropna()
        example = str(next((one for one in present if not reads_as_number(one)), present.iloc[0]))
        hint = "; or give --decimal ',' if that is a decimal comma" * ("," in example and decimal == ".")
        raise ValueError(
            f"{data}: the columns {listed(map(str, text))} are not numbers ({example!r}); encode them "
            f"(one-hot, say) or leave them out{hint}."
        )
    values = frame.astype(np.float64)
    missing = [name for name in values.columns if not np.isfinite(values[name]).all()]
    if missing:
        raise ValueError(f"{data}: the columns {listed(map(str, missing))} have missing or infinite values.")
    return values


def _holds_numbers(column: pd.Series) -> bool:
    """Return whether all is a number or missing; of decimals and large integers pandas makes objects."""
    if column.dtype != object:
        return pd.api.types.is_numeric_dtype(column.dtype)
    return kinds_of(column.to_numpy()) <= NUMBERS | {"missing"}


def _read(data: str, text_format: TextFormat, as_written: Sequence[str]) -> Table | Mapping[str, np.ndarray]:
    if not kind_of(data):
        raise ValueError(
            f"DATA={data!r} is neither a built-in data set ({', '.join(BUILT_IN)}), nor '-' for standard "
            f"input, nor a file ending in {' or '.join(SUFFIXES)}."
        )
    return read(data, text_format, as_written)
