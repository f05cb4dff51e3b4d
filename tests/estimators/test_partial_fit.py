"""Tests of the estimators' partial_fit: as in scikit-learn, and after fit, refusals and divergence."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_diabetes, load_digits, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import train_test_split

from fastmlp import DivergenceWarning, MLPClassifier, MLPRegressor
from helpers.estimators import N_SAMPLES, PAIRS, SOLVERS, assert_same_fit, data, ignore_convergence, quietly

# ------------------------------------------------------------------------- the same numbers as scikit-learn


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("task", PAIRS)
def test_partial_fit_gives_scikit_learns_losses_and_weights(task, solver):
    X, y = data(task)
    params = {"hidden_layer_sizes": (8,), "batch_size": 16, "shuffle": False, "random_state": 0}
    ours, theirs = (cls(**params, **SOLVERS[solver]) for cls in PAIRS[task])
    classes = {} if task == "regression" else {"classes": np.arange(3) if y.ndim == 2 else np.unique(y)}
    for part in (slice(50), slice(50, 90), slice(20, 71), slice(33, 50)):
        ours.partial_fit(X[part], y[part], **classes)
        theirs.partial_fit(X[part], y[part], **classes)
    assert_same_fit(ours, theirs)
    assert ours.t_ == theirs.t_


@pytest.mark.parametrize("task", PAIRS)
def test_partial_fit_on_the_same_data_lowers_the_adaptive_rate_when_scikit_learn_does(task):
    X, y = data(task)
    params = {"shuffle": False, "random_state": 0, "solver": "sgd", "learning_rate": "adaptive"}
    params |= {"n_iter_no_change": 1, "tol": 0.5, "learning_rate_init": 0.01}
    ours, theirs = (cls(**params) for cls in PAIRS[task])
    classes = {} if task == "regression" else {"classes": np.arange(3) if y.ndim == 2 else np.unique(y)}
    for _ in range(6):
        ours.partial_fit(X, y, **classes)
        theirs.partial_fit(X, y, **classes)
    assert_same_fit(ours, theirs)


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_partial_fit_with_automatic_batches_looks_at_each_calls_size(task):
    X, y = data(task, n=600)
    ours, theirs = (cls(shuffle=False, random_state=0) for cls in PAIRS[task])
    classes = {} if task == "regression" else {"classes": np.unique(y)}
    for part in (slice(10), slice(10, 500), slice(500, 600)):
        ours.partial_fit(X[part], y[part], **classes)
        theirs.partial_fit(X[part], y[part], **classes)
    assert_same_fit(ours, theirs)


@ignore_convergence
@pytest.mark.parametrize("task", PAIRS)
def test_partial_fit_after_fit_goes_on_as_in_scikit_learn(task):
    X, y = data(task)
    params = {"shuffle": False, "random_state": 0, "max_iter": 4, "batch_size": 30}
    ours, theirs = (cls(**params).fit(X, y) for cls in PAIRS[task])
    for _ in range(3):
        ours.partial_fit(X, y)
        theirs.partial_fit(X, y)
    assert_same_fit(ours, theirs)
    assert len(ours.loss_curve_) == 7


@ignore_convergence
def test_fit_after_partial_fit_begins_anew():
    X, y = data("multiclass")
    fresh = MLPClassifier(max_iter=3, random_state=0).fit(X, y)
    used = MLPClassifier(max_iter=3, random_state=0).partial_fit(X + 1, y, classes=[0, 1, 2]).fit(X, y)
    assert fresh.loss_curve_ == used.loss_curve_
    assert_array_equal(fresh.coefs_[0], used.coefs_[0])


@ignore_convergence
@pytest.mark.parametrize("n_calls", [1, 2, 3])
def test_fit_after_partial_fit_learns_the_classes_anew(n_calls):
    X, y = data("multiclass")
    model = MLPClassifier(max_iter=2)
    for _ in range(n_calls):
        model.partial_fit(X, y, classes=[0, 1, 2])
    names = np.array(["a", "b", "c"])
    assert_array_equal(model.fit(X, names[y]).classes_, names)
    assert set(model.predict(X)) <= set(names)


@ignore_convergence
def test_classes_of_a_refused_partial_fit_are_forgotten():
    X, y = data("binary")
    model = MLPClassifier(max_iter=2)
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(np.full_like(X, np.nan), y, classes=[0, 1, 2, 3])
    assert_array_equal(model.fit(X, y).classes_, [0, 1])


def test_partial_fit_warns_too_when_the_batch_is_above_the_number_of_samples():
    X, y = data("regression")
    for cls in PAIRS["regression"]:
        with pytest.warns(UserWarning, match="It is going to be clipped"):
            cls(batch_size=1000).partial_fit(X, y)


# --------------------------------------------------------------------------------------------------- classes


@ignore_convergence
def test_partial_fit_may_see_the_classes_in_any_order():
    X, y = data("multiclass")
    y = np.array(["b", "c", "a"])[y]
    model = MLPClassifier((20,), learning_rate_init=0.01, random_state=0)
    for part in (y == "b", y == "a", y == "c"):
        model.partial_fit(X[part], y[part], classes=["c", "a", "b"])
    assert_array_equal(model.classes_, ["a", "b", "c"])
    assert model.predict_proba(X).shape == (N_SAMPLES, 3)


def test_partial_fit_needs_the_classes_at_first():
    X, y = data("multiclass")
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        MLPClassifier().partial_fit(X, y)


def test_partial_fit_refuses_other_classes_later():
    X, y = data("binary")
    model = MLPClassifier().partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="classes"):
        model.partial_fit(X, y, classes=[0, 1, 2])


# -------------------------------------------------------------------------------------- when it breaks off


@pytest.mark.parametrize("task", PAIRS)
def test_partial_fit_that_diverges_warns_and_leaves_finite_predictions(task):
    X, y = data(task, dtype=np.float32)
    classes = {} if task == "regression" else {"classes": np.arange(3) if y.ndim == 2 else np.unique(y)}
    model = PAIRS[task][0](solver="sgd", learning_rate_init=1e30, random_state=0)

    def train():
        for _ in range(3):
            model.partial_fit(X, y, **classes)
            assert np.isfinite(model.network_.predict(X)).all()

    with pytest.warns(DivergenceWarning, match="epoch"):
        train()


# --------------------------------------------------------------------------------------- validation data


def split(loader):
    X, y = loader(return_X_y=True)
    return train_test_split(X, y, test_size=0.3, random_state=0)


@pytest.mark.parametrize(
    ("cls", "loader"),
    [(MLPClassifier, load_wine), (MLPClassifier, load_digits), (MLPRegressor, load_diabetes)],
)
def test_validation_data_are_scored_and_change_nothing(cls, loader):
    X, X_val, y, y_val = split(loader)
    scored, plain = (cls(hidden_layer_sizes=(16,), prepare="table", random_state=0) for _ in range(2))
    classes = {"classes": np.unique(y)} if cls is MLPClassifier else {}
    for n_calls in range(1, 6):
        scored.partial_fit(X, y, X_val=X_val, y_val=y_val, **classes)
        plain.partial_fit(X, y, **classes)
        assert len(scored.validation_scores_) == n_calls
        assert scored.validation_scores_[-1] == pytest.approx(scored.score(X_val, y_val))
    assert_array_equal(scored.network_.parameters, plain.network_.parameters)
    assert plain.validation_scores_ is None
    assert not scored.stopped_early_


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_early_stopping_needs_validation_data(task):
    X, y = data(task)
    classes = {} if task == "regression" else {"classes": [0, 1]}
    model = PAIRS[task][0](early_stopping=True)
    with pytest.raises(
        ValueError, match=r"^partial_fit does not support early_stopping=True.*X_val and y_val"
    ):
        model.partial_fit(X, y, **classes)


def test_calls_that_raise_the_score_no_more_go_back_to_the_best_of_them():
    X, X_val, y, y_val = split(load_wine)
    model = MLPClassifier(
        (16,), early_stopping=True, n_iter_no_change=4, tol=1e-3, prepare="table", learning_rate_init=0.03,
        solver="sgd", random_state=0,
    )  # fmt: skip
    weights, stops = [], []
    for _ in range(60):
        model.partial_fit(X, y, classes=np.unique(y), X_val=X_val, y_val=y_val)
        weights.append(model.network_.parameters.copy())
        stops.append(model.stopped_early_)
        if stops[-1]:
            break
    scores = model.validation_scores_
    assert stops[-1]
    assert not any(stops[:-1])
    best = int(np.argmax(scores))
    assert len(scores) == best + 1 + 5  # more than n_iter_no_change calls without a better one
    assert_array_equal(weights[-1], weights[best])
    assert not np.array_equal(weights[-2], weights[best])
    assert model.score(X_val, y_val) == model.best_validation_score_ == max(scores)
    assert model.best_loss_ is None
    # Training may go on from there, and stops as late as before.
    n_calls = len(scores)
    for _ in range(4):
        model.partial_fit(X, y, X_val=X_val, y_val=y_val)
        assert not model.stopped_early_
    assert len(model.validation_scores_) == n_calls + 4


def test_the_solvers_state_goes_on_from_call_to_call_with_early_stopping():
    X, X_val, y, y_val = split(load_diabetes)
    params = {"hidden_layer_sizes": (16,), "prepare": "table", "random_state": 0}
    stopping, plain = (MLPRegressor(**params, early_stopping=stop) for stop in (True, False))
    for _ in range(5):
        stopping.partial_fit(X, y, X_val=X_val, y_val=y_val)
        plain.partial_fit(X, y)
    assert_array_equal(stopping.network_.parameters, plain.network_.parameters)


@ignore_convergence
def test_a_fit_that_stopped_early_says_so_and_calls_after_it_count_anew():
    X, X_val, y, y_val = split(load_wine)
    params = {"early_stopping": True, "n_iter_no_change": 3, "prepare": "table", "random_state": 0}
    model = MLPClassifier((16,), **params, max_iter=100, learning_rate_init=0.01)
    assert model.fit(X, y, X_val=X_val, y_val=y_val).stopped_early_
    best = model.network_.parameters.copy()
    for n_calls in range(1, 5):
        model.partial_fit(X, y, X_val=X_val, y_val=y_val)
        assert model.stopped_early_ == (n_calls == 4)
    assert_array_equal(model.network_.parameters, best)
    assert not MLPClassifier(max_iter=2).fit(X, y).stopped_early_


@ignore_convergence
@pytest.mark.parametrize("origin", ["fit", "partial_fit"])
def test_early_stopping_may_be_set_between_the_calls(origin):
    X, X_val, y, y_val = split(load_wine)
    model = MLPClassifier(
        (16,),
        n_iter_no_change=2,
        tol=1.0,
        max_iter=20,
        prepare="table",
        random_state=0,
        learning_rate_init=0.03,
    )
    if origin == "fit":
        model.fit(X, y)  # its loss falls no more, by this tol
    else:
        model.partial_fit(X, y, classes=np.unique(y))
    model.set_params(early_stopping=True)
    weights = []
    for n_calls in range(1, 5):
        model.partial_fit(X, y, X_val=X_val, y_val=y_val)
        weights.append(model.network_.parameters.copy())
        assert model.stopped_early_ == (n_calls == 4)
    best = int(np.argmax(model.validation_scores_))
    assert_array_equal(weights[3], weights[best])
    model.set_params(early_stopping=False).partial_fit(X, y)
    assert not model.stopped_early_
    assert model.best_loss_ == min(model.loss_curve_)


@ignore_convergence
def test_a_fit_that_stopped_early_is_gone_on_from_without_validation_data():
    X, y = data("multiclass")
    model = MLPClassifier(max_iter=3, early_stopping=True).fit(X, y).set_params(early_stopping=False)
    assert len(model.partial_fit(X, y).loss_curve_) == 4


def test_validation_data_come_in_pairs_and_are_checked():
    X, y = data("multiclass")
    model = MLPClassifier().partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="together"):
        model.partial_fit(X, y, X_val=X)
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(X, y, X_val=X[:, 1:], y_val=y)
    with pytest.raises(ValueError, match="y_val has the class 3"):
        model.partial_fit(X, y, X_val=X[:1], y_val=[3])


def test_a_first_call_that_fails_is_none():
    X, y = data("multiclass")
    model = MLPClassifier(augmentation="shift")
    with pytest.raises(ValueError, match="image"):
        model.partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(NotFittedError):
        model.predict(X)
    model.set_params(augmentation=None)
    with pytest.raises(ValueError, match="classes must be passed"):
        model.partial_fit(X, y)
    assert_array_equal(model.partial_fit(X, y, classes=[0, 1, 2, 3]).classes_, range(4))


def test_a_fit_that_fails_is_not_gone_on_from():
    X, y = data("multiclass")
    model = quietly(MLPClassifier(max_iter=2).fit, X, y)
    with pytest.raises(ValueError, match="image"):
        model.set_params(augmentation="shift").fit(X, y)
    model.set_params(augmentation=None).partial_fit(X, y, classes=[0, 1, 2])
    assert model._session.trainer.network is model.network_
