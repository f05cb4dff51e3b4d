"""Losses in NumPy: each sample's loss, and the gradient of weight * sum(losses)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fastmlp.engine.reference import Array, Pair
from fastmlp.engine.reference.activations import logistic, softmax


def cross_entropy(z: Array, labels: Array, weight: float, label_smoothing: float = 0.0) -> Pair:
    """Cross-entropy of softmax(z) against class labels, from the logits z.

    The true class has the probability 1 - label_smoothing, and every class an equal share of the rest.
    """
    dtype = z.dtype.type
    rest, share = dtype(1 - label_smoothing), dtype(label_smoothing / len(z))
    shifted = z - z.max(axis=0)
    samples = np.arange(z.shape[1])
    losses = np.log(np.exp(shifted).sum(axis=0)) - rest * shifted[labels, samples]
    losses -= (share * shifted).sum(axis=0)
    d_z = (softmax(z) - share) * dtype(weight)
    d_z[labels, samples] -= rest * dtype(weight)
    return losses, d_z


def soft_cross_entropy(z: Array, targets: Array, weight: float, label_smoothing: float = 0.0) -> Pair:
    """Cross-entropy of softmax(z) against probabilities (classes, samples), from the logits z.

    The gradient is that of the loss also where a sample's probabilities do not quite sum to 1.
    """
    dtype = z.dtype.type
    targets = dtype(1 - label_smoothing) * targets + dtype(label_smoothing / len(z))
    shifted = z - z.max(axis=0)
    total = targets.sum(axis=0)
    losses = total * np.log(np.exp(shifted).sum(axis=0)) - (targets * shifted).sum(axis=0)
    return losses, (total * softmax(z) - targets) * dtype(weight)


def binary_cross_entropy(z: Array, targets: Array, weight: float) -> Pair:
    """Cross-entropy of logistic(z) against targets in [0, 1], summed over the outputs."""
    losses = (np.maximum(z, 0) - z * targets + np.log1p(np.exp(-np.abs(z)))).sum(axis=0)
    return losses, (logistic(z) - targets) * z.dtype.type(weight)


def squared_error(y: Array, targets: Array, weight: float) -> Pair:
    """Half the squared difference, summed over the outputs."""
    error = y - targets
    return 0.5 * (error * error).sum(axis=0), error * y.dtype.type(weight)


def log_likelihood(z: Array, targets: Array, weight: float) -> Pair:
    """-t log p for p = logistic(z), summed over the outputs: the half of the binary cross-entropy with t."""
    losses = (targets * (np.maximum(-z, 0) + np.log1p(np.exp(-np.abs(z))))).sum(axis=0)
    return losses, -targets * logistic(-z) * z.dtype.type(weight)


def absolute_error(y: Array, targets: Array, weight: float) -> Pair:
    """The magnitude of the difference, summed over the outputs; its derivative at 0 is taken for 0."""
    error = y - targets
    return np.abs(error).sum(axis=0), np.sign(error) * y.dtype.type(weight)


def huber(y: Array, targets: Array, weight: float, delta: float) -> Pair:
    """Half the squared difference up to delta, and beyond it a straight line, summed over the outputs."""
    error = y - targets
    clipped = np.clip(error, -y.dtype.type(delta), y.dtype.type(delta))
    return (clipped * (error - 0.5 * clipped)).sum(axis=0), clipped * y.dtype.type(weight)


def quantile(y: Array, targets: Array, weight: float, quantiles: Sequence[float]) -> Pair:
    """The pinball loss q (t - y), or (1 - q) (y - t) where the output y is above the target t, summed.

    Each row of targets has an output for every quantile q, one after the other.
    """
    q = np.tile(np.array(quantiles, dtype=y.dtype), len(targets))[:, None]
    error = y - np.repeat(targets, len(quantiles), axis=0)
    side = np.where(error > 0, 1 - q, -q)
    return (side * error).sum(axis=0), side * (error != 0) * y.dtype.type(weight)


def poisson(x: Array, targets: Array, weight: float) -> Pair:
    """Poisson's negative log likelihood for the mean e^x, less log t!, which does not depend on x."""
    mean = np.exp(x)
    return (mean - targets * x).sum(axis=0), (mean - targets) * x.dtype.type(weight)


def weigh(d: Array, losses: Array, weights: Array) -> Pair:
    """Return d and losses with each sample's times its weight."""
    return d * weights, losses * weights


LOSSES: dict[str, Callable[..., Pair]] = {
    "cross_entropy": cross_entropy,
    "soft_cross_entropy": soft_cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "log_likelihood": log_likelihood,
    "squared_error": squared_error,
    "absolute_error": absolute_error,
    "huber": huber,
    "quantile": quantile,
    "poisson": poisson,
}
#: These begin at the logits: the last layer's activation is part of them.
FROM_LOGITS = {"cross_entropy", "soft_cross_entropy", "binary_cross_entropy", "log_likelihood"}
