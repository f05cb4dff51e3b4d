"""Data and comparisons for the tests of fit_many."""

from dataclasses import dataclass

import numpy as np
from numpy.testing import assert_array_equal
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from threadpoolctl import threadpool_limits

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from helpers.estimators import quietly

N_JOBS = [1, 2, 4]


def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return X / X.max(axis=0), np.array(["malignant", "benign"])[y]


def iris():
    frame = load_iris(as_frame=True)
    return frame.data, frame.target.to_numpy()


def labels():
    X, y = cancer()
    return X, np.c_[y == "benign", X[:, 0] > X[:, 0].mean(), X[:, 1] > 0.5].astype(int)


def diabetes():
    return load_diabetes(return_X_y=True)


def targets():
    X, y = diabetes()
    return X.astype(np.float32), np.c_[y, X[:, 2]]


def digits():
    data = fastmlp.datasets.load_digits()
    return data.X_train, data.y_train


CASES = {
    "two classes, names": (MLPClassifier, cancer),
    "three classes, frame": (MLPClassifier, iris),
    "bytes": (MLPClassifier, digits),
    "indicators": (MLPClassifier, labels),
    "regression": (MLPRegressor, diabetes),
    "two targets": (MLPRegressor, targets),
}


@dataclass(frozen=True)
class DivergeAfter:
    """A callback that makes the epoch after this one diverge."""

    epoch: int

    def __call__(self, event):
        if event.epoch == self.epoch:
            event.network.parameters[:] = np.nan


def alone(estimator, configuration, X, y, **validation):
    """Return the model fitted in the plain way, with BLAS on one thread."""
    model = type(estimator)(**{**estimator.get_params(), **configuration})
    with threadpool_limits(1, user_api="blas"):
        return quietly(model.fit, X, y, **validation)


def assert_same_model(model, expected, X):
    assert type(model) is type(expected)
    assert vars(model).keys() == vars(expected).keys()
    assert_array_equal(model.network_.parameters, expected.network_.parameters)
    for name in ("n_features_in_", "n_iter_", "t_", "loss_curve_", "validation_scores_", "n_outputs_"):
        assert getattr(model, name) == getattr(expected, name), name
    for name in ("classes_", "feature_names_in_"):
        assert hasattr(model, name) == hasattr(expected, name)
        if hasattr(model, name):
            assert_array_equal(getattr(model, name), getattr(expected, name))
    assert_array_equal(model.predict(X), expected.predict(X))
