"""Models that are trained call by call while their parameters change, and what they have in between."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastmlp import MLPClassifier, MLPRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 16))
SIGNAL = X[:, :3] + 0.5 * RNG.normal(size=(60, 3))
TARGETS = {MLPClassifier: SIGNAL.argmax(axis=1), MLPRegressor: np.exp(SIGNAL[:, 0])}
BASE = {"hidden_layer_sizes": (8,), "activation": "tanh", "batch_size": 16, "learning_rate_init": 0.01,
        "max_iter": 1, "random_state": 0}  # fmt: skip


def make(cls=MLPClassifier, **params):
    return cls(**{**BASE, **params})


def train(model, way, **data):
    """Train for an epoch by `partial_fit`, or by `fit` with ``warm_start``."""
    y = TARGETS[MLPClassifier if isinstance(model, MLPClassifier) else MLPRegressor]
    if way == "warm start":
        return model.set_params(warm_start=True).fit(X, y, **data)
    if isinstance(model, MLPClassifier):
        data["classes"] = [0, 1, 2]
    return model.partial_fit(X, y, **data)


def state(model):
    """Return copies of everything that training changes."""
    state = model._session.trainer.state
    return [
        model.network_.parameters.copy(), *(moment.copy() for moment in state.moments), *model.loss_curve_,
        state.n_steps, state.base_rate, state.seed, model.t_, model.predict(X),
    ]  # fmt: skip


def assert_same_state(one, other):
    for mine, theirs in zip(one, other, strict=True):
        assert_array_equal(mine, theirs)


both_ways = pytest.mark.parametrize("way", ["partial_fit", "warm start"])
