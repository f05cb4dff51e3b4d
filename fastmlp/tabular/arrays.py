"""Arrays of an NPZ file as features and target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fastmlp.tabular.target_column import checked_target
from fastmlp.tabular.tasks import Task, choose_task

#: Of NumPy's types, by the letter of their kind, and what the others hold.
_NUMBERS = "biuf"
_OTHERS = {
    "c": "complex numbers", "V": "records", "O": "objects", "U": "text", "S": "bytes", "M": "dates",
    "m": "times",
}  # fmt: skip


def features_of_arrays(data: str, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return X with a row for each sample, and a note if its samples had a shape of their own.

    Raises
    ------
    ValueError
        If there is no X, or it does not hold finite numbers for some samples.
    """
    X = arrays["X"]
    if X.dtype.kind not in _NUMBERS:
        raise ValueError(f"{data}: X holds {_content(X)}; it must hold numbers.")
    if X.ndim < 2:
        says = "no dimension" if X.ndim == 0 else f"one dimension, {X.shape}"
        raise ValueError(f"{data}: X has {says}; it must have the shape (n_samples, n_features).")
    if X.size == 0:
        raise ValueError(f"{data}: X of shape {X.shape} is empty.")
    notes: tuple[str, ...] = ()
    if X.ndim > 2:
        shape = " x ".join(map(str, X.shape[1:]))
        notes = (f"{data}: X has samples of shape {shape}, which are taken as {X[0].size} features",)
        X = X.reshape(len(X), -1)
    if X.dtype.kind == "f" and not np.isfinite(X).all():
        row, column = np.argwhere(~np.isfinite(X))[0]
        raise ValueError(f"{data}: X has missing or infinite values, such as X[{row}, {column}].")
    return X, notes


def target_of_arrays(
    data: str, arrays: Mapping[str, np.ndarray], name: str, n_samples: int, task: str, option: str
) -> tuple[np.ndarray, Task]:
    """Return the target array and the task that it is for.

    Raises
    ------
    ValueError
        If it does not hold a target for each sample.
    """
    y = arrays[name]
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8")
    if y.dtype.kind not in _NUMBERS + "U":
        raise ValueError(f"{data}: {name} holds {_content(y)}; it must hold numbers or text.")
    if y.ndim not in (1, 2):
        raise ValueError(
            f"{data}: {name} has the shape {y.shape}; it must be (n_samples,) or (n_samples, n_outputs)."
        )
    if len(y) != n_samples:
        raise ValueError(f"{data}: X has {n_samples} samples, but {name} has {len(y)}.")
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    chosen = choose_task(y, task, option=option)
    return checked_target(f"{data}: {name}", y), chosen


def kept_arrays(
    data: str, arrays: Mapping[str, np.ndarray], names: Sequence[str], n_samples: int
) -> pd.DataFrame:
    """Return arrays with a value for each sample, as columns."""
    kept: dict[str, Any] = {}
    for name in names:
        kept[name] = arrays[name]
        if kept[name].shape != (n_samples,):
            raise ValueError(
                f"{data}: --keep {name}: its shape is {kept[name].shape}; it must be ({n_samples},)."
            )
    return pd.DataFrame(kept)


def _content(array: np.ndarray) -> str:
    return f"{_OTHERS.get(array.dtype.kind, 'something else')} ({array.dtype})"
