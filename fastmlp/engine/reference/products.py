"""The three matrix operations in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.engine.reference import Array, Pair
from fastmlp.engine.reference.activations import activation_backward, activation_forward


def round_bfloat16(x: Array) -> Array:
    """Round float32 to bfloat16, the upper half of its bits, to nearest even; kept as float32."""
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))
    return (rounded & np.uint32(0xFFFF0000)).view(np.float32)


def linear_forward(
    weight: Array, bias: Array, x: Array, activation: str, slopes: Array | None = None
) -> Array:
    """Return activation(W x + b), (n_out, samples)."""
    return activation_forward(weight @ x + bias[:, None], activation, slopes)


def linear_backward(
    weight: Array, d_y: Array, x: Array, input_activation: str, input_slopes: Array | None = None
) -> Array:
    """Return the gradient before the activation that made x, (n_in, samples)."""
    return activation_backward(weight.T @ d_y, x, input_activation, input_slopes)


def linear_gradient(d_y: Array, x: Array) -> Pair:
    """Return the gradients of weight and bias: D X^T and the sums of D over the samples."""
    return d_y @ x.T, d_y.sum(axis=1)


def sparse_forward(weight: Array, x: Any, rows: Array) -> Array:
    """Return W x^T, (n_out, samples), for these rows of a sparse x (n_rows, n_in)."""
    return (x[rows] @ weight.T).T


def sparse_gradient(d: Array, x: Any, rows: Array) -> Array:
    """Return the gradient of W, (n_out, n_in), from d (n_out, samples) and these rows of a sparse x."""
    return (x[rows].T @ d.T).T
