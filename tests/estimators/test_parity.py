"""Tests that MLPClassifier and MLPRegressor do what scikit-learn's MLPs do, to the same numbers.

Without shuffling both packages see the same batches, so in float64 they have to agree to rounding.
"""

import inspect

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.utils.fixes import parse_version

from fastmlp import MLPClassifier, MLPRegressor
from helpers.estimators import PAIRS, SOLVERS, assert_same_fit, data, ignore_convergence, quietly


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("task", PAIRS)
def test_initial_weights_are_scikit_learns(task, activation):
    X, y = data(task)
    params = {"hidden_layer_sizes": (9, 4), "activation": activation, "random_state": 3, "max_iter": 1}
    # A rate this small leaves the weights where they began.
    ours, theirs = (quietly(cls(learning_rate_init=1e-300, **params).fit, X, y) for cls in PAIRS[task])
    for mine, other in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        assert_array_equal(mine, other)


def test_initial_weights_from_a_shared_random_state_are_scikit_learns():
    X, y = data("multiclass")
    params = {"hidden_layer_sizes": (9,), "learning_rate_init": 1e-300, "max_iter": 1, "shuffle": False}
    ours, theirs = (
        quietly(cls(random_state=np.random.RandomState(5), **params).fit, X, y) for cls in PAIRS["multiclass"]
    )
    for mine, other in zip(ours.coefs_, theirs.coefs_, strict=True):
        assert_array_equal(mine, other)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("task", PAIRS)
def test_training_gives_scikit_learns_losses_and_weights(task, activation, solver):
    X, y = data(task)
    params = {"activation": activation, "hidden_layer_sizes": (11, 6), "batch_size": 32, "alpha": 0.01}
    params |= {"shuffle": False, "random_state": 0, "max_iter": 12, **SOLVERS[solver]}
    ours, theirs = (quietly(cls(**params).fit, X, y) for cls in PAIRS[task])
    assert_same_fit(ours, theirs)
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.t_ == theirs.t_
    assert_allclose(ours.loss_, theirs.loss_)
    assert_allclose(ours.best_loss_, theirs.best_loss_)


@pytest.mark.parametrize("task", PAIRS)
def test_predictions_are_scikit_learns(task):
    X, y = data(task)
    new_X, new_y = data(task, seed=1)
    params = {"shuffle": False, "random_state": 0, "max_iter": 8, "learning_rate_init": 0.01}
    ours, theirs = (quietly(cls(**params).fit, X, y) for cls in PAIRS[task])
    if task == "regression":
        assert_allclose(ours.predict(new_X), theirs.predict(new_X), atol=1e-9)
    else:
        assert_array_equal(ours.predict(new_X), theirs.predict(new_X))
        assert_allclose(ours.predict_proba(new_X), theirs.predict_proba(new_X), atol=1e-9)
        assert_allclose(ours.predict_log_proba(new_X), theirs.predict_log_proba(new_X), atol=1e-8)
        assert_array_equal(ours.classes_, theirs.classes_)
    assert ours.predict(new_X).dtype == theirs.predict(new_X).dtype
    assert ours.predict(new_X).shape == theirs.predict(new_X).shape
    assert_allclose(ours.score(new_X, new_y), theirs.score(new_X, new_y))
    assert ours.n_layers_ == theirs.n_layers_
    assert ours.n_outputs_ == theirs.n_outputs_
    assert ours.out_activation_ == theirs.out_activation_
    assert ours.n_features_in_ == theirs.n_features_in_


@ignore_convergence
def test_several_outputs_train_as_in_scikit_learn():
    # Their loss is the mean over the outputs and ours the sum; without the penalty they differ by a factor.
    X, y = data("several outputs")
    params = {"shuffle": False, "random_state": 0, "max_iter": 10, "alpha": 0, "batch_size": 20}
    ours, theirs = MLPRegressor(**params).fit(X, y), TheirRegressor(**params).fit(X, y)
    for mine, other in zip(ours.coefs_, theirs.coefs_, strict=True):
        assert_allclose(mine, other, atol=1e-9)
    assert_allclose(ours.loss_curve_, 3 * np.array(theirs.loss_curve_), rtol=1e-9)
    assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-8)


@pytest.mark.parametrize(("tol", "n_iter_no_change"), [(1e-4, 10), (1e-3, 2), (0.05, 1), (0, 3)])
@pytest.mark.parametrize("task", PAIRS)
@pytest.mark.parametrize("solver", ["adam", "nesterov", "invscaling", "adaptive"])
def test_training_stops_at_scikit_learns_epoch(task, solver, tol, n_iter_no_change):
    X, y = data(task)
    params = {"hidden_layer_sizes": (5,), "batch_size": 30, "shuffle": False, "random_state": 0}
    params |= {"max_iter": 60, **SOLVERS[solver], "tol": tol, "n_iter_no_change": n_iter_no_change}
    params["learning_rate_init"] = 0.1
    ours, theirs = (quietly(cls(**params).fit, X, y) for cls in PAIRS[task])
    assert ours.n_iter_ == theirs.n_iter_
    assert len(ours.loss_curve_) == ours.n_iter_


def test_training_that_stops_early_does_not_warn():
    X, y = data("regression")
    ours, theirs = (
        cls(tol=10, n_iter_no_change=3, random_state=0, max_iter=50).fit(X, y) for cls in PAIRS["regression"]
    )
    assert ours.n_iter_ == theirs.n_iter_ < 10


@pytest.mark.parametrize("task", PAIRS)
def test_training_that_does_not_converge_warns_as_scikit_learn_does(task):
    X, y = data(task)
    for cls in PAIRS[task]:
        with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(3\) reached"):
            cls(max_iter=3).fit(X, y)


def test_infinite_patience_never_stops():
    X, y = data("binary")
    model = quietly(MLPClassifier(n_iter_no_change=np.inf, tol=10, max_iter=25).fit, X, y)
    assert model.n_iter_ == 25


@pytest.mark.parametrize("task", PAIRS)
def test_a_batch_above_the_number_of_samples_is_clipped_with_scikit_learns_warning(task):
    X, y = data(task)
    params = {"shuffle": False, "random_state": 0, "max_iter": 3, "batch_size": 1000}
    message = "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped"
    fitted = []
    for cls in PAIRS[task]:
        with pytest.warns(UserWarning, match=message):
            fitted.append(quietly(cls(**params).fit, X, y))
    assert_same_fit(*fitted)


@ignore_convergence
def test_verbose_prints_scikit_learns_lines(capsys):
    X, y = data("binary")
    printed = []
    for cls in PAIRS["binary"]:
        cls(verbose=True, shuffle=False, random_state=0, max_iter=3).fit(X, y)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert printed[0].count("Iteration") == 3


def test_defaults_are_scikit_learns():
    for ours, theirs in (PAIRS["binary"], PAIRS["regression"]):
        known = theirs().get_params()
        mine = ours().get_params()
        assert {name: mine[name] for name in known} == known
        of_classes = {"label_smoothing", "class_weight"} if ours is MLPClassifier else set()
        assert set(mine) - set(known) - {"loss"} - of_classes == {
            "dtype", "engine", "n_threads", "prepare", "callbacks", "l1", "l2", "weight_decay", "weight_init",
            "max_seconds", "clip_value", "clip_norm", "ema_decay", "augmentation", "image_shape",
            "output_activation",
            "scoring", "dropout", "batch_norm", "layer_norm", "input_dropout", "input_noise",
        }  # fmt: skip


def by_position(function):
    """Return what can be passed by position, in order."""
    parameters = inspect.signature(function).parameters.values()
    return [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]


@pytest.mark.skipif(parse_version(sklearn.__version__) < parse_version("1.9"), reason="another order before")
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_what_is_passed_by_position_is_scikit_learns(task):
    ours, theirs = PAIRS[task]
    assert by_position(ours) == by_position(theirs)
    for name in ("fit", "partial_fit", "predict", "score"):
        expected = by_position(getattr(theirs, name))
        assert by_position(getattr(ours, name))[: len(expected)] == expected, name


def test_signatures_tell_the_defaults():
    for cls, loss in ((MLPClassifier, None), (MLPRegressor, "squared_error")):
        parameters = inspect.signature(cls).parameters
        assert {name: one.default for name, one in parameters.items()} == cls().get_params()
        assert parameters["loss"].default == loss
    assert (
        MLPClassifier((3,), "tanh").get_params()
        == MLPClassifier(hidden_layer_sizes=(3,), activation="tanh").get_params()
    )
    assert (
        MLPRegressor("huber", (3,), "tanh").get_params()
        == MLPRegressor(loss="huber", hidden_layer_sizes=(3,), activation="tanh").get_params()
    )
    for cls in (MLPClassifier, MLPRegressor):
        with pytest.raises(TypeError, match="positional"):
            cls("huber", (3,), "tanh", "sgd")
    assert "loss" not in repr(MLPRegressor())
    assert repr(MLPRegressor(loss=None)) == "MLPRegressor(loss=None)"


@ignore_convergence
def test_a_regressors_loss_may_be_none():
    X, y = data("regression")
    named, default = (
        MLPRegressor(max_iter=2, random_state=0, **loss).fit(X, y) for loss in ({}, {"loss": None})
    )
    assert named.loss_curve_ == default.loss_curve_
