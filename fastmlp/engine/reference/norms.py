"""Normalisations in NumPy: n = (z - mean) / deviation, then scale n + bias."""

from __future__ import annotations

import numpy as np

from fastmlp.engine.reference import Array, Pair, Triple


def batch_norm_forward(
    z: Array,
    mean: Array,
    variance: Array,
    scale: Array,
    bias: Array,
    epsilon: float,
    momentum: float,
    *,
    is_fixed: bool = False,
) -> Triple:
    """Normalise each unit over the samples; the running mean and variance move towards those of the batch.

    Return the outputs, the normed and 1 / deviation of each unit; if ``is_fixed``, by the running ones.
    """
    dtype, n = z.dtype.type, z.shape[1]
    of_batch, squares = z.mean(axis=1), np.square(z - z.mean(axis=1, keepdims=True)).sum(axis=1)
    center, spread = (mean.copy(), variance) if is_fixed else (of_batch, squares / dtype(n))
    if momentum and not is_fixed:
        mean += dtype(momentum) * (of_batch - mean)
        if n > 1:
            variance += dtype(momentum) * (squares / dtype(n - 1) - variance)
    inverse = 1 / np.sqrt(spread + dtype(epsilon))
    normed = (z - center[:, None]) * inverse[:, None]
    return scale[:, None] * normed + bias[:, None], normed, inverse


def batch_norm_backward(
    d: Array, normed: Array, inverse: Array, scale: Array, *, is_fixed: bool = False
) -> Triple:
    """Return the gradient before it, and those of the scale and the bias."""
    d_scale, d_bias = (d * normed).sum(axis=1), d.sum(axis=1)
    if not is_fixed:
        n = d.dtype.type(d.shape[1])
        d = d - (d_bias / n)[:, None] - normed * (d_scale / n)[:, None]
    return (scale * inverse)[:, None] * d, d_scale, d_bias


def fold_norm(scale: Array, bias: Array, mean: Array, variance: Array, epsilon: float) -> Pair:
    """Return the scale and bias that normalise by the running mean and variance: scale z + bias."""
    factor = scale / np.sqrt(variance + scale.dtype.type(epsilon))
    return factor, bias - factor * mean


def layer_norm_forward(z: Array, scale: Array, bias: Array, epsilon: float) -> Triple:
    """Normalise each sample over the units; return the outputs, the normed, 1 / deviation of each sample."""
    inverse = 1 / np.sqrt(z.var(axis=0) + z.dtype.type(epsilon))
    normed = (z - z.mean(axis=0)) * inverse
    return scale[:, None] * normed + bias[:, None], normed, inverse


def layer_norm_backward(d: Array, normed: Array, inverse: Array, scale: Array) -> Triple:
    """Return the gradient before it, and those of the scale and the bias."""
    g = scale[:, None] * d
    d_z = inverse * (g - g.mean(axis=0) - normed * (g * normed).mean(axis=0))
    return d_z, (d * normed).sum(axis=1), d.sum(axis=1)
