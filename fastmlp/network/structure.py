"""What a network is made of: its layers, and one flat vector of their parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastmlp.engine.plan import LayerPlan, Plan
from fastmlp.layers import Dense
from fastmlp.network.construction import frozen
from fastmlp.network.parameter_vector import ParameterVector


class Structure:
    """Layers and their parameters, before anything is computed of them.

    Parameters
    ----------
    layers : tuple of Dense
    parameters : ParameterVector
        Laid out for these layers.
    computed_in : str
        The type by name, "bfloat16" also where the parameters are float32.
    """

    def __init__(self, layers: tuple[Dense, ...], parameters: ParameterVector, computed_in: str) -> None:
        self.layers, self._vector, self._computed_in = layers, parameters, computed_in

    @property
    def n_features(self) -> int:
        """The number of inputs."""
        return self._vector.plan.n_features

    @property
    def n_outputs(self) -> int:
        """The number of outputs."""
        return self._vector.plan.n_outputs

    @property
    def dtype(self) -> np.dtype:
        """The type of the parameters and outputs."""
        return self._vector.plan.dtype

    @property
    def is_mixed(self) -> bool:
        """Whether training multiplies in bfloat16."""
        return self._computed_in == "bfloat16"

    @property
    def plan(self) -> Plan:
        """Sizes, types and the layout of the parameters."""
        return self._vector.plan

    def __repr__(self) -> str:
        sizes = "-".join(str(n) for n in (self.n_features, *(layer.units for layer in self.layers)))
        return f"<Network {sizes}, {self._computed_in}>"

    @property
    def parameters(self) -> np.ndarray:
        """All weights and biases; assigning copies into it."""
        return self._vector.values

    @parameters.setter
    def parameters(self, values: np.ndarray) -> None:
        self._vector.assign(values)

    @property
    def coefs_(self) -> list[np.ndarray]:
        """The weights of each layer, (n_in, n_out) as scikit-learn has them: views of `parameters`."""
        return self._vector.split()[0]

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """The biases of each layer, (n_out,): views of `parameters`."""
        return self._vector.split()[1]

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
        return self._vector.parts(vector)

    def split_layer(self, layer: LayerPlan, vector: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Return one layer's `parts`."""
        return self._vector.layer_parts(layer, vector)

    def split(self, vector: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return a vector like `parameters` as weights (n_in, n_out) and biases (n_out,): views of it."""
        return self._vector.split(vector)

    def new_vector(self) -> np.ndarray:
        """Return zeros like `parameters`, aligned as the engine wants them."""
        return self._vector.new_vector()

    def freeze(self, layers: Sequence[int]) -> None:
        """Have training leave these layers as they are; the others learn, also those that did not before.

        Parameters
        ----------
        layers : sequence of int
            Their numbers, from 0 for the first hidden layer; negative ones count from the end. An empty one
            sets all layers free.

        Examples
        --------
        Fine-tune the last layer of a model alone:

        >>> import fastmlp
        >>> X, y, *_ = fastmlp.datasets.load_digits()
        >>> model = fastmlp.fit(X[:500], y[:500], random_state=0)
        >>> model.network_.freeze([0])
        >>> before = model.coefs_[0].copy()
        >>> model = model.partial_fit(X[500:], y[500:])
        >>> bool((model.coefs_[0] == before).all())
        True
        """
        self.layers = frozen(self.layers, layers)
        self._vector.freeze(one.trainable for one in self.layers)
