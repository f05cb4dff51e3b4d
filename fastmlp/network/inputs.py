"""The inputs of a network: what it takes as X, and how the engine reads it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse, sparray, spmatrix
from sklearn.utils import check_array

from fastmlp._support.dates import refuse_columns
from fastmlp._support.threads import count_threads
from fastmlp.engine import sparse_rows
from fastmlp.engine.selection import ENGINES
from fastmlp.engine.sparse_rows import SparseRows
from fastmlp.network.preparation import Preparation

#: Types of input that the engine reads as they are; others become the first of these.
INPUT_DTYPES = (np.float64, np.float32, np.uint8)

#: What can be passed as X: arrays, nested lists, data frames, sparse matrices.
Samples: TypeAlias = ArrayLike | spmatrix | sparray | SparseRows
#: X once it is checked: an array of one of `INPUT_DTYPES`, SciPy's CSR, or its rows as the engine reads them.
Readable: TypeAlias = np.ndarray | spmatrix | sparray | SparseRows
#: Center and scale of each column.
Prepared: TypeAlias = tuple[np.ndarray, np.ndarray] | None


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a network takes: so many features, standardised or not, and computed with in this type."""

    n_features: int
    dtype: np.dtype
    preparation: Preparation | None = None

    @property
    def prepared(self) -> Prepared:
        """The preparation as the engine reads it: center and scale, or None."""
        return None if self.preparation is None else (self.preparation.center, self.preparation.scale)

    @cached_property
    def needs_float64(self) -> bool:
        """Whether X must be float64, because the preparation cannot be applied in the network's type.

        The engine prepares float64 in float64, before it rounds; other types only after they are converted.
        """
        return self.preparation is not None and not self.preparation.can_prepare_in(self.dtype)

    def check(self, X: Samples, n_threads: int | None) -> Readable:
        """Return X as an array, or CSR, that the engine reads, without a copy where it can be.

        Raises
        ------
        ValueError
            If X is not two-dimensional, empty, of another width, or holds NaN, infinity or dates; or if it is
            sparse and would be standardised.
        """
        check_sparse(X, preparation=self.preparation)
        checked: Readable = X if isinstance(X, SparseRows) else _check_array_or_matrix(X, n_threads)
        if checked.shape[1] != self.n_features:
            raise ValueError(f"X has {checked.shape[1]} features, but this network takes {self.n_features}.")
        return self.readable(checked)

    def readable(self, X: Readable) -> Readable:
        """Return an array as float64 if the preparation cannot be applied in the network's type."""
        if self.needs_float64 and isinstance(X, np.ndarray):
            return np.asarray(X, dtype=np.float64)
        return X

    def read_sparse(self, X: Readable) -> np.ndarray | SparseRows:
        """Return a sparse X as the engine reads it, in the network's type; an array as it is."""
        return X if isinstance(X, np.ndarray) else SparseRows.of(X, self.dtype)


def _check_array_or_matrix(X: Samples, n_threads: int | None) -> Any:
    refuse_columns("X", X)
    X = check_array(
        X, accept_sparse="csr", dtype=list(INPUT_DTYPES), order=None, input_name="X",
        ensure_all_finite=issparse(X),
    )  # fmt: skip
    if not issparse(X) and X.dtype.kind == "f" and not (X.flags.c_contiguous and _is_finite(X, n_threads)):
        check_array(X, order=None, input_name="X")  # says what it found
    check_places(X)
    return X


def _is_finite(X: np.ndarray, n_threads: int | None) -> bool:
    # On all threads, a large array takes a third of the time that scikit-learn's check does.
    return bool(import_module(ENGINES["tile"]).is_finite(X, count_threads(n_threads)))


def check_places(X: Any) -> None:
    """Refuse a CSR matrix that points beyond its elements or columns, see `sparse_rows.check_places`."""
    if issparse(X):
        sparse_rows.check_places(X.indptr, X.indices, len(X.data), X.shape)


def check_sparse(X: Any, **changes: Any) -> None:
    """Refuse what would fill a sparse X, or what its kernels do not know.

    Raises
    ------
    ValueError
        If X is sparse and one of the changes is not None, 0 or False.
    """
    for name, change in changes.items():
        if sparse_rows.is_sparse(X) and change:
            raise ValueError(
                f"{name}={change!r:.60} does not go with a sparse X; leave it out, or pass X.toarray()."
            )
