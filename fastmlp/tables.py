"""Data for the command line: built-in data sets, and CSV, Parquet and NPZ files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from fastmlp import datasets
from fastmlp.checks import listed
from fastmlp.recipe import is_classification

BUILT_IN = {
    "digits": datasets.load_digits,
    "mnist": datasets.load_mnist,
    "fashion-mnist": datasets.load_fashion_mnist,
}
SUFFIXES = (".csv", ".parquet", ".npz")


@dataclass(frozen=True)
class Split:
    """Training, validation and test part of a data set."""

    X_train: Any
    y_train: Any
    X_val: Any
    y_val: Any
    X_test: Any
    y_test: Any


def load_split(
    data: str, target: str | None, validation: float, test: float, seed: int, shuffle: bool = False
) -> Split:
    """Load a data set and set its parts aside: shares of its rows, or numbers of them from 1 on.

    The built-in sets bring their test part; of their training part the last rows are the validation part,
    so that nothing is copied, or with ``shuffle`` any of them. Files are shuffled, and stratified if the
    target looks like classes.
    """
    if data in BUILT_IN:
        X, y, X_test, y_test = BUILT_IN[data]()
        if shuffle:
            order = np.random.RandomState(seed).permutation(len(X))
            X, y = X[order], y[order]
        n = len(X) - _count(data, "validation", validation, len(X))
        return Split(X[:n], y[:n], X[n:], y[n:], X_test, y_test)
    X, y = read_table(data, target)

    n_test = _count(data, "test", test, len(X))
    n_validation = _count(data, "validation", validation, len(X) - n_test, of=len(X))

    def part(X, y, n):
        strata = y if y.ndim == 1 and is_classification(y) and pd.Series(y).value_counts().min() > 1 else None
        try:
            return train_test_split(X, y, test_size=n, random_state=seed, stratify=strata)
        except ValueError as error:
            raise ValueError(
                f"{data}: {len(X)} rows are too few to set {n} of them aside ({error})."
            ) from None

    X_rest, X_test, y_rest, y_test = part(X, y, n_test)
    X_train, X_val, y_train, y_val = part(X_rest, y_rest, n_validation)
    return Split(X_train, y_train, X_val, y_val, X_test, y_test)


def _count(data: str, name: str, wanted: float, n: int, of: int | None = None) -> int:
    """Return how many rows a share is, of ``of`` or all n of them; refuse to set them all aside."""
    count = int(wanted) if wanted >= 1 else round(wanted * (of or n))
    if count >= n:
        raise ValueError(f"{data}: {name}={wanted} of {n} rows leaves none to train on.")
    return max(1, count)


def read_table(data: str, target: str | None):
    """Return the features, and the target, of a file.

    Raises
    ------
    ValueError, FileNotFoundError
        If the file, the target or a column is not there, or a value is missing or not a number.
    """
    frame = _read(data)
    if isinstance(frame, dict):
        target = target or "y"
        for name in ("X", target):
            if name not in frame:
                raise ValueError(f"{data}: there is no array {name!r}; the file has {', '.join(frame)}.")
        return frame["X"], frame[target]
    if target is None:
        raise ValueError(
            f"{data}: --target must name the column to predict; there are {_list(frame.columns)}."
        )
    if target not in frame.columns:
        raise ValueError(
            f"{data}: there is no column {target!r} for --target; there are {_list(frame.columns)}."
        )
    y = frame[target]
    if y.isna().any():
        raise ValueError(f"{data}: column {target!r} has {y.isna().sum()} missing values.")
    return check_features(data, frame.drop(columns=target)), y.to_numpy()


def read_features(data: str, model) -> Any:
    """Return the features that a model was trained on, from a file or a built-in set's test part."""
    if data in BUILT_IN:
        return BUILT_IN[data]().X_test
    frame = _read(data)
    if isinstance(frame, dict):
        if "X" not in frame:
            raise ValueError(f"{data}: there is no array 'X'; the file has {', '.join(frame)}.")
        return frame["X"]
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        return check_features(data, frame).to_numpy()
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise ValueError(f"{data}: the model needs the columns {_list(missing)}, which are not there.")
    return check_features(data, frame[list(names)])


def check_features(data: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns as float64; refuse what is not a number, by the columns' names."""
    if frame.shape[1] == 0:
        raise ValueError(f"{data}: there is no column besides the target.")
    text = [name for name, kind in frame.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]
    if text:
        raise ValueError(
            f"{data}: the columns {_list(text)} are not numbers; encode them (one-hot, say) or leave them "
            "out."
        )
    values = frame.astype(np.float64)
    missing = [name for name in values.columns if not np.isfinite(values[name]).all()]
    if missing:
        raise ValueError(f"{data}: the columns {_list(missing)} have missing or infinite values.")
    return values.rename(columns=str)


def _read(data: str) -> pd.DataFrame | dict[str, np.ndarray]:
    path = Path(data)
    if path.suffix not in SUFFIXES:
        raise ValueError(
            f"DATA={data!r} is neither a built-in data set ({', '.join(BUILT_IN)}) nor a file ending in "
            f"{' or '.join(SUFFIXES)}."
        )
    if not path.is_file():
        raise FileNotFoundError(f"{data}: there is no such file.")
    try:
        if path.suffix == ".csv":
            return pd.read_csv(path)
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except Exception as error:  # each reader has its own kinds
        raise ValueError(f"{data}: cannot be read as {path.suffix[1:]} ({error}).") from None


def _list(names) -> str:
    """Return the first few names, quoted."""
    return listed(map(str, names))
