"""Preparation: the standardisation that a model carries with it and the engine applies as it reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler

from fastmlp._support.dates import refuse_columns

#: What ``prepare=`` may be called; "auto" chooses by `kind_for`.
KINDS = ("image", "table")
#: The rounding error that a type may add, in standard deviations of a column: about a thousandth.
TOLERANCE = 2.0**-10

# Rows that are converted to float64 at a time: 6 MB of an image data set.
_CHUNK = 1024
# Variances that a sum of squares measures without overflow or underflow.
_LOWEST_VARIANCE, _HIGHEST_VARIANCE = 1e-200, 1e200
# A standard deviation below this share of the mean consists of rounding errors: the column is constant.
_NOISE = 100 * np.finfo(np.float64).eps


@dataclass(frozen=True, eq=False, repr=False)
class Preparation:
    """x -> (x - center) * scale, column by column, done while a batch is gathered.

    Attributes
    ----------
    center, scale : ndarray of shape (n_features,), float64
    """

    center: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, X: np.ndarray, kind: str) -> Preparation:
        """Measure X (n_samples, n_features), in chunks: it is never copied whole.

        Parameters
        ----------
        X : ndarray
            Finite numbers of any magnitude; `check_scales` refuses what no scale can standardise.
        kind : {"image", "table"}
            One mean and one scale for all pixels, or a pair for each column. A column that does not vary
            keeps the scale 1.

        Examples
        --------
        >>> import numpy as np
        >>> table = Preparation.fit(np.array([[1.0, 5.0], [3.0, 5.0]]), "table")
        >>> table.center, table.scale
        (array([2., 5.]), array([1., 1.]))
        """
        if kind not in KINDS:
            raise ValueError(f"kind={kind!r} is not known; choose one of {', '.join(map(repr, KINDS))}.")
        if not (isinstance(X, np.ndarray) and X.dtype.kind in "uif"):
            refuse_columns("X", X)
        with np.errstate(all="ignore"):  # what overflows or underflows is measured again
            scaler = _fit_scaler(_chunks(X))
            center, variance, deviation = scaler.mean_, scaler.var_, scaler.scale_
            if kind == "image":
                center = center.mean(keepdims=True)
                variance = np.mean(variance + (scaler.mean_ - center) ** 2, keepdims=True)
                deviation = np.where(variance == 0, 1, np.sqrt(variance))
            is_measured = (variance > _LOWEST_VARIANCE) & (variance < _HIGHEST_VARIANCE)
            # scikit-learn gives the scale 1 also to columns that vary, if n_samples times the mean is large.
            again = np.flatnonzero(~is_measured | (deviation != np.sqrt(variance)))
            scale = 1 / deviation
            if len(again):
                center[again], scale[again] = _measure_again(X, kind, again)
        scale = np.clip(scale, *_scale_limits(np.float64))
        if kind == "image":
            center, scale = np.repeat(center, X.shape[1]), np.repeat(scale, X.shape[1])
        return cls(center, scale)

    def check_scales(self, name: str, columns: Any = None) -> None:
        """Raise ValueError if a column varies so little or so much that no scale can standardise it.

        Training flushes numbers below 2^-1022 to 0: a standard deviation must be more than 2^-1012, and so
        must its inverse. `fit` cuts scales at these limits.

        Parameters
        ----------
        name : str
            Of the array that was measured.
        columns : array-like of str, optional
            The names of its columns.
        """
        lowest, highest = _scale_limits(np.float64)
        outside = np.flatnonzero((self.scale <= lowest) | (self.scale >= highest))
        if not len(outside):
            return
        column = int(outside[0])
        where = f"column {column}" + ("" if columns is None else f" ({columns[column]!r})")
        if columns is None and len(outside) == len(self.scale):
            where = "it"
        low = self.scale[column] >= highest
        raise ValueError(
            f"{name} cannot be standardised: {where} has a standard deviation "
            + (f"below {1 / highest:.1e}" if low else f"above {1 / lowest:.1e}")
            + f"; multiply {'it' if where == 'it' else 'the column'} by a constant first."
        )

    def can_prepare_in(self, dtype: Any) -> bool:
        """Return whether the columns are standardised as well if center and scale have this type.

        That is so if rounding moves no center by more than half of `TOLERANCE` standard deviations, and if
        what the type takes for zero or infinity is as far from a scale as that.
        """
        lowest, highest = _scale_limits(dtype)
        with np.errstate(over="ignore"):
            moved = np.abs(np.asarray(self.center, dtype=dtype).astype(np.float64) - self.center)
            is_kept = moved * self.scale <= TOLERANCE / 2
        return bool((is_kept & (self.scale >= lowest) & (self.scale <= highest)).all())

    def can_restore_in(self, dtype: Any) -> bool:
        """Return whether this type can hold the columns in their own units.

        That is so if its numbers near each center are at most `TOLERANCE` standard deviations apart: for
        float32, if no center is more than 8,192 standard deviations from 0.
        """
        apart = float(np.finfo(dtype).eps) * np.abs(self.center) * self.scale
        return self.can_prepare_in(dtype) and bool((apart <= TOLERANCE).all())

    def __repr__(self) -> str:
        return f"<Preparation of {np.size(self.center)} columns>"

    def check_width(self, argument: str, n_columns: int) -> None:
        """Raise ValueError unless this is a preparation of so many columns."""
        if not np.shape(self.center) == np.shape(self.scale) == (n_columns,):
            raise ValueError(
                f"{argument} has centers of shape {np.shape(self.center)} and scales of shape "
                f"{np.shape(self.scale)}; there are {n_columns} columns."
            )

    def repeated(self, n: int) -> Preparation:
        """Return the preparation of n columns in place of each."""
        return self if n == 1 else Preparation(np.repeat(self.center, n), np.repeat(self.scale, n))

    def invert(self, x: np.ndarray) -> np.ndarray:
        """Return what was prepared, in float64 whatever the type of x: x / scale + center."""
        return np.asarray(x / self.scale + self.center)


def _scale_limits(dtype: Any) -> tuple[float, float]:
    """Return the smallest and the largest scale of a type.

    A scale is no subnormal number, and a subnormal difference from the center is at most `TOLERANCE` standard
    deviations: training flushes both to zero.
    """
    smallest = float(np.finfo(dtype).tiny)
    return smallest / TOLERANCE, TOLERANCE / smallest


def _chunks(X: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(X), _CHUNK):
        yield np.asarray(X[start : start + _CHUNK], dtype=np.float64)


def _fit_scaler(chunks: Iterable[np.ndarray]) -> StandardScaler:
    scaler = StandardScaler()
    for chunk in chunks:
        scaler.partial_fit(chunk)
    return scaler


def _measure_again(X: np.ndarray, kind: str, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return center and scale of some columns, or of all pixels, of any magnitude.

    They are measured from their lowest value, and multiplied by a power of two that brings them below 1. A
    column that does not vary has exactly its value as center, and the scale 1. One that varies by no more
    than rounding does is not magnified: its scale is at most 1.
    """

    def chunks() -> Iterator[np.ndarray]:
        for chunk in _chunks(X):
            yield chunk[:, columns] if kind == "table" else chunk.reshape(-1, 1)

    lowest, highest = np.full(len(columns), np.inf), np.full(len(columns), -np.inf)
    for chunk in chunks():
        lowest, highest = np.minimum(lowest, chunk.min(axis=0)), np.maximum(highest, chunk.max(axis=0))
    exponent = np.frexp(np.maximum(np.abs(lowest), np.abs(highest)))[1]
    start = np.ldexp(lowest, -exponent)
    scaler = _fit_scaler(np.ldexp(chunk, -exponent) - start for chunk in chunks())
    mean, deviation = start + scaler.mean_, np.sqrt(scaler.var_)
    center = np.clip(np.ldexp(mean, exponent), lowest, highest)
    scale = np.ldexp(1 / deviation, -exponent)
    scale = np.where(deviation > _NOISE * np.abs(mean), scale, np.minimum(scale, 1))
    return center, np.where(highest > lowest, scale, 1)


def kind_for(X: object) -> str:
    """Return the kind that suits X: an array of bytes is taken for images, all else for a table."""
    return "image" if getattr(X, "dtype", None) == np.uint8 else "table"
