"""The parameters of a network: one flat vector, and its views that belong to the layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from fastmlp.engine.plan import LayerPlan, Plan, aligned_zeros
from fastmlp.initializers import Initializer
from fastmlp.layers import initial_value


class ParameterVector:
    """All parameters of a network in one aligned vector, laid out by a plan.

    Parameters
    ----------
    plan : Plan

    Attributes
    ----------
    values : ndarray of shape (n,)
        The vector itself; zeros at first.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.values = self.new_vector()

    def new_vector(self) -> np.ndarray:
        """Return zeros like `values`, aligned as the engine wants them."""
        return aligned_zeros(self.plan.n_parameters, self.plan.dtype)

    def assign(self, values: np.ndarray) -> None:
        """Copy a vector of the same type and shape into this one.

        Raises
        ------
        ValueError
            If it has another type or shape.
        """
        values = np.asarray(values)
        if values.shape != self.values.shape or values.dtype != self.values.dtype:
            raise ValueError(
                f"parameters must be {self.values.dtype} of shape {self.values.shape}, "
                f"not {values.dtype} of shape {values.shape}."
            )
        self.values[:] = values

    def freeze(self, trainable: Iterable[bool]) -> None:
        """Note in the plan which layers learn; nothing else of it changes."""
        layers = zip(self.plan.layers, trainable, strict=True)
        self.plan = replace(self.plan, layers=tuple(replace(one, trainable=learns) for one, learns in layers))

    def parts(self, vector: np.ndarray | None = None) -> list[dict[str, np.ndarray]]:
        """Return each layer's parts, see `Network.parts`."""
        return [self.layer_parts(layer, vector) for layer in self.plan.layers]

    def layer_parts(self, layer: LayerPlan, vector: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Return the parts of one layer by their names: views of this vector, or of one like it."""
        vector = self.values if vector is None else vector
        return {"weight": layer.weight_of(vector)} | {
            name: layer.vector_of(name, vector) for name in layer.vectors
        }

    def split(self, vector: np.ndarray | None = None) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return the weights, (n_in, n_out), and the biases, (n_out,), of each layer: views."""
        vector = self.values if vector is None else vector
        layers = self.plan.layers
        return [layer.weight_of(vector).T for layer in layers], [layer.bias_of(vector) for layer in layers]

    def by_name(self) -> dict[str, np.ndarray]:
        """Return the parts of all layers under the names that files give them, such as "layers.0.weight"."""
        return {
            f"layers.{i}.{name}": np.ascontiguousarray(part)
            for i, parts in enumerate(self.parts())
            for name, part in parts.items()
        }

    def assign_by_name(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Copy the arrays that `by_name` gave into this vector."""
        for i, parts in enumerate(self.parts()):
            for name, part in parts.items():
                part[:] = arrays[f"layers.{i}.{name}"]

    def draw(self, initializers: Sequence[Initializer], random_state: np.random.RandomState) -> None:
        """Give all parameters their first values, by an initializer for each layer."""
        for layer, initializer in zip(self.plan.layers, initializers, strict=True):
            weight, bias = initializer.draw(random_state, layer.n_in, layer.n_out)
            parts = self.layer_parts(layer)
            parts["weight"][:], parts["bias"][:] = weight.T, bias
            for name in layer.vectors[1:]:
                parts[name][:] = initial_value(name, layer.activation)
