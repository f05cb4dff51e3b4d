"""How a layer's weights and biases begin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class GlorotUniform:
    """Uniform in +-sqrt(factor / (n_in + n_out)), weights and biases alike, drawn as scikit-learn does.

    X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
    The same `numpy.random.RandomState` gives the weights that scikit-learn's MLP begins with.

    Parameters
    ----------
    factor : float, default=6
        scikit-learn takes 2 when the hidden activation is logistic.
    """

    factor: float = 6.0

    def draw(self, random_state, n_in: int, n_out: int) -> tuple[np.ndarray, np.ndarray]:
        """Return weights (n_in, n_out) and biases (n_out,), in float64."""
        bound = np.sqrt(self.factor / (n_in + n_out))
        return random_state.uniform(-bound, bound, (n_in, n_out)), random_state.uniform(-bound, bound, n_out)


#: The initializers by name, as strings choose them.
BY_NAME = {"glorot_uniform": GlorotUniform}
