"""Data and solvers for the tests of the estimators, and the comparison with scikit-learn's."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor

from fastmlp import MLPClassifier, MLPRegressor

ignore_convergence = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N_SAMPLES, N_FEATURES = 90, 7
PAIRS = {
    "binary": (MLPClassifier, TheirClassifier),
    "multiclass": (MLPClassifier, TheirClassifier),
    "multilabel": (MLPClassifier, TheirClassifier),
    "regression": (MLPRegressor, TheirRegressor),
}
SOLVERS = {
    "adam": {"solver": "adam", "learning_rate_init": 0.01},
    "adam, other betas": {"solver": "adam", "beta_1": 0.7, "beta_2": 0.95, "epsilon": 1e-4},
    "sgd": {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.1},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.05},
    "nesterov": {"solver": "sgd", "nesterovs_momentum": True, "learning_rate_init": 0.05},
    "nesterov without momentum": {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.3, "learning_rate_init": 0.1},
    "adaptive": {
        "solver": "sgd", "learning_rate": "adaptive", "tol": 0.1, "n_iter_no_change": 1,
        "learning_rate_init": 0.05,
    },
}  # fmt: skip


def data(task, dtype=np.float64, n=N_SAMPLES, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, N_FEATURES))
    signal = X @ np.random.default_rng(1).normal(size=(N_FEATURES, 3))
    if task == "regression":
        y = np.tanh(signal[:, 0]) + 0.1 * signal[:, 1]
    elif task == "several outputs":
        y = signal
    elif task == "multilabel":
        y = (signal > 0.3).astype(int)
    elif task == "binary":
        y = (signal[:, 0] > 0).astype(int)
    else:
        y = signal.argmax(axis=1)
    return X.astype(dtype), y


def assert_same_fit(ours, theirs, tolerance=1e-9):
    assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=tolerance, atol=tolerance)
    for mine, other in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        assert mine.shape == other.shape
        assert_allclose(mine, other, rtol=0, atol=tolerance * np.abs(other).max())


def quietly(call, *args, **kwargs):
    """Call, without the warning that a few epochs are too few."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return call(*args, **kwargs)


def go_on(model, X, y):
    """Train a model further and return its probabilities; here, where other processes can import it."""
    return model.partial_fit(X, y).predict_proba(X)
