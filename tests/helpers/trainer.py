"""Data, networks and trainers, for the tests of Trainer."""

import numpy as np

from fastmlp import Network, Trainer
from fastmlp.engine.selection import ENGINES as ENGINES_AND_AUTO
from fastmlp.layers import Dense
from fastmlp.optimizers import SGD, Adam

LOSSES = {"cross_entropy": "softmax", "binary_cross_entropy": "logistic", "squared_error": "identity"}
SOLVERS = [SGD(0.05, 0.0), SGD(0.05, 0.9, nesterov=False), SGD(0.05, 0.9), Adam(0.01)]
ENGINES = [name for name in ENGINES_AND_AUTO if name != "auto"]
N = 70


def make_data(loss="cross_entropy", n=N, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    if loss == "cross_entropy":
        return X, (X @ np.random.default_rng(1).normal(size=(6, 3))).argmax(axis=1)
    if loss == "binary_cross_entropy":
        return X, (X[:, :3] > 0).astype(float)
    return X, np.c_[X[:, 0] * X[:, 1], X[:, 2], np.tanh(X[:, 3])]


def make_network(loss="cross_entropy", dtype="float64", hidden=(8, 5), **options):
    layers = [*(Dense(units, "tanh") for units in hidden), Dense(3, LOSSES[loss])]
    return Network(layers, 6, dtype=dtype, **{"random_state": 0, **options})


def make_trainer(loss="cross_entropy", network=None, **options):
    network = network or make_network(loss)
    return Trainer(network, loss, **{"batch_size": 16, "random_state": 0, **options})
