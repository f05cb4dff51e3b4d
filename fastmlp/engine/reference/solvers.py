"""The solvers' steps in NumPy: w changes in place, and so do its moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fastmlp.engine.plan import LayerPlan
from fastmlp.engine.reference import Array, Options

CLIP_EPSILON = 1e-6  # PyTorch's, when it cuts a gradient to a norm
NO_PENALTY = {"l2": 0.0, "l1": 0.0, "shrink": 1.0}


def penalised(w: Array, gradient: Array, optimizer: Options) -> Array:
    """Return the gradient, scaled and cut, with those of the penalties; multiply w by ``shrink``."""
    dtype = w.dtype.type
    gradient = gradient * dtype(optimizer.get("scale", 1))
    if optimizer.get("clip", 0):
        gradient = np.clip(gradient, -dtype(optimizer["clip"]), dtype(optimizer["clip"]))
    gradient = gradient + dtype(optimizer["l2"]) * w + dtype(optimizer.get("l1", 0)) * np.sign(w)
    w *= dtype(optimizer.get("shrink", 1))
    return gradient


def sgd_step(w: Array, moments: Sequence[Array], gradient: Array, optimizer: Options) -> None:
    """V = momentum v - rate g, w += v; with Nesterov w += momentum v - rate g; no moments: w -= rate g."""
    dtype = w.dtype.type
    rate, momentum = dtype(optimizer["learning_rate"]), dtype(optimizer["momentum"])
    gradient = penalised(w, gradient, optimizer)
    if not moments:
        w -= rate * gradient
        return
    (velocity,) = moments
    velocity *= momentum
    velocity -= rate * gradient
    w += momentum * velocity - rate * gradient if optimizer["nesterov"] else velocity


def adam_step(w: Array, moments: Sequence[Array], gradient: Array, optimizer: Options) -> None:
    """Adam, its bias corrections already in the learning rate."""
    dtype = w.dtype.type
    m, v = moments
    beta_1, beta_2 = optimizer["beta_1"], optimizer["beta_2"]
    gradient = penalised(w, gradient, optimizer)
    m *= dtype(beta_1)
    m += dtype(1 - beta_1) * gradient
    v *= dtype(beta_2)
    v += dtype(1 - beta_2) * gradient * gradient
    w -= dtype(optimizer["learning_rate"]) * m / (np.sqrt(v) + dtype(optimizer["epsilon"]))


def mean_square(v: Array, gradient: Array, optimizer: Options) -> None:
    """Move v, the mean square of the gradient that forgets by beta_2."""
    dtype = v.dtype.type
    v *= dtype(optimizer["beta_2"])
    v += dtype(1 - optimizer["beta_2"]) * gradient * gradient


def rmsprop_step(w: Array, moments: Sequence[Array], gradient: Array, optimizer: Options) -> None:
    """Divide the gradient by the root of its mean square; with momentum, gather it in a velocity."""
    dtype = w.dtype.type
    v, *velocities = moments
    gradient = penalised(w, gradient, optimizer)
    mean_square(v, gradient, optimizer)
    step = gradient / (np.sqrt(v) + dtype(optimizer["epsilon"]))
    for velocity in velocities:
        velocity *= dtype(optimizer["momentum"])
        velocity += step
        step = velocity
    w -= dtype(optimizer["learning_rate"]) * step


def adagrad_step(w: Array, moments: Sequence[Array], gradient: Array, optimizer: Options) -> None:
    """Divide the gradient by the root of the sum of its squares."""
    dtype = w.dtype.type
    (total,) = moments
    gradient = penalised(w, gradient, optimizer)
    total += gradient * gradient
    w -= dtype(optimizer["learning_rate"]) * gradient / (np.sqrt(total) + dtype(optimizer["epsilon"]))


def adadelta_step(w: Array, moments: Sequence[Array], gradient: Array, optimizer: Options) -> None:
    """As RMSprop, and multiply by the root of the mean square of the steps."""
    dtype = w.dtype.type
    v, moved = moments
    epsilon = dtype(optimizer["epsilon"])
    gradient = penalised(w, gradient, optimizer)
    mean_square(v, gradient, optimizer)
    step = np.sqrt((moved + epsilon) / (v + epsilon)) * gradient
    mean_square(moved, step, optimizer)
    w -= dtype(optimizer["learning_rate"]) * step


def average(mean: Array, w: Array, rest: float) -> None:
    """Move the mean of the parameters by the share ``rest`` towards the present ones."""
    mean += mean.dtype.type(rest) * (w - mean)


STEPS = {
    "sgd": sgd_step,
    "adam": adam_step,
    "rmsprop": rmsprop_step,
    "adagrad": adagrad_step,
    "adadelta": adadelta_step,
}


def linear_step(
    layer: LayerPlan,
    parameters: Array,
    moments: Sequence[Array],
    d_weight: Array,
    d_vectors: Mapping[str, Array],
    optimizer: Options,
) -> None:
    """Make the solver's step on one layer by these gradients; only weights are penalised."""
    step = STEPS[optimizer["solver"]]
    step(layer.weight_of(parameters), [layer.weight_of(m) for m in moments], d_weight, optimizer)
    for name, gradient in d_vectors.items():
        vectors = [layer.vector_of(name, vector) for vector in (parameters, *moments)]
        step(vectors[0], vectors[1:], gradient, optimizer | NO_PENALTY)
