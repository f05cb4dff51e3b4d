"""Tests of fit_many: the same models as fitted alone, from one copy of the data, on several threads."""

import pickle
import threading

import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_array_equal
from sklearn.model_selection import ParameterGrid, ParameterSampler
from threadpoolctl import threadpool_info, threadpool_limits

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, fit_many
from fastmlp.estimators.base import BaseMLP
from helpers.estimators import ignore_convergence, quietly
from helpers.many import CASES, N_JOBS, alone, assert_same_model, cancer, diabetes

GRID = ParameterGrid(
    [
        {"hidden_layer_sizes": [(9,), (16, 8)], "solver": ["sgd", "adam"], "dtype": ["auto", "float32"]},
        {"prepare": ["auto", "table"], "activation": ["tanh"], "batch_size": [7, 32]},
        {"engine": ["tile", "blas", "reference"], "learning_rate": ["one_cycle"]},
    ]
)
DEFAULTS = {"hidden_layer_sizes": (10,), "max_iter": 4, "random_state": 3}


# -------------------------------------------------------------------------------------------- the same models


@ignore_convergence
@pytest.mark.parametrize("n_jobs", N_JOBS)
@pytest.mark.parametrize("case", CASES)
def test_every_model_has_the_bits_of_one_fitted_alone(case, n_jobs):
    cls, load = CASES[case]
    X, y = load()
    base = cls(**DEFAULTS)
    models = fit_many(GRID, X, y, estimator=base, n_jobs=n_jobs)
    assert len(models) == len(GRID)
    for model, configuration in zip(models, GRID, strict=True):
        assert_same_model(model, alone(base, configuration, X, y), X)


@ignore_convergence
@pytest.mark.parametrize("case", CASES)
def test_validation_scores_are_those_of_a_model_fitted_alone(case):
    cls, load = CASES[case]
    X, y = load()
    X, y, X_val, y_val = X[::2], y[::2], X[1::5], y[1::5]
    data = {"X_val": X_val, "y_val": y_val}
    base = cls(**DEFAULTS)
    grid = ParameterGrid({"learning_rate_init": [0.001, 0.01], "prepare": [None, "table"]})
    models = fit_many(grid, X, y, estimator=base, n_jobs=2, **data)
    for model, configuration in zip(models, grid, strict=True):
        assert len(model.validation_scores_) == 4
        assert_same_model(model, alone(base, configuration, X, y, **data), X)


@ignore_convergence
def test_models_go_on_training_and_travel_as_those_fitted_alone_do(tmp_path):
    X, y = cancer()
    grid = [{"solver": "sgd"}, {"solver": "adam", "prepare": "table"}]
    base = MLPClassifier(**DEFAULTS)
    for model, configuration in zip(fit_many(grid, X, y, estimator=base, n_jobs=2), grid, strict=True):
        expected = alone(base, configuration, X, y)
        model.save(tmp_path / "model.safetensors")
        for copy in (pickle.loads(pickle.dumps(model)), fastmlp.load(tmp_path / "model.safetensors")):
            assert_array_equal(copy.predict(X), expected.predict(X))
        assert_array_equal(
            model.partial_fit(X, y).network_.parameters, expected.partial_fit(X, y).network_.parameters
        )


@pytest.mark.parametrize(("load", "cls"), [(cancer, MLPClassifier), (diabetes, MLPRegressor)])
def test_the_targets_choose_the_estimator_and_the_rest_are_its_defaults(load, cls):
    X, y = load()
    (model,) = quietly(fit_many, [{"max_iter": 2, "random_state": 0}], X, y)
    assert_same_model(model, alone(cls(), {"max_iter": 2, "random_state": 0}, X, y), X)
    assert model.get_params() == cls(max_iter=2, random_state=0).get_params()


@ignore_convergence
def test_configurations_may_be_estimators_samples_or_come_one_by_one():
    X, y = cancer()
    given = [
        MLPClassifier((4,), max_iter=2, random_state=0),
        MLPRegressor(hidden_layer_sizes=(5,), max_iter=2, random_state=1),
    ]
    codes = (y == "benign").astype(int)
    models = fit_many(given, X, codes, n_jobs=2)
    for model, estimator in zip(models, given, strict=True):
        assert not hasattr(estimator, "network_")
        assert_same_model(model, alone(estimator, {}, X, codes), X)
    sizes = [(3,), (4,), (5,), (6,)]
    models = fit_many(({"hidden_layer_sizes": size, "max_iter": 1} for size in sizes), X, y, n_jobs=2)
    assert [model.coefs_[0].shape[1] for model in models] == [3, 4, 5, 6]
    sampler = ParameterSampler({"alpha": [0, 0.1, 1], "max_iter": [1, 2]}, n_iter=5, random_state=0)
    assert [model.alpha for model in fit_many(sampler, X, y, n_jobs=2)] == [c["alpha"] for c in sampler]
    assert fit_many([], X, y, n_jobs=2) == []


@ignore_convergence
def test_what_the_configurations_share_is_not_shared_by_the_models():
    X, y = cancer()
    shared = np.random.RandomState(0)
    base = MLPClassifier(**DEFAULTS)
    models = fit_many([{"random_state": shared}] * 3, X, y, estimator=base, n_jobs=2)
    for model in models:
        assert_same_model(model, alone(base, {"random_state": np.random.RandomState(0)}, X, y), X)


@ignore_convergence
def test_the_data_are_read_once(monkeypatch):
    X, y = cancer()
    read, used = [], []
    read_once, train = BaseMLP._read, BaseMLP._fit_samples
    monkeypatch.setattr(BaseMLP, "_read", lambda self, *data: read.append(1) or read_once(self, *data))
    monkeypatch.setattr(
        BaseMLP, "_fit_samples", lambda self, data, *rest: used.append(data) or train(self, data, *rest)
    )
    X = X.astype(np.int64)
    models = fit_many([{"prepare": "table", "max_iter": 1, "alpha": a} for a in (0, 1, 2)], X, y, n_jobs=2)
    assert len(read) == 1
    assert used[0] is used[1] is used[2]
    assert models[0].preparation_ is models[1].preparation_


# ------------------------------------------------------------------------------------------------------- jobs

meeting = None


def meet(event):
    """Wait for the other models: a callback that passes only if they are trained at the same time."""
    meeting.wait(30)


def check_together(n_models, n_parties, **options):
    global meeting
    meeting = threading.Barrier(n_parties)
    X, y = cancer()
    fit_many([{"callbacks": [meet], "max_iter": 2}] * n_models, X, y, **options)


@ignore_convergence
def test_as_many_models_are_trained_at_a_time_as_there_are_jobs():
    check_together(4, 2, n_jobs=2)
    check_together(3, 3, n_jobs=3)
    check_together(2, 1)
    with parallel_config(n_jobs=2):
        check_together(4, 2)
    for backend in ("threading", "loky"):
        with parallel_config(backend, n_jobs=2):
            check_together(4, 2)
    with pytest.raises(ValueError, match="n_jobs == 0"):
        fit_many([{}], *cancer(), n_jobs=0)


seen: list = []


def look(event):
    seen.append([library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"])


@ignore_convergence
def test_blas_has_one_thread_while_models_are_trained_and_as_many_as_before_afterwards():
    X, y = cancer()
    seen.clear()
    with threadpool_limits(2, user_api="blas"):
        quietly(MLPClassifier(max_iter=1, callbacks=[look]).fit, X, y)
        fit_many([{"engine": "blas", "max_iter": 1, "callbacks": [look]}] * 2, X, y, n_jobs=2)
        look(None)
        before, *during, after = seen
    assert len(during) == 2
    assert {count for counts in during for count in counts} == {1}
    assert after == before


@ignore_convergence
def test_many_fits_may_run_at_once_in_threads_of_the_user():
    X, y = cancer()
    grid = [{"alpha": alpha, **DEFAULTS} for alpha in (0, 0.1, 1)]
    expected = [model.network_.parameters for model in fit_many(grid, X, y)]
    results: dict = {}
    threads = [
        threading.Thread(target=lambda i=i: results.update({i: fit_many(grid, X, y, n_jobs=2)}))
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for models in results.values():
        for model, parameters in zip(models, expected, strict=True):
            assert_array_equal(model.network_.parameters, parameters)
