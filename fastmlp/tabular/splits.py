"""Setting rows aside for validation and test, so that every class is among those to train on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import train_test_split


def rows_of_parts(
    y: np.ndarray, n_test: int, n_validation: int, seed: int, classify: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows of the training, validation and test part.

    Classes are spread over the parts in proportion, as far as they have enough rows; each has at least one
    in the training part.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    n_test, n_validation : int
        Rows of these parts.
    seed : int
    classify : bool
        Whether y are classes.

    Raises
    ------
    ValueError
        If there are more classes than rows to train on.
    """
    labels = y if classify and y.ndim == 1 else None
    rest, test = _part(np.arange(len(y)), labels, n_test, seed)
    train, validation = _part(rest, labels, n_validation, seed)
    return train, validation, test


def _part(rows: np.ndarray, labels: np.ndarray | None, n: int, seed: int) -> Sequence[np.ndarray]:
    """Set n of the rows aside; return the others and these."""
    if n == 0:
        return rows, rows[:0]
    if labels is None:
        return train_test_split(rows, test_size=n, random_state=seed)
    names, codes, counts = np.unique(labels[rows], return_inverse=True, return_counts=True)
    if len(names) > len(rows) - n:
        left = len(rows) - n
        raise ValueError(f"there are {len(names)} classes, but only {left} of {len(rows)} rows to train on")
    strata = np.where(counts[codes] < 2, counts.argmax(), codes)  # scikit-learn needs two rows of each
    n_strata = len(np.unique(strata))
    possible = counts.max() > 1 and n_strata <= min(n, len(rows) - n)
    indices = np.arange(len(rows))
    rest, taken = train_test_split(
        indices, test_size=n, random_state=seed, stratify=strata if possible else None
    )
    _return_classes(codes, rest, taken)
    return rows[rest], rows[taken]


def _return_classes(codes: np.ndarray, rest: np.ndarray, taken: np.ndarray) -> None:
    """Exchange rows, so that no class has all of its rows among those that are taken."""
    for code in np.setdiff1d(codes[taken], codes[rest]):
        there = np.flatnonzero(codes[taken] == code)[0]
        here = np.flatnonzero(codes[rest] == np.bincount(codes[rest]).argmax())[-1]
        rest[here], taken[there] = taken[there], rest[here]
