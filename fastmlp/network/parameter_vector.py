"""The parameters of a network, one flat vector, and what of it belongs to which layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp import activations, initializers
from fastmlp._support.checks import named
from fastmlp.engine.plan import LayerPlan, Plan, aligned_zeros
from fastmlp.layers import Dense


class NetworkParameters:
    """Base of `Network`, whose constructor makes the plan and the vector."""

    _plan: Plan
    _parameters: np.ndarray

    @property
    def plan(self) -> Plan:
        """Sizes, types and the layout of the parameters."""
        return self._plan

    @property
    def dtype(self) -> np.dtype:
        """The type of the parameters and outputs."""
        return self._plan.dtype

    @property
    def n_features(self) -> int:
        """The number of inputs."""
        return self._plan.n_features

    @property
    def n_outputs(self) -> int:
        """The number of outputs."""
        return self._plan.n_outputs

    @property
    def parameters(self) -> np.ndarray:
        """All weights and biases; assigning copies into it."""
        return self._parameters

    @parameters.setter
    def parameters(self, values: np.ndarray) -> None:
        values = np.asarray(values)
        if values.shape != self._parameters.shape or values.dtype != self.dtype:
            raise ValueError(
                f"parameters must be {self.dtype} of shape {self._parameters.shape}, "
                f"not {values.dtype} of shape {values.shape}."
            )
        self._parameters[:] = values

    @property
    def coefs_(self) -> list[np.ndarray]:
        """The weights of each layer, (n_in, n_out) as scikit-learn has them: views of `parameters`."""
        return [layer.weight_of(self.parameters).T for layer in self._plan.layers]

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """The biases of each layer, (n_out,): views of `parameters`."""
        return [layer.bias_of(self.parameters) for layer in self._plan.layers]

    def parts(self, vector: np.ndarray | None = None) -> list[dict[str, np.ndarray]]:
        """Return each layer's parts of `parameters`, or of a vector like it, by their names: views of it.

        ``"weight"`` (n_out, n_in), and of (n_out,) each ``"bias"``, the ``"scale"`` of a normalisation, the
        ``"slope"`` of prelu, and the running ``"mean"`` and ``"variance"`` of a batch normalisation.

        Examples
        --------
        >>> from fastmlp import Network
        >>> network = Network([Dense(8, "prelu", batch_norm=True), Dense(1, "identity")], n_features=2)
        >>> [list(parts) for parts in network.parts()]
        [['weight', 'bias', 'scale', 'slope', 'mean', 'variance'], ['weight', 'bias']]
        """
        return [self.split_layer(layer, vector) for layer in self._plan.layers]

    def split_layer(self, layer: LayerPlan, vector: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Return one layer's `parts`."""
        vector = self._parameters if vector is None else vector
        return {"weight": layer.weight_of(vector)} | {
            name: layer.vector_of(name, vector) for name in layer.vectors
        }

    def split(self, vector: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return a vector like `parameters` as weights (n_in, n_out) and biases (n_out,): views of it."""
        layers = self._plan.layers
        return [layer.weight_of(vector).T for layer in layers], [layer.bias_of(vector) for layer in layers]

    def new_vector(self) -> np.ndarray:
        """Return zeros like `parameters`, aligned as the engine wants them."""
        return aligned_zeros(self._plan.n_parameters, self.dtype)

    def _draw(self, layers: Sequence[Dense], initializer: Any, random_state: np.random.RandomState) -> None:
        """Give all parameters their first values."""
        ways = initializers.one_per_layer("initializer", initializer, len(layers))
        for layer, dense, way in zip(self._plan.layers, layers, ways, strict=True):
            if dense.initializer is not None:
                way = named("initializer", dense.initializer, initializers.BY_NAME)
            weight, bias = way.draw(random_state, layer.n_in, layer.n_out)
            parts = self.split_layer(layer)
            parts["weight"][:], parts["bias"][:] = weight.T, bias
            for name in parts.keys() & {"scale", "variance"}:
                parts[name][:] = 1
            if "slope" in parts:
                parts["slope"][:] = activations.split(layer.activation)[1]
