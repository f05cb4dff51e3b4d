"""The data of a study: read once for all runs of a process, scaled, and of a quick try a part."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp._support.dates import refuse_columns
from fastmlp.estimators.loading import ESTIMATORS
from fastmlp.studies.file.study import Data
from fastmlp.tabular.reading import BUILT_IN, Split, load_split, taken
from fastmlp.tabular.text_files import TextFormat

#: What the estimators are for.
_TASKS = {"MLPClassifier": "classification", "MLPRegressor": "regression"}
#: `quick` takes this part of the training and validation rows, but not less than so many.
QUICK, _QUICK_ROWS = 10, 200


def identified(data: Data) -> Data:
    """Return a study's data with the digest of their file, as far as it is there to be read."""
    if data.name in BUILT_IN or not Path(data.name).is_file():
        return data
    with open(data.name, "rb") as file:
        return replace(data, digest=hashlib.file_digest(file, "sha256").hexdigest())


@lru_cache(maxsize=2)
def load_data(data: Data, quick: bool) -> Split:
    """Return the parts of a study's data; the last are kept, for all runs of a process."""
    split = load_split(
        data.name, data.target, data.validation, data.test, data.seed, data.shuffle,
        task=_TASKS.get(data.estimator or "", "auto"), option="the task",
        text_format=TextFormat(data.sep, data.decimal, data.encoding),
    )  # fmt: skip
    if quick:
        n, n_val = (max(len(y) // QUICK, min(len(y), _QUICK_ROWS)) for y in (split.y_train, split.y_val))
        rows: Any = np.arange(n)
        if split.task.is_classification and split.y_train.ndim == 1:  # no class may be missing
            rows = np.union1d(rows, np.unique(split.y_train, return_index=True)[1])
        rows = slice(n) if len(rows) == n else rows
        split = replace(
            split, X_train=taken(split.X_train, rows), y_train=split.y_train[rows],
            X_val=split.X_val[:n_val], y_val=split.y_val[:n_val],
        )  # fmt: skip
    if (data.center, data.scale) == (0, 1):
        return split
    parts = (split.X_train, split.X_val, split.X_test)
    refuse_columns(data.name, split.X_train)
    scaled = [_scaled(np.asarray(X), data) for X in parts]
    return replace(split, X_train=scaled[0], X_val=scaled[1], X_test=scaled[2])


def _scaled(X: np.ndarray, data: Data) -> np.ndarray:
    """Return (X - center) * scale in float32; what float32 cannot hold is rounded only then."""
    dtype: Any = np.float32 if X.dtype in (np.uint8, np.float32) else np.float64
    scaled = (X.astype(dtype, copy=False) - dtype(data.center)) * dtype(data.scale)
    return scaled.astype(np.float32, copy=False)


def chosen_estimator(split: Split) -> str:
    """Return a line that says which task the targets are for, and how a study's file chooses the other."""
    other = ESTIMATORS["MLPRegressor" if split.task.is_classification else "MLPClassifier"]
    return split.task.sentence("estimator, in [data], to ", f'"{other.__name__}"')


def estimator_of(split: Split) -> type:
    """Return the class of a study's models."""
    return ESTIMATORS["MLPClassifier" if split.task.is_classification else "MLPRegressor"]
