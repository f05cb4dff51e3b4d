"""Tests of scikit-learn's metadata routing: weights and validation data reach fit and partial_fit."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.metrics import accuracy_score, make_scorer, r2_score
from sklearn.model_selection import GridSearchCV, KFold, cross_validate, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier, MLPRegressor
from helpers.estimators import ignore_convergence

pytestmark = ignore_convergence


@pytest.fixture(autouse=True)
def routing():
    with config_context(enable_metadata_routing=True):
        yield


def weights_of(y):
    return np.random.default_rng(0).uniform(0.1, 3, len(y))


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_the_requests_of_fit_and_partial_fit_can_be_set(cls):
    wanted = {"sample_weight": True, "X_val": True, "y_val": True}
    model = cls().set_fit_request(**wanted).set_partial_fit_request(**wanted)
    requests = model.get_metadata_routing()
    assert requests.fit.requests == wanted
    assert {name: requests.partial_fit.requests[name] for name in wanted} == wanted
    assert ("classes" in requests.partial_fit.requests) == (cls is MLPClassifier)


@pytest.mark.parametrize(("cls", "loader"), [(MLPClassifier, load_wine), (MLPRegressor, load_diabetes)])
def test_a_pipeline_prepares_the_validation_data_too(cls, loader):
    X, X_val, y, y_val = train_test_split(*loader(return_X_y=True), random_state=0)
    weight = weights_of(y)
    params = {"max_iter": 5, "random_state": 0, "early_stopping": True}
    model = cls(hidden_layer_sizes=(8,), **params).set_fit_request(sample_weight=True, X_val=True, y_val=True)
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    pipeline = Pipeline([("scale", scaler), ("mlp", model)], transform_input=["X_val"])
    pipeline.fit(X, y, sample_weight=weight, X_val=X_val, y_val=y_val)
    scaled = StandardScaler().fit(X)
    alone = cls(hidden_layer_sizes=(8,), **params).fit(
        scaled.transform(X), y, sample_weight=weight, X_val=scaled.transform(X_val), y_val=y_val
    )
    assert_array_equal(pipeline[-1].network_.parameters, alone.network_.parameters)
    assert pipeline[-1].validation_scores_ == alone.validation_scores_
    assert max(alone.validation_scores_) == pytest.approx(pipeline.score(X_val, y_val))


def test_a_grid_search_hands_weights_to_fit_and_to_the_score():
    X, y = load_breast_cancer(return_X_y=True)
    weight, cv = weights_of(y), KFold(3)
    model = MLPClassifier((8,), max_iter=3, prepare="table", random_state=0).set_fit_request(
        sample_weight=True
    )
    scorer = make_scorer(accuracy_score).set_score_request(sample_weight=True)
    search = GridSearchCV(model, {"alpha": [1e-4, 1.0]}, cv=cv, scoring=scorer)
    search.fit(X, y, sample_weight=weight)
    for i, alpha in enumerate([1e-4, 1.0]):
        for fold, (train, test) in enumerate(cv.split(X)):
            alone = MLPClassifier((8,), alpha=alpha, max_iter=3, prepare="table", random_state=0)
            alone.fit(X[train], y[train], sample_weight=weight[train])
            expected = alone.score(X[test], y[test], sample_weight=weight[test])
            assert_allclose(search.cv_results_[f"split{fold}_test_score"][i], expected)


def test_cross_validation_hands_weights_to_a_pipelines_fit():
    X, y = load_diabetes(return_X_y=True)
    weight, cv = weights_of(y), KFold(3)
    model = MLPRegressor(hidden_layer_sizes=(8,), max_iter=5, solver="lbfgs", random_state=0).set_fit_request(
        sample_weight=True
    )
    pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=True), model)
    scorer = make_scorer(r2_score).set_score_request(sample_weight=False)
    results = cross_validate(
        pipeline, X, y, cv=cv, params={"sample_weight": weight}, return_estimator=True, scoring=scorer
    )
    for (train, _), fitted in zip(cv.split(X), results["estimator"], strict=True):
        scaler = StandardScaler().fit(X[train], sample_weight=weight[train])
        alone = MLPRegressor(hidden_layer_sizes=(8,), max_iter=5, solver="lbfgs", random_state=0)
        alone.fit(scaler.transform(X[train]), y[train], sample_weight=weight[train])
        assert_array_equal(fitted[-1].network_.parameters, alone.network_.parameters)


def test_what_is_not_requested_is_refused():
    X, y = load_wine(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), MLPClassifier())
    with pytest.raises(ValueError, match="sample_weight"):
        pipeline.fit(X, y, sample_weight=weights_of(y))
