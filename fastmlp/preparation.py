"""Preparation: the standardisation that a model carries with it and the engine applies as it reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.preprocessing import StandardScaler

#: What ``prepare=`` may be called; "auto" chooses by `kind_for`.
KINDS = ("image", "table")

# Rows that are converted to float64 at a time: 6 MB of an image data set.
_CHUNK = 1024


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
        scaler = StandardScaler()
        for start in range(0, len(X), _CHUNK):
            scaler.partial_fit(np.asarray(X[start : start + _CHUNK], dtype=np.float64))
        if kind == "table":
            return cls(scaler.mean_, 1 / scaler.scale_)
        mean = scaler.mean_.mean()
        variance = np.mean(scaler.var_ + (scaler.mean_ - mean) ** 2)
        deviation = np.sqrt(variance) or 1.0
        return cls(np.full(X.shape[1], mean), np.full(X.shape[1], 1 / deviation))

    def __repr__(self):
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
        """Return what was prepared, in the type of x: x / scale + center."""
        return (x / self.scale + self.center).astype(x.dtype, copy=False)


def kind_for(X) -> str:
    """Return the kind that suits X: an array of bytes is taken for images, all else for a table."""
    return "image" if getattr(X, "dtype", None) == np.uint8 else "table"
