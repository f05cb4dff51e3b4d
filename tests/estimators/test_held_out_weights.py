"""Tests of which rows are held out for early stopping where some of them weigh nothing."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.ensemble import AdaBoostClassifier, AdaBoostRegressor, BaggingClassifier, BaggingRegressor
from sklearn.model_selection import train_test_split

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.estimators import reading
from fastmlp.estimators.held_out import HeldOut
from helpers.estimators import data, ignore_convergence

pytestmark = [ignore_convergence, pytest.mark.filterwarnings("ignore:.*algorithm:FutureWarning")]

N = 200
TASKS = ["binary", "multiclass", "multilabel", "regression", "several outputs"]
PARAMS = {"hidden_layer_sizes": (8,), "max_iter": 3, "early_stopping": True, "random_state": 0}


def model_for(task, **params):
    cls = MLPRegressor if task in ("regression", "several outputs") else MLPClassifier
    return cls(**PARAMS, **params)


def held_out_by(train, monkeypatch):
    """Return the rows that a fit trains on and those that it holds out."""
    found = []
    split = reading.split

    def spy(*args):
        found.append(split(*args))
        return found[-1]

    monkeypatch.setattr(reading, "split", spy)
    train()
    ((rows, held_out),) = found
    return rows, held_out


def fit(model, X, y, weights):
    model.fit(X, y, sample_weight=weights)


def fit_one_line(model, X, y, weights):
    task = "classification" if isinstance(model, MLPClassifier) else "regression"
    fastmlp.fit(X, y, sample_weight=weights, task=task, **PARAMS)


def fit_many(model, X, y, weights):
    fastmlp.fit_many([model], X, y, sample_weight=weights)


@pytest.mark.parametrize("way", [fit, fit_one_line, fit_many])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("n_weighted", [20, 60])
def test_only_rows_with_weight_are_held_out(task, n_weighted, way, monkeypatch):
    X, y = data(task, n=N)
    weights = np.zeros(N)
    weights[np.random.default_rng(1).choice(N, n_weighted, replace=False)] = 2.0
    rows, held_out = held_out_by(lambda: way(model_for(task), X, y, weights), monkeypatch)
    assert (weights[held_out] > 0).all()
    assert len(held_out) == n_weighted // 10
    assert_array_equal(np.sort([*rows, *held_out]), np.arange(N))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    "weights", [None, np.ones(N), np.arange(1, N + 1) / 7], ids=["none", "ones", "others"]
)
def test_where_all_rows_weigh_something_the_same_are_held_out_as_ever(task, weights, monkeypatch):
    X, y = data(task, n=N)
    model = model_for(task)
    rows, held_out = held_out_by(lambda: model.fit(X, y, sample_weight=weights), monkeypatch)
    strata = {"binary": y, "multiclass": y}.get(task)
    # As ever: of all rows, by the random state that the weights were drawn by.
    expected = train_test_split(
        np.arange(N),
        test_size=0.1,
        stratify=strata,
        random_state=HeldOut(0.1, model._session.random_state).generator(),
    )
    assert_array_equal(rows, expected[0])
    assert_array_equal(held_out, expected[1])


def test_weights_of_classes_count(monkeypatch):
    X, y = data("multiclass", n=N)
    model = model_for("multiclass", class_weight={0: 0.0, 1: 1.0, 2: 2.0})
    weights = np.where(np.arange(N) % 2, 1.0, 0.0)
    rows, held_out = held_out_by(lambda: model.fit(X, y, sample_weight=weights), monkeypatch)
    assert set(y[held_out]) == {1, 2}
    assert (weights[held_out] > 0).all()
    assert len(rows) + len(held_out) == N


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_rows_with_weight_are_held_out_by_class(task, monkeypatch):
    X, y = data(task, n=N)
    weights = np.zeros(N)
    for label in np.unique(y):
        weights[np.flatnonzero(y == label)[:10]] = 1.0
    model = model_for(task, validation_fraction=0.2)
    _, held_out = held_out_by(lambda: model.fit(X, y, sample_weight=weights), monkeypatch)
    assert_array_equal(np.bincount(y[held_out]), 2)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
@pytest.mark.parametrize("n_of_last", [0, 1])
def test_a_class_with_one_row_or_none_of_any_weight_is_no_error(task, n_of_last, monkeypatch):
    X, y = data(task, n=N)
    weights = np.ones(N)
    last = np.flatnonzero(y == y.max())
    weights[last[n_of_last:]] = 0.0
    model = model_for(task)
    _, held_out = held_out_by(lambda: model.fit(X, y, sample_weight=weights), monkeypatch)
    assert (weights[held_out] > 0).all()
    assert len(model.classes_) == y.max() + 1


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("n_weighted", [1, 2, 10])
def test_too_few_rows_with_weight_are_said_to_be_too_few(task, n_weighted):
    X, y = data(task, n=N)
    weights = np.zeros(N)
    weights[:n_weighted] = 1.0
    message = rf"validation set is too small.* of {n_weighted} rows? with weight is 1\."
    with pytest.raises(ValueError, match=message):
        model_for(task).fit(X, y, sample_weight=weights)


def test_validation_scores_are_of_the_rows_with_weight():
    X, y = data("binary", n=N)
    weights = np.where(np.arange(N) < 40, 1.0, 0.0)
    seen = []

    def score(estimator, X_val, y_val, sample_weight):
        seen.append(sample_weight)
        return estimator.score(X_val, y_val, sample_weight)

    model_for("binary", scoring=score).fit(X, y, sample_weight=weights)
    assert all((weights > 0).all() and len(weights) == 4 for weights in seen)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("ensemble", ["bagging", "boosting"])
def test_ensembles_of_models_that_stop_early_are_fitted(task, ensemble):
    X, y = data(task, n=N)
    model = model_for(task, learning_rate_init=0.03).set_params(random_state=None, max_iter=20)
    makers = {
        "bagging": {"regression": BaggingRegressor, "classes": BaggingClassifier},
        "boosting": {"regression": AdaBoostRegressor, "classes": AdaBoostClassifier},
    }
    make = makers[ensemble]["regression" if task == "regression" else "classes"]
    params = {"max_samples": 0.1} if ensemble == "bagging" else {}
    fitted = make(model, n_estimators=5, random_state=0, **params).fit(X, y)
    assert np.isfinite(fitted.score(X, y))


def test_a_warm_start_holds_out_the_same_rows(monkeypatch):
    X, y = data("binary", n=N)
    weights = np.where(np.arange(N) < 60, 1.0, 0.0)
    model = model_for("binary", warm_start=True)
    first = held_out_by(lambda: model.fit(X, y, sample_weight=weights), monkeypatch)
    monkeypatch.undo()
    second = held_out_by(lambda: model.fit(X, y, sample_weight=weights), monkeypatch)
    for one, other in zip(first, second, strict=True):
        assert_array_equal(one, other)
