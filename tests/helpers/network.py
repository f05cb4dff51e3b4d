"""Networks, inputs and predictions by hand, for the tests of Network."""

import numpy as np
from scipy.special import expit, softmax

from fastmlp import Network
from fastmlp.engine.selection import ENGINES
from fastmlp.layers import Dense
from fastmlp.network.preparation import Preparation

DTYPES = ["float32", "float64"]
CHOSEN = [name for name in ENGINES if name != "auto"]
ACTIVATIONS = ["identity", "relu", "tanh", "logistic", "softmax"]
FUNCTIONS = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "logistic": expit,
    "softmax": lambda z: softmax(z, axis=1),
}
PREPARATION = Preparation(np.array([1.0, -2.0, 100.0, 0.0, 3.0]), np.array([0.5, 2.0, 0.01, 1.0, 3.0]))


def make_network(hidden=(9, 6), last=(3, "softmax"), activation="tanh", n_features=5, **options):
    layers = [*(Dense(units, activation) for units in hidden), Dense(*last)]
    return Network(layers, n_features, random_state=0, **options)


def make_inputs(n=40, n_features=5, seed=0):
    return np.random.default_rng(seed).normal(size=(n, n_features))


def by_hand(network, X):
    """Return every layer's activations, in float64 and plain NumPy."""
    x = np.asarray(X, dtype=np.float64)
    if network.preparation is not None:
        x = (x - network.preparation.center) * network.preparation.scale
    activations = []
    for layer, coef, intercept in zip(network.layers, network.coefs_, network.intercepts_, strict=True):
        x = FUNCTIONS[layer.activation](x @ coef.astype(np.float64) + intercept)
        activations.append(x)
    return activations
