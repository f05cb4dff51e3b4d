"""The reading of a batch in NumPy, and what is done to its images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from scipy.sparse import issparse

from fastmlp.engine.reference import Array, Pair
from fastmlp.engine.reference.random import STREAMS, philox4x32, set_step


def gather(X: Any, rows: Any, preparation: Pair | None, dtype: DTypeLike) -> Array:
    """Return the chosen rows of X (samples, features) as columns, (X - center) * scale if prepared."""
    x = X[rows]
    if issparse(x):  # one batch; the compiled engine leaves it as it is, see sparse_forward
        x = x.toarray()
    if x.dtype != np.float64:
        x = x.astype(dtype)
    if preparation is not None:
        center, scale = (np.asarray(part, dtype=x.dtype) for part in preparation)
        x = (x - center) * scale
    return x.astype(dtype).T


def is_finite(x: Array) -> bool:
    """Return whether no element of x is infinite or not a number."""
    return bool(np.isfinite(x).all())


def augment(X: Array, rows: Array, options: Mapping[str, int], seed: int, step: int) -> Array:
    """Return the chosen rows of X as images that are moved and mirrored at random, 0 where nothing is."""
    height, width, farthest = options["height"], options["width"], options["pixels"]
    counters = np.zeros((len(rows), 4), dtype=np.uint64)
    key, counters[:, 2] = set_step(seed, step)
    counters[:, 0], counters[:, 3] = np.arange(len(rows)), STREAMS["augment"]
    draws = philox4x32(counters, key).astype(np.int64)
    down, right = ((draws[:, k] * (2 * farthest + 1) >> 32) - farthest for k in (0, 1))
    flip = options["flip"] * (draws[:, 2] >> 31)
    images = X[rows].reshape(len(rows), height, width, options["channels"])
    out = np.zeros_like(images)
    for i, image in enumerate(images):
        y, x = down[i], right[i]
        seen = image[:, ::-1] if flip[i] else image
        seen = seen[max(0, -y) : height - max(0, y), max(0, -x) : width - max(0, x)]
        out[i, max(0, y) : height - max(0, -y), max(0, x) : width - max(0, -x)] = seen
    return out.reshape(len(rows), -1)
