"""What a layer is made of, in NumPy; the twin of operations.pyx and csrc/operations.h.

A layer is a list of operations: its product, then perhaps a normalisation, its activation and dropout. Each
takes a matrix (units, samples), a column for each sample, and has a way forward and a way back::

    y = operation.forward(x, batch)     and it keeps what the way back needs
    d_x = operation.backward(d_y)       and it leaves the gradients of what it learns in `gradients`

``d_`` is the gradient of the loss with respect to what follows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp import activations
from fastmlp.engine.plan import LayerPlan, Plan
from fastmlp.engine.reference import Array
from fastmlp.engine.reference.activations import (
    activation_backward,
    activation_forward,
    prelu_backward,
    prelu_forward,
)
from fastmlp.engine.reference.norms import (
    batch_norm_backward,
    batch_norm_forward,
    fold_norm,
    layer_norm_backward,
    layer_norm_forward,
)
from fastmlp.engine.reference.products import linear_backward, linear_gradient, round_bfloat16
from fastmlp.engine.reference.random import STREAMS, STREAMS_PER_LAYER, dropout_backward, dropout_forward
from fastmlp.layers import NORM_EPSILON


@dataclass(frozen=True)
class Batch:
    """What a pass knows of its batch: the key of random numbers, and how far running statistics move."""

    seed: int
    step: int
    norm_momentum: float


class Operation:
    """The base: an operation of one layer, whose parameters are part of a vector."""

    def __init__(self, plan: LayerPlan, parameters: Array) -> None:
        self.plan, self.parameters = plan, parameters
        #: Of the weights and vectors that it learns, by name.
        self.gradients: dict[str, Array] = {}
        self.kept: Any = None

    def vector(self, name: str) -> Array:
        """Return one of the layer's vectors, (n_out,)."""
        return self.plan.vector_of(name, self.parameters)

    def forward(self, x: Array, batch: Batch) -> Array:
        """Return the outputs for x."""
        raise NotImplementedError

    def backward(self, d: Array) -> Array:
        """Return the gradient of what `forward` was given, from that of its outputs."""
        raise NotImplementedError


class Linear(Operation):
    """z = W x + b, or without a bias where a normalisation follows, whose shift it is.

    The factors of a product are the ``operand``'s, such as `round_bfloat16`; sums are not.
    """

    def __init__(
        self, plan: LayerPlan, parameters: Array, *, has_bias: bool, passes_gradient: bool,
        operand: Callable[[Array], Array],
    ) -> None:  # fmt: skip
        super().__init__(plan, parameters)
        self.has_bias, self.passes_gradient, self.operand = has_bias, passes_gradient, operand

    def forward(self, x: Array, batch: Batch) -> Array:
        """Return z, (n_out, samples)."""
        self.kept = x
        z = self.operand(self.plan.weight_of(self.parameters)) @ self.operand(x)
        return z + self.vector("bias")[:, None] if self.has_bias else z

    def backward(self, d: Array) -> Array:
        """Return W^T d, or d itself where nobody asks for it; d_W = d x^T, d_b = sum d."""
        x, weight = self.kept, self.plan.weight_of(self.parameters)
        self.gradients = {"weight": linear_gradient(self.operand(d), self.operand(x))[0]}
        if self.has_bias:
            self.gradients["bias"] = d.sum(axis=1)
        return (
            linear_backward(self.operand(weight), self.operand(d), x, "identity")
            if self.passes_gradient
            else d
        )


class BatchNorm(Operation):
    """Scale n + bias, n the z of each unit with the mean and variance of the batch taken out."""

    def forward(self, z: Array, batch: Batch) -> Array:
        """Return the outputs; move the running mean and variance, or go by them where they are fixed."""
        z, normed, inverse = batch_norm_forward(
            z, self.vector("mean"), self.vector("variance"), self.vector("scale"), self.vector("bias"),
            NORM_EPSILON, batch.norm_momentum, is_fixed=not self.plan.trainable,
        )  # fmt: skip
        self.kept = normed, inverse
        return z

    def backward(self, d: Array) -> Array:
        """Return d_z."""
        normed, inverse = self.kept
        d, d_scale, d_bias = batch_norm_backward(
            d, normed, inverse, self.vector("scale"), is_fixed=not self.plan.trainable
        )
        self.gradients = {"scale": d_scale, "bias": d_bias}
        return d


class FoldedNorm(Operation):
    """The same in predictions: by the running mean and variance, as one scale and bias; no way back."""

    def forward(self, z: Array, batch: Batch) -> Array:
        """Return the outputs."""
        scale, bias = fold_norm(
            self.vector("scale"),
            self.vector("bias"),
            self.vector("mean"),
            self.vector("variance"),
            NORM_EPSILON,
        )
        return scale[:, None] * z + bias[:, None]


class LayerNorm(Operation):
    """Scale n + bias, n the z of each sample with the mean and variance of its units taken out."""

    def forward(self, z: Array, batch: Batch) -> Array:
        """Return the outputs."""
        z, normed, inverse = layer_norm_forward(z, self.vector("scale"), self.vector("bias"), NORM_EPSILON)
        self.kept = normed, inverse
        return z

    def backward(self, d: Array) -> Array:
        """Return d_z."""
        normed, inverse = self.kept
        d, d_scale, d_bias = layer_norm_backward(d, normed, inverse, self.vector("scale"))
        self.gradients = {"scale": d_scale, "bias": d_bias}
        return d


class Apply(Operation):
    """y = activation(z). Where y does not tell the derivative, the slopes activation'(z) are kept."""

    def __init__(self, plan: LayerPlan, parameters: Array, activation: str, *, has_way_back: bool) -> None:
        super().__init__(plan, parameters)
        self.activation = activation
        self.has_slopes = has_way_back and activations.has_slopes(activation)

    def forward(self, z: Array, batch: Batch) -> Array:
        """Return y."""
        slopes = np.empty_like(z) if self.has_slopes else None
        y = activation_forward(z, self.activation, slopes)
        self.kept = y, slopes
        return y

    def backward(self, d: Array) -> Array:
        """Return d activation'(z)."""
        y, slopes = self.kept
        return activation_backward(d, y, self.activation, slopes)


class PReLU(Operation):
    """y = z where z > 0, slope z below, with a slope for each unit."""

    def forward(self, z: Array, batch: Batch) -> Array:
        """Return y."""
        self.kept = z
        return prelu_forward(z, self.vector("slope"))

    def backward(self, d: Array) -> Array:
        """Return d_z."""
        d, self.gradients["slope"] = prelu_backward(d, self.kept, self.vector("slope"))
        return d


class Dropout(Operation):
    """Each output times 0 with the layer's probability, else times 1 / (1 - probability)."""

    def __init__(self, plan: LayerPlan, parameters: Array, index: int) -> None:
        super().__init__(plan, parameters)
        self.stream = STREAMS["dropout"] + STREAMS_PER_LAYER * index

    def forward(self, y: Array, batch: Batch) -> Array:
        """Return what is left."""
        y, self.kept = dropout_forward(y, self.plan.dropout, batch.seed, batch.step, self.stream)
        return y

    def backward(self, d: Array) -> Array:
        """Return d times the factors."""
        return dropout_backward(d, self.kept)


def operations_of(
    plan: Plan, parameters: Array, index: int, *, ends_at_logits: bool, learns: bool, has_way_back: bool,
    drops: bool, passes_gradient: bool,
) -> list[Operation]:  # fmt: skip
    """Return what a layer consists of, in the order of the way forward."""
    layer = plan.layers[index]
    operand: Callable[[Array], Array] = round_bfloat16 if plan.operations == "bfloat16" else np.asarray
    operations: list[Operation] = [
        Linear(layer, parameters, has_bias=not layer.norm, passes_gradient=passes_gradient, operand=operand)
    ]
    if layer.norm == "layer":
        operations.append(LayerNorm(layer, parameters))
    elif layer.norm:
        operations.append((BatchNorm if learns else FoldedNorm)(layer, parameters))
    activation = "identity" if ends_at_logits else layer.activation
    if activations.split(activation)[0] == "prelu":
        operations.append(PReLU(layer, parameters))
    else:
        operations.append(Apply(layer, parameters, activation, has_way_back=has_way_back))
    if drops and layer.dropout:
        operations.append(Dropout(layer, parameters, index))
    return operations
