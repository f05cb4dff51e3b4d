"""Sparse inputs as both engines read them: `SparseRows`, made once for as many passes as there are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_array, issparse

from fastmlp._support.checks import frozen

#: Column numbers are 32-bit integers.
MAX_COLUMNS = 2**31 - 1


@dataclass(frozen=True)
class SparseRows:
    """The rows of a CSR matrix, in the type that is computed in.

    The engines read and write where an index points, and callbacks run between their slices: the arrays are
    copies, checked when this is made, and read-only. SciPy itself changes a matrix when it sorts it.

    Attributes
    ----------
    values : ndarray of shape (n,)
    columns : ndarray of int32, shape (n,)
        The column of each value.
    starts : ndarray of int64, shape (n_rows + 1,)
        Row i has the values from starts[i] up to starts[i + 1].
    shape : (n_rows, n_columns)
    """

    values: np.ndarray
    columns: np.ndarray
    starts: np.ndarray
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        for name in ("values", "columns", "starts"):
            object.__setattr__(self, name, frozen(getattr(self, name)))
        check_places(self.starts, self.columns, len(self.values), self.shape)

    @classmethod
    def of(cls, X: Any, dtype: Any) -> SparseRows:
        """Return the rows of a CSR matrix, or those that were already read, with values of this type.

        Raises
        ------
        ValueError
            If the matrix points beyond its elements or columns.
        """
        if isinstance(X, cls):
            if X.values.dtype == dtype:
                return X
            return cls(frozen(X.values, dtype), X.columns, X.starts, X.shape)
        starts = frozen(X.indptr, np.int64)
        columns = frozen(X.indices[: max(starts[-1], 0)] if len(starts) else X.indices)
        values = frozen(X.data[: len(columns)], dtype)
        check_places(starts, columns, len(values), X.shape)  # before columns are cut to 32 bits
        return cls(values, frozen(columns, np.int32), starts, X.shape)

    @cached_property
    def _matrix(self) -> csr_array:
        matrix = csr_array((self.values, self.columns, self.starts), shape=self.shape)
        for part in (matrix.data, matrix.indices, matrix.indptr):
            while isinstance(part, np.ndarray):  # SciPy may have made copies, and views of them
                part.setflags(write=False)
                part = part.base
        return matrix

    def __getitem__(self, rows: Any) -> csr_array:
        """Return the chosen rows as SciPy's matrix."""
        return self._matrix[rows]


def is_sparse(X: Any) -> bool:
    """Return whether X is sparse: SciPy's, or read already."""
    return isinstance(X, SparseRows) or issparse(X)


def check_places(starts: np.ndarray, columns: np.ndarray, n_values: int, shape: tuple[int, int]) -> None:
    """Refuse a CSR matrix that points beyond its elements or columns: SciPy lets it, the engines follow.

    Raises
    ------
    ValueError
        If ``starts`` (SciPy's indptr) or ``columns`` (its indices) are out of range.
    """
    n_rows, n_columns = shape
    n = min(len(columns), n_values)
    if len(starts) != n_rows + 1 or starts[0] != 0 or (starts[1:] < starts[:-1]).any() or starts[-1] > n:
        raise ValueError(
            "X is a broken sparse matrix: its indptr must rise from 0 to the number of elements, in "
            f"{n_rows + 1} numbers for {n_rows} rows."
        )
    if n_columns > MAX_COLUMNS:
        raise ValueError(f"X has {n_columns} columns; a sparse matrix may have up to {MAX_COLUMNS}.")
    columns = columns[: starts[-1]]
    if len(columns) and (columns.min() < 0 or columns.max() >= n_columns):
        raise ValueError(
            f"X is a broken sparse matrix: its indices go from {columns.min()} to {columns.max()}, "
            f"and it has {n_columns} columns."
        )
