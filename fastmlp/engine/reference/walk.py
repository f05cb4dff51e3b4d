"""The walk over a plan's operations in NumPy: up the layers, the loss, and down again; walk.pyx's twin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.engine.plan import LayerPlan, Plan
from fastmlp.engine.reference import Array, Options, Pair
from fastmlp.engine.reference.data import gather
from fastmlp.engine.reference.losses import FROM_LOGITS, LOSSES, weigh
from fastmlp.engine.reference.operations import Batch, operations_of
from fastmlp.engine.reference.random import STREAMS, input_dropout, input_noise
from fastmlp.engine.sparse_rows import SparseRows, is_sparse

#: What is done with the gradients of a layer's weights and of its vectors.
Update = Callable[[LayerPlan, Array, dict[str, Array]], None]


class Walk:
    """One plan over one data set: up the layers, the loss, and down again.

    ``learns``: batch normalisation is by the batch. ``drops``: outputs are dropped. ``to_inputs``: the
    gradient of the inputs is wanted.
    """

    def __init__(
        self, plan: Plan, parameters: Array, X: Any, preparation: Pair | None, *, loss: str | None = None,
        loss_options: Options | None = None, targets: Any = None, targets_preparation: Pair | None = None,
        sample_weight: Array | None = None, learns: bool = False, drops: bool = False,
        to_inputs: bool = False, input_noise: float = 0.0, input_dropout: float = 0.0,
        norm_momentum: float = 0.0, seed: int = 0,
    ) -> None:  # fmt: skip
        self.plan, self.parameters, self.preparation = plan, parameters, preparation
        self.X: Any = SparseRows.of(X, plan.dtype) if is_sparse(X) else X
        if loss == "cross_entropy" and np.ndim(targets) == 2:
            loss = "soft_cross_entropy"
        self.loss: Any = loss  # by name; None where outputs are all that is wanted
        self.loss_options = loss_options or {}
        self.targets, self.targets_preparation = targets, targets_preparation
        self.sample_weight = sample_weight
        self.input_noise, self.input_dropout, self.norm_momentum = input_noise, input_dropout, norm_momentum
        self.seed, self.step = seed, 0
        last = len(plan.layers) - 1
        self.layers = [
            operations_of(
                plan, parameters, i, ends_at_logits=i == last and loss in FROM_LOGITS, learns=learns,
                has_way_back=loss is not None, drops=drops, passes_gradient=i > 0 or to_inputs,
            )
            for i in range(len(plan.layers))
        ]  # fmt: skip

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
        batch = Batch(self.seed, self.step, self.norm_momentum)
        xs = [x]
        for operations in self.layers:
            for operation in operations:
                x = operation.forward(x, batch)
            xs.append(x)
        return xs

    def weight_of_batch(self, rows: Array) -> float:
        """Return the sum of the samples' weights; without weights, how many they are."""
        return len(rows) if self.sample_weight is None else self.sample_weight[rows].sum()

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

    def backward(self, d: Array, update: Update) -> Array:
        """Walk down; ``update(layer, d_weight, d_vectors)`` comes after the layer has passed its gradient on.

        Return the gradient of the inputs, if it is wanted.
        """
        for layer, operations in zip(reversed(self.plan.layers), reversed(self.layers), strict=True):
            gradients: dict[str, Array] = {}
            for operation in reversed(operations):
                d = operation.backward(d)
                gradients.update(operation.gradients)
            update(layer, gradients.pop("weight"), gradients)
        return d
