"""Tests of the estimators' training: seeds, accuracy, validation, interruption, divergence."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler

from fastmlp import DivergenceWarning, MLPClassifier, Trainer
from fastmlp.estimators import reading
from fastmlp.schedules import Schedule
from helpers.estimators import PAIRS, data, ignore_convergence, quietly

# ---------------------------------------------------------------------------------------- the shuffled fit


@ignore_convergence
@pytest.mark.parametrize("task", PAIRS)
def test_the_same_random_state_gives_the_same_bits(task):
    X, y = data(task)
    a, b, c = (PAIRS[task][0](max_iter=3, random_state=seed, batch_size=20).fit(X, y) for seed in (0, 0, 1))
    assert a.loss_curve_ == b.loss_curve_ != c.loss_curve_
    assert_array_equal(a.network_.parameters, b.network_.parameters)


def test_iris_is_learnt_as_well_as_by_scikit_learn():
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    ours, theirs = (
        quietly(cls(random_state=0, learning_rate_init=0.01, max_iter=60).fit, X, y).score(X, y)
        for cls in PAIRS["multiclass"]
    )
    assert ours >= theirs - 0.02
    assert ours > 0.95


# ------------------------------------------------------------------------------------------------ validation


@ignore_convergence
def test_validation_scores_are_the_scores_of_each_epoch():
    for task in ("binary", "multiclass", "regression"):
        X, y = data(task)
        X_val, y_val = data(task, seed=1)
        scores = []

        def keep(event, model, X_val=X_val, y_val=y_val, scores=scores):
            outputs = event.network.predict(X_val)
            if model == "regression":
                residual = ((outputs.ravel() - y_val) ** 2).sum()
                scores.append(1 - residual / ((y_val - y_val.mean()) ** 2).sum())
            else:
                best = outputs.argmax(axis=1) if outputs.shape[1] > 1 else outputs.ravel() > 0.5
                scores.append(np.mean(best == y_val))

        cls = PAIRS[task][0]
        model = cls(max_iter=4, callbacks=[partial(keep, model=task)], random_state=0)
        model.fit(X, y, X_val=X_val, y_val=y_val)
        assert_allclose(model.validation_scores_, scores)
        assert_allclose(model.validation_scores_[-1], model.score(X_val, y_val))
        assert len(model.validation_loss_curve_) == 4


@ignore_convergence
def test_validation_data_do_not_change_the_training():
    X, y = data("multiclass")
    plain = MLPClassifier(max_iter=3, random_state=0).fit(X, y)
    watched = MLPClassifier(max_iter=3, random_state=0).fit(X, y, None, *data("multiclass", seed=2))
    assert plain.loss_curve_ == watched.loss_curve_
    assert plain.validation_scores_ is None
    assert_array_equal(plain.network_.parameters, watched.network_.parameters)


@ignore_convergence
def test_multilabel_validation_scores_count_whole_rows_as_score_does():
    X, Y = data("multilabel")
    model = MLPClassifier(max_iter=3, random_state=0).fit(X, Y, None, X, Y)
    assert_allclose(model.validation_scores_[-1], model.score(X, Y))


# -------------------------------------------------------------------------------------- when it breaks off


@pytest.mark.parametrize("task", PAIRS)
def test_an_interrupted_fit_warns_and_keeps_what_it_has(task):
    X, y = data(task)

    def interrupt(event):
        if event.epoch == 3:
            raise KeyboardInterrupt

    model = PAIRS[task][0](callbacks=[interrupt], random_state=0)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) == 3
    same = quietly(PAIRS[task][0](max_iter=3, random_state=0).fit, X, y)
    assert_array_equal(model.predict(X), same.predict(X))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_an_interruption_before_any_training_is_raised(method, monkeypatch):
    X, y = data("regression")

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    model = PAIRS["regression"][0](random_state=0)
    monkeypatch.setattr(Trainer, "train", interrupt)
    with pytest.raises(KeyboardInterrupt):
        getattr(model, method)(X, y)
    assert not hasattr(model, "coefs_")


@pytest.mark.parametrize("prepare", [None, "auto"])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("task", PAIRS)
def test_a_fit_that_diverges_at_once_is_an_error_and_leaves_finite_weights(task, solver, prepare):
    X, y = data(task, dtype=np.float32)
    params = {"learning_rate_init": 1e30, "random_state": 0, "max_iter": 5}
    model = PAIRS[task][0](solver=solver, prepare=prepare, **params)
    with pytest.raises(ValueError, match=r"^Solver produced non-finite .* in epoch 1: .*initial ones"):
        model.fit(X, y)
    assert np.isfinite(model.network_.parameters).all()


@dataclass(frozen=True)
class Leap(Schedule):
    """A sound rate in the first epochs, then one that no network survives."""

    def rates(self, learning_rate, clock):
        return np.full(clock.n_steps, learning_rate if clock.step < 2 else 1e30)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("prepare", [None, "auto"])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("task", PAIRS)
def test_a_fit_that_diverges_later_warns_and_keeps_the_best_weights(task, solver, prepare, early_stopping):
    X, y = data(task, dtype=np.float32)
    params = {"learning_rate": Leap(), "random_state": 0, "early_stopping": early_stopping, "n_threads": 1}
    params |= {"solver": solver, "prepare": prepare}
    model = PAIRS[task][0](max_iter=5, **params)
    with pytest.warns(DivergenceWarning, match="in epoch 3: "):
        model.fit(X, y)
    sound = quietly(PAIRS[task][0](max_iter=2, **params).fit, X, y)
    assert_array_equal(model.network_.parameters, sound.network_.parameters)
    assert model.n_iter_ == len(model.loss_curve_) == 2
    if early_stopping:
        assert model.validation_scores_[:-1] == sound.validation_scores_
        assert np.isnan(model.validation_scores_[-1])
        assert isinstance(model.validation_scores_[-1], float)
        assert model.best_validation_score_ == sound.best_validation_score_
    assert np.isfinite(model.network_.parameters).all()
    assert np.isfinite(model.loss_curve_).all()
    assert np.isfinite(model.network_.predict(X)).all()
    model.predict(X)


@pytest.mark.parametrize("task", PAIRS)
def test_a_single_sample_is_no_validation_set(task):
    X, y = data(task)
    rows = (
        np.r_[0, 1, 2, 3]
        if task == "regression"
        else np.sort(np.argsort(y, kind="stable", axis=0).ravel()[:4])
    )
    with pytest.raises(ValueError, match=r"validation set is too small.*validation_fraction=0\.1 of 4 is 1"):
        PAIRS[task][0](early_stopping=True).fit(X[rows], y[rows])


@ignore_convergence
def test_a_class_of_one_sample_among_several_does_without_strata():
    X, y = load_iris(return_X_y=True)
    y[0] = 7
    model = MLPClassifier(early_stopping=True, max_iter=2, random_state=0).fit(X, y)
    assert_array_equal(model.classes_, [0, 1, 2, 7])


@ignore_convergence
def test_several_classes_are_held_out_alike(monkeypatch):
    X, y = load_iris(return_X_y=True)
    held_out, split = [], reading.split
    monkeypatch.setattr(reading, "split", lambda *args: held_out.append(split(*args)) or held_out[-1])
    MLPClassifier(early_stopping=True, max_iter=1, random_state=0).fit(X, y)
    assert_array_equal(np.bincount(y[held_out[0][1]]), [5, 5, 5])
