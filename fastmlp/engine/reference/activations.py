"""Activations in NumPy: forward from z = W x + b, backward from y = activation(z) or from the slopes kept."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from fastmlp import activations
from fastmlp.engine.reference import Array

#: selu: with these a layer keeps mean 0 and variance 1.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def softmax(z: Array) -> Array:
    """exp(z) / sum(exp(z)) over the units of each sample, shifted so that nothing overflows."""
    e = np.exp(z - z.max(axis=0))
    return e / e.sum(axis=0)


def logistic(z: Array) -> Array:
    """1 / (1 + exp(-z)), by exp(-|z|), so that nothing overflows."""
    e = np.exp(-np.abs(z))
    return np.where(z < 0, e, 1) / (1 + e)


def elu(z: Array, alpha: float) -> Array:
    """Return z where it is positive, alpha (exp(z) - 1) below."""
    return np.where(z < 0, alpha * np.expm1(np.minimum(z, 0)), z)


def softplus(z: Array) -> Array:
    """log(1 + exp(z)), by exp(-|z|), so that nothing overflows."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def gelu_tanh_exponent(z: Array) -> tuple[Array, Array]:
    """Return u and its derivative: gelu_tanh(z) = z (1 + tanh(u / 2)) / 2 = z logistic(u)."""
    z = np.clip(z, -32, 32)  # beyond, logistic(u) is 0 or 1 for every type
    factor = 2 * math.sqrt(2 / math.pi)
    return factor * (z + 0.044715 * z**3), factor * (1 + 3 * 0.044715 * z * z)


def activation_slopes(z: Array, activation: str) -> Array:
    """Return activation'(z) of those whose derivative does not follow from y."""
    match activation:
        case "gelu":
            return ndtr(z) + z * (np.exp(-np.square(np.clip(z, -64, 64)) / 2) / math.sqrt(2 * math.pi))
        case "gelu_tanh":
            u, d_u = gelu_tanh_exponent(z)
            return logistic(u) + np.clip(z, -32, 32) * d_u * logistic(u) * logistic(-u)
        case "silu":
            return logistic(z) * (1 + z * logistic(-z))
        case "mish":
            t = np.tanh(softplus(z))
            return t + z * ((1 - t * t) * logistic(z))
    raise ValueError(f"unknown activation {activation!r}")


def activation_forward(z: Array, activation: str, slopes: Array | None = None) -> Array:
    """Return activation(z) for z (units, samples); leave activation'(z) in ``slopes``, an array like z."""
    kind, parameter = activations.split(activation)
    if slopes is not None:
        slopes[:] = activation_slopes(z, kind)
    match kind:
        case "identity":
            return z
        case "relu":
            return np.where(z < 0, 0, z).astype(z.dtype)
        case "tanh":
            return np.tanh(z)
        case "logistic":
            return logistic(z)
        case "softmax":
            return softmax(z)
        case "leaky_relu":
            return np.where(z < 0, parameter * z, z)
        case "elu":
            return elu(z, parameter)
        case "selu":
            return SELU_SCALE * elu(z, SELU_ALPHA)
        case "gelu":
            return z * ndtr(z)  # the normal distribution, (1 + erf(z / sqrt(2))) / 2
        case "gelu_tanh":
            return z * logistic(gelu_tanh_exponent(z)[0])
        case "silu":
            return z * logistic(z)
        case "mish":
            return z * np.tanh(softplus(z))
        case "softplus":
            return softplus(z)
    raise ValueError(f"unknown activation {activation!r}")


def activation_backward(d: Array, y: Array, activation: str, slopes: Array | None = None) -> Array:
    """Return the gradient with respect to z, given d with respect to y = activation(z)."""
    if slopes is not None:
        return d * slopes
    kind, parameter = activations.split(activation)
    match kind:
        case "identity":
            return d
        case "relu":
            return d * (y > 0)
        case "tanh":
            return d * (1 - y * y)
        case "logistic":
            return d * (y * (1 - y))
        case "softmax":
            return y * (d - (y * d).sum(axis=0))
        case "leaky_relu":
            return np.where(y > 0, d, parameter * d)
        case "elu":
            return np.where(y > 0, d, (y + parameter) * d)
        case "selu":
            return np.where(y > 0, SELU_SCALE * d, (y + SELU_SCALE * SELU_ALPHA) * d)
        case "softplus":
            return d * -np.expm1(-y)
    raise ValueError(f"unknown activation {activation!r}")


def prelu_forward(z: Array, slope: Array) -> Array:
    """Return z where it is positive, slope z below, with a slope for each unit."""
    return np.where(z > 0, z, slope[:, None] * z)


def prelu_backward(d: Array, z: Array, slope: Array) -> tuple[Array, Array]:
    """Return the gradient before it, and that of the slopes."""
    return np.where(z > 0, d, slope[:, None] * d), (d * np.where(z > 0, 0, z)).sum(axis=1)
