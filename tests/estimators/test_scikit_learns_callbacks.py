"""Tests of scikit-learn's callbacks, set by `set_callbacks`: epochs are tasks of the fit."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier, MLPRegressor
from helpers.estimators import ignore_convergence

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks since 1.9")
pytestmark = ignore_convergence

X, Y = load_wine(return_X_y=True)


class Recording:
    """Writes down what it is told, and stops the fit after an epoch."""

    def __init__(self, stop_after=None):
        self.told, self.models, self.stop_after = [], [], stop_after

    def setup(self, estimator, context):
        self.told.append("setup")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.told.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.told.append(("end", context.task_name, context.task_id))
        self.data, self.metadata = (X, y), metadata
        self.models.append(fitted_estimator)
        return context.task_name == "epoch" and context.task_id + 1 == self.stop_after

    def teardown(self, estimator, context):
        self.told.append("teardown")


def expected(n_epochs):
    epochs = [(what, "epoch", i) for i in range(n_epochs) for what in ("begin", "end")]
    return ["setup", ("begin", "fit", 0), *epochs, ("end", "fit", 0), "teardown"]


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_each_epoch_is_a_task(solver):
    recording = Recording()
    model = MLPClassifier((8,), solver=solver, max_iter=4, prepare="table", random_state=0)
    model.set_callbacks(recording).fit(X, Y)
    assert recording.told == expected(4)
    assert not hasattr(model, "_callback_fit_ctx")


def test_callbacks_change_nothing_and_the_fit_can_be_pickled():
    params = {"hidden_layer_sizes": (8,), "max_iter": 4, "prepare": "table", "random_state": 0}
    told, plain = (
        MLPClassifier(**params).set_callbacks(Recording()).fit(X, Y),
        MLPClassifier(**params).fit(X, Y),
    )
    assert_array_equal(told.network_.parameters, plain.network_.parameters)
    twin = pickle.loads(pickle.dumps(told))
    assert_array_equal(twin.partial_fit(X, Y).coefs_[0], plain.partial_fit(X, Y).coefs_[0])
    assert told._session.trainer.callbacks == ()


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_the_fitted_estimator_of_an_epoch_is_the_model_as_if_it_had_ended_there(solver):
    recording = Recording()
    params = {"hidden_layer_sizes": (8,), "solver": solver, "prepare": "table", "random_state": 0}
    MLPRegressor(**params, max_iter=5).set_callbacks(recording).fit(*load_diabetes(return_X_y=True))
    assert len(recording.models) == 6
    for n, model in enumerate(recording.models[:5], 1):
        alone = MLPRegressor(**params, max_iter=n).fit(*load_diabetes(return_X_y=True))
        assert_array_equal(model.predict(recording.data[0]), alone.predict(recording.data[0]))
        assert model.n_iter_ == n
        assert model.loss_curve_ == alone.loss_curve_


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_callback_can_stop_the_fit(solver):
    recording = Recording(stop_after=3)
    model = MLPClassifier((8,), solver=solver, prepare="table", random_state=0)
    assert model.set_callbacks(recording).fit(X, Y).n_iter_ == 3
    assert recording.told == expected(3)


def test_a_fit_that_stops_early_or_converges_ends_its_last_task():
    for params in ({"early_stopping": True}, {"solver": "lbfgs"}, {"tol": 0.1}):
        recording = Recording()
        model = (
            MLPClassifier((8,), prepare="table", random_state=0, **params).set_callbacks(recording).fit(X, Y)
        )
        assert 0 < model.n_iter_ < 200
        begun, ended = (
            sum(one[:2] == (what, "epoch") for one in recording.told) for what in ("begin", "end")
        )
        assert begun == ended
        assert begun in (model.n_iter_, model.n_iter_ + 1)
        assert recording.told[-2:] == [("end", "fit", 0), "teardown"]


def test_what_a_callback_is_told_is_what_fit_was_given():
    recording, weight = Recording(), np.linspace(1, 2, len(Y))
    MLPClassifier((8,), max_iter=1).set_callbacks(recording).fit(X, Y, sample_weight=weight)
    assert recording.data[0] is X
    assert recording.data[1] is Y
    assert recording.metadata["sample_weight"] is weight


def test_an_error_tears_the_callbacks_down():
    recording = Recording()
    with pytest.raises(ValueError, match="Solver produced non-finite"):
        MLPClassifier(learning_rate_init=1e200, solver="sgd").set_callbacks(recording).fit(X, Y)
    assert recording.told[-1] == "teardown"


def test_warm_starts_and_own_callbacks_go_with_them():
    recording, own = Recording(), []
    model = MLPClassifier((8,), max_iter=2, warm_start=True, callbacks=[own.append], prepare="table")
    model.set_callbacks(recording).fit(X, Y).fit(X, Y)
    assert recording.told == 2 * expected(2)
    assert len(own) == 4


def test_only_callbacks_are_taken():
    with pytest.raises(TypeError, match="FitCallback"):
        MLPClassifier().set_callbacks(print)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_scoring_monitor_scores_each_epoch_also_in_a_grid_search(n_jobs):
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = MLPClassifier((8,), max_iter=4, prepare="table", random_state=0).set_callbacks(monitor)
    alone = clone(model).fit(X, Y)
    scores = [row["accuracy"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(scores) == 4
    assert scores[-1] == pytest.approx(alone.score(X, Y))
    search = GridSearchCV(model, {"alpha": [0, 1]}, cv=3, n_jobs=n_jobs).fit(X, Y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(rows) == 4 * (2 * 3 + 1)
    assert search.best_estimator_.n_iter_ == 4


def test_the_scoring_monitor_takes_data_frames_and_weights():
    data = load_breast_cancer(as_frame=True)
    weight = np.linspace(0, 1, len(data.target))
    monitor = callback.ScoringMonitor(scoring="r2")
    model = MLPRegressor(hidden_layer_sizes=(8,), max_iter=3, prepare="table", random_state=0).set_callbacks(
        monitor
    )
    model.fit(data.data, data.target, sample_weight=weight)
    scores = [row["r2"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert_allclose(scores[-1], model.score(data.data, data.target, weight))


@pytest.mark.parametrize("way", ["alone", "pipeline", "grid search"])
def test_the_progress_bar_is_drawn(way, capsys):
    pytest.importorskip("rich")
    model = MLPClassifier((8,), max_iter=3, random_state=0)
    if way == "pipeline":
        model = make_pipeline(StandardScaler(), model)
    elif way == "grid search":
        model = GridSearchCV(model, {"alpha": [0, 1]}, cv=2)
    model.set_callbacks(callback.ProgressBar()).fit(X, Y)
    out = capsys.readouterr().out
    assert "MLPClassifier" in out
    assert "100%" in out
