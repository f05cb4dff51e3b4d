"""The walk over a plan in NumPy: up the layers, the loss, and down again; the twin of walk.pyx."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp import activations
from fastmlp.engine.plan import LayerPlan, Plan
from fastmlp.engine.reference import Array, Options, Pair
from fastmlp.engine.reference.activations import (
    activation_backward,
    activation_forward,
    prelu_backward,
    prelu_forward,
)
from fastmlp.engine.reference.data import gather
from fastmlp.engine.reference.losses import FROM_LOGITS, LOSSES, weigh
from fastmlp.engine.reference.norms import (
    batch_norm_backward,
    batch_norm_forward,
    fold_norm,
    layer_norm_backward,
    layer_norm_forward,
)
from fastmlp.engine.reference.products import (
    linear_backward,
    linear_forward,
    linear_gradient,
    round_bfloat16,
)
from fastmlp.engine.reference.random import (
    STREAMS,
    STREAMS_PER_LAYER,
    dropout_backward,
    dropout_forward,
    input_dropout,
    input_noise,
)
from fastmlp.engine.sparse_rows import SparseRows, is_sparse
from fastmlp.layers import NORM_EPSILON

#: What is done with the gradients of a layer's weights and of its vectors.
Update = Callable[[LayerPlan, Array, dict[str, Array]], None]


class Walk:
    """One plan over one data set: up the layers, the loss, and down again."""

    def __init__(
        self, plan: Plan, parameters: Array, X: Any, preparation: Pair | None, *, loss: str | None = None,
        loss_options: Options | None = None, targets: Any = None,
        targets_preparation: Pair | None = None, sample_weight: Array | None = None, learns: bool = False,
    ) -> None:  # fmt: skip
        self.learns = learns  # batch normalisation is by the batch
        #: What training does to its inputs and outputs, and to running statistics.
        self.seed, self.step, self.drops, self.norm_momentum = 0, 0, False, 0.0
        self.input_noise = self.input_dropout = 0.0
        self.plan, self.parameters, self.preparation = plan, parameters, preparation
        self.X: Any = SparseRows.of(X, plan.dtype) if is_sparse(X) else X
        if loss == "cross_entropy" and np.ndim(targets) == 2:
            loss = "soft_cross_entropy"
        self.loss: Any = loss  # by name; None where outputs are all that is wanted
        self.loss_options = loss_options or {}
        self.targets, self.targets_preparation = targets, targets_preparation
        self.sample_weight = sample_weight
        self.activations = [layer.activation for layer in plan.layers]
        if loss in FROM_LOGITS:
            self.activations[-1] = "identity"
        #: What each layer keeps of the last batch for the way back: activation'(z) where its outputs do not
        #: tell it, or for prelu z; the normed and 1 / deviation; dropout's factors and the outputs before it.
        self.slopes: list[Any] = [None] * len(plan.layers)
        self.normed: list[Any] = [None] * len(plan.layers)
        self.dropped: list[Any] = [None] * len(plan.layers)
        #: What enters the products.
        self.operand: Callable[[Array], Array] = (
            round_bfloat16 if plan.operations == "bfloat16" else np.asarray
        )

    def batch_of(self, rows: Any) -> Array:
        """Return the chosen samples, prepared, (features, samples)."""
        return gather(self.X, rows, self.preparation, self.plan.dtype)

    def forward(self, rows: Array) -> list[Array]:
        """Return the gathered batch and every layer's outputs, each (features, samples)."""
        x = self.batch_of(rows)
        if self.input_noise:
            x = input_noise(x, self.input_noise, self.seed, self.step, STREAMS["input_noise"])
        if self.input_dropout:
            x = input_dropout(x, self.input_dropout, self.seed, self.step, STREAMS["input_dropout"])
        xs = [x]
        for i, layer in enumerate(self.plan.layers):
            weight = self.operand(layer.weight_of(self.parameters))
            bias = layer.bias_of(self.parameters)
            if layer.norm:
                z = self.norm_forward(i, weight @ self.operand(xs[-1]))
                xs.append(self.activate(i, z))
            elif activations.split(self.activations[i])[0] == "prelu":
                xs.append(self.activate(i, weight @ self.operand(xs[-1]) + bias[:, None]))
            else:
                slopes = self.room_for_slopes(i, len(rows))
                xs.append(linear_forward(weight, bias, self.operand(xs[-1]), self.activations[i], slopes))
            if self.drops and layer.dropout:
                stream = STREAMS["dropout"] + STREAMS_PER_LAYER * i
                y = xs[-1]
                xs[-1], factors = dropout_forward(y, layer.dropout, self.seed, self.step, stream)
                self.dropped[i] = factors, y
        return xs

    def weight_of_batch(self, rows: Array) -> float:
        """Return the sum of the samples' weights; without weights, how many they are."""
        return len(rows) if self.sample_weight is None else self.sample_weight[rows].sum()

    def room_for_slopes(self, i: int, n_samples: int) -> Array | None:
        """Return an array for activation'(z) if a layer's outputs do not tell it."""
        if self.loss is None or not activations.has_slopes(self.activations[i]):
            return None
        self.slopes[i] = np.empty((self.plan.layers[i].n_out, n_samples), dtype=self.plan.dtype)
        return self.slopes[i]

    def norm_forward(self, i: int, z: Array) -> Array:
        """Normalise what a layer's product made."""
        layer = self.plan.layers[i]
        vectors = {name: layer.vector_of(name, self.parameters) for name in layer.vectors}
        scale, bias = vectors["scale"], vectors["bias"]
        if layer.norm == "layer":
            z, *self.normed[i] = layer_norm_forward(z, scale, bias, NORM_EPSILON)
        elif self.learns:
            statistics = vectors["mean"], vectors["variance"]
            z, *self.normed[i] = batch_norm_forward(
                z, *statistics, scale, bias, NORM_EPSILON, self.norm_momentum, is_fixed=not layer.trainable
            )
        else:
            scale, bias = fold_norm(scale, bias, vectors["mean"], vectors["variance"], NORM_EPSILON)
            z = scale[:, None] * z + bias[:, None]
        return z

    def activate(self, i: int, z: Array) -> Array:
        """Apply a layer's activation."""
        if activations.split(self.activations[i])[0] == "prelu":
            self.slopes[i] = z
            return prelu_forward(z, self.plan.layers[i].vector_of("slope", self.parameters))
        return activation_forward(z, self.activations[i], self.room_for_slopes(i, z.shape[1]))

    def unfinish(self, i: int, d: Array, y: Array) -> tuple[Array, dict[str, Array]]:
        """Return the gradient before a layer's product, from that of its outputs y, and its vectors' own."""
        layer, d_vectors = self.plan.layers[i], {}
        if self.dropped[i]:
            factors, y = self.dropped[i]
            d = dropout_backward(d, factors)
        if activations.split(self.activations[i])[0] == "prelu":
            slope = layer.vector_of("slope", self.parameters)
            d, d_vectors["slope"] = prelu_backward(d, self.slopes[i], slope)
        else:
            d = activation_backward(d, y, self.activations[i], self.slopes[i])
        if layer.norm:
            scale = layer.vector_of("scale", self.parameters)
            normed, inverse = self.normed[i]
            if layer.norm == "layer":
                d, *gradients = layer_norm_backward(d, normed, inverse, scale)
            else:
                is_fixed = not layer.trainable
                d, *gradients = batch_norm_backward(d, normed, inverse, scale, is_fixed=is_fixed)
            d_vectors["scale"], d_vectors["bias"] = gradients
        else:
            d_vectors["bias"] = d.sum(axis=1)
        return d, d_vectors

    def loss_gradient(self, rows: Array, outputs: Array, weight: float) -> tuple[float, Array]:
        """Return the sum of the samples' losses, each times its own weight, and the gradient of ``weight``
        times it with respect to the outputs (or logits).
        """
        if self.loss == "cross_entropy":
            targets = self.targets[rows]
        else:
            targets = gather(self.targets, rows, self.targets_preparation, self.plan.dtype)
        losses, d = LOSSES[self.loss](outputs, targets, weight, **self.loss_options)
        if self.sample_weight is not None:
            d, losses = weigh(d, losses, self.sample_weight[rows].astype(self.plan.dtype))
        return losses.astype(np.float64).sum(), d

    def backward(self, xs: list[Array], d: Any, update: Update, to_inputs: bool = False) -> Array | None:
        """Walk down; ``update(layer, d_weight, d_vectors)`` comes after the layer has passed its gradient on.

        Return the gradient of the inputs, if ``to_inputs``: training has no use for it.
        """
        for i in reversed(range(len(self.plan.layers))):
            layer = self.plan.layers[i]
            d, d_vectors = self.unfinish(i, d, xs[i + 1])
            d_x = None
            if i > 0 or to_inputs:
                weight = layer.weight_of(self.parameters)
                d_x = linear_backward(self.operand(weight), self.operand(d), xs[i], "identity")
            # The factors of a product are the operand's, such as `round_bfloat16`; sums are not.
            update(layer, linear_gradient(self.operand(d), self.operand(xs[i]))[0], d_vectors)
            d = d_x
        return d
