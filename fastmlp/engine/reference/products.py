"""The three matrix operations in NumPy."""

from __future__ import annotations

import numpy as np

from fastmlp.engine.reference.activations import activation_backward, activation_forward


def round_bfloat16(x):
    """Round float32 to bfloat16, the upper half of its bits, to nearest even; kept as float32."""
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))
    return (rounded & np.uint32(0xFFFF0000)).view(np.float32)


def linear_forward(weight, bias, x, activation, slopes=None):
    """Return activation(W x + b), (n_out, samples)."""
    return activation_forward(weight @ x + bias[:, None], activation, slopes)


def linear_backward(weight, d_y, x, input_activation, input_slopes=None):
    """Return the gradient before the activation that made x, (n_in, samples)."""
    return activation_backward(weight.T @ d_y, x, input_activation, input_slopes)


def linear_gradient(d_y, x):
    """Return the gradients of weight and bias: D X^T and the sums of D over the samples."""
    return d_y @ x.T, d_y.sum(axis=1)


def sparse_forward(weight, x, rows):
    """Return W x^T, (n_out, samples), for these rows of a sparse x (n_rows, n_in)."""
    return (x[rows] @ weight.T).T


def sparse_gradient(d, x, rows):
    """Return the gradient of W, (n_out, n_in), from d (n_out, samples) and these rows of a sparse x."""
    return (x[rows].T @ d.T).T
