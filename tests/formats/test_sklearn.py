"""Fitted models to and from scikit-learn: the same predictions, and training that goes on."""

import copy

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import is_classifier
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, from_sklearn
from fastmlp.losses import Huber, Quantile
from fastmlp.optimizers import SGD, AdamW
from helpers.estimators import data, ignore_convergence, quietly

pytestmark = ignore_convergence
DTYPES = ["float32", "float64"]
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
PARAMETERS = {"hidden_layer_sizes": (12, 8), "max_iter": 8, "learning_rate_init": 0.01, "random_state": 0}
TASKS = ["digits", "breast cancer", "words", "labels", "diabetes", "targets"]
TASKS += ["counts"] * ("loss" in TheirRegressor().get_params())  # scikit-learn has Poisson's since 1.7
LOSSES = {"counts": {"loss": "poisson"}}


def real(task, dtype="float64"):
    """Real data, scaled; or what is made of them."""
    source = {"breast cancer": load_breast_cancer, "words": load_breast_cancer, "diabetes": load_diabetes}
    X, y = source.get(task, load_digits)(return_X_y=True)
    X = (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-9)
    if task == "words":
        y = np.array(["malignant", "benign"])[y]
    elif task == "labels":
        y = np.c_[y % 2 == 0, y > 4, y % 3 == 0].astype(int)
    elif task == "diabetes":
        y = y / 50
    elif task == "targets":
        y = np.c_[y, y % 3] / 3.0
    elif task == "counts":
        y = y.astype(float)
    return X[:400].astype(dtype), y[:400]


def classes_of(task):
    numbers = task in ("diabetes", "targets", "counts")
    return (MLPRegressor, TheirRegressor) if numbers else (MLPClassifier, TheirClassifier)


def theirs(task, dtype, **parameters):
    X, y = real(task, dtype)
    return (
        X,
        y,
        quietly(classes_of(task)[1](**{**PARAMETERS, **LOSSES.get(task, {}), **parameters}).fit, X, y),
    )


def ours(task, dtype, **parameters):
    X, y = real(task, dtype)
    return (
        X,
        y,
        quietly(classes_of(task)[0](**{**PARAMETERS, **LOSSES.get(task, {}), **parameters}).fit, X, y),
    )


def assert_same_outputs(one, other, X, tolerance):
    if is_classifier(one):
        assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=0, atol=tolerance)
        assert_array_equal(one.predict(X), other.predict(X))
    else:
        expected = other.predict(X)
        assert_allclose(one.predict(X), expected, rtol=0, atol=tolerance * np.abs(expected).max())
    assert one.predict(X).shape == other.predict(X).shape


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("task", TASKS)
def test_from_scikit_learn(task, dtype):
    X, _, model = theirs(task, dtype, alpha=0.01, batch_size=50)
    mine = from_sklearn(model)
    assert type(mine) is classes_of(task)[0]
    assert mine.network_.dtype == dtype
    assert_same_outputs(mine, model, X, TOLERANCE[dtype])
    for name, value in model.get_params().items():
        if name in mine.get_params():
            assert mine.get_params()[name] == value
    for name in ("n_iter_", "t_", "loss_", "loss_curve_", "best_loss_", "validation_scores_", "n_layers_",
                 "n_outputs_", "n_features_in_", "best_validation_score_"):  # fmt: skip
        assert getattr(mine, name) == getattr(model, name), name
    assert mine.out_activation_ == ("identity" if task == "counts" else model.out_activation_)
    for part, other in zip(mine.coefs_ + mine.intercepts_, model.coefs_ + model.intercepts_, strict=True):
        assert_array_equal(part, other)
        assert not np.shares_memory(part, other)
    if is_classifier(mine):
        assert_array_equal(mine.classes_, model.classes_)
        assert mine.classes_.dtype == model.classes_.dtype


@pytest.mark.parametrize("task", TASKS)
def test_training_goes_on_here(task):
    X, y, model = theirs(task, "float64", solver="sgd", momentum=0, shuffle=False, batch_size=50)
    mine = from_sklearn(model)
    for _ in range(3):  # plain SGD has no state that could be lost, so that both take the same steps
        mine.partial_fit(X, y)
        model.partial_fit(X, y)
    assert_same_outputs(mine, model, X, 1e-10)
    if task not in ("targets", "counts"):  # theirs are defined otherwise
        assert_allclose(mine.loss_curve_, model.loss_curve_, rtol=1e-9)
    assert mine.t_ == model.t_


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("solver", ["lbfgs", "sgd", "adam"])
def test_every_activation_and_solver_of_theirs(solver, activation):
    X, _, model = theirs("digits", "float64", solver=solver, activation=activation)
    assert_same_outputs(from_sklearn(model), model, X, 1e-12)


def test_history_of_early_stopping_and_names_of_columns():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X = (X - X.mean()) / X.std()
    model = quietly(TheirClassifier(**PARAMETERS, early_stopping=True).fit, X, y)
    mine = from_sklearn(model)
    assert mine.validation_scores_ == model.validation_scores_
    assert mine.best_validation_score_ == model.best_validation_score_
    assert_array_equal(mine.feature_names_in_, X.columns)
    with pytest.raises(ValueError, match="feature names"):
        mine.predict(X.rename(columns={X.columns[0]: "other"}))
    assert_array_equal(mine.to_sklearn().feature_names_in_, X.columns)


@pytest.mark.parametrize("hidden", [5, [5], np.array([6, 4]), ()])
def test_shapes_of_layers(hidden):
    X, _, model = theirs("diabetes", "float64", hidden_layer_sizes=hidden)
    mine = from_sklearn(model)
    assert_same_outputs(mine, model, X, 1e-12)
    assert_same_outputs(mine.to_sklearn(), mine, X, 1e-12)


def test_a_model_of_theirs_can_be_saved_and_refitted_here(tmp_path):
    X, y, model = theirs("words", "float64")
    mine = from_sklearn(model)
    mine.save(tmp_path / "model.safetensors")
    assert_same_outputs(fastmlp.load(tmp_path / "model.safetensors"), model, X, 1e-12)
    assert copy.deepcopy(mine).fit(X, y).score(X, y) > 0.9


def test_other_models_are_refused():
    with pytest.raises(TypeError, match=r"sklearn\.neural_network, not sklearn\.ensemble"):
        from_sklearn(RandomForestClassifier())
    with pytest.raises(TypeError, match=r"not fastmlp\.estimators\.classifier\.MLPClassifier"):
        from_sklearn(MLPClassifier())
    with pytest.raises(NotFittedError):
        from_sklearn(TheirClassifier())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("prepare", [None, "table"])
@pytest.mark.parametrize("task", TASKS)
def test_to_scikit_learn(task, prepare, dtype):
    X, y, mine = ours(task, dtype, prepare=prepare, alpha=0.01, batch_size=50)
    X = (X * 3 + 5).astype(dtype)
    mine.fit(X, y)
    model = mine.to_sklearn()
    assert type(model) is classes_of(task)[1]
    assert_same_outputs(model, mine, X, TOLERANCE[dtype])
    for name in ("n_iter_", "t_", "loss_", "loss_curve_", "n_layers_", "n_outputs_"):
        assert getattr(mine, name) == getattr(model, name), name
    assert model.best_loss_ == (np.inf if task in ("targets", "counts") else mine.best_loss_) or prepare
    assert (model.alpha, model.batch_size, model.max_iter) == (0.01, 50, 8)
    assert_same_outputs(from_sklearn(model), model, X, TOLERANCE[dtype])  # and back
    before, score = [coef.copy() for coef in mine.coefs_], mine.score(X, y)
    model.set_params(learning_rate_init=1e-5).partial_fit(X, y)
    model.set_params(warm_start=True, max_iter=2).fit(X, y)
    assert model.score(X, y) > score - 0.1
    assert model.best_loss_ <= min(model.loss_curve_[-3:])
    for mine_now, then in zip(mine.coefs_, before, strict=True):
        assert_array_equal(mine_now, then)


@pytest.mark.parametrize("task", TASKS)
def test_training_goes_on_there(task):
    X, y, mine = ours(task, "float64", solver="sgd", momentum=0, shuffle=False, batch_size=50)
    model = mine.to_sklearn()
    for _ in range(3):
        mine.partial_fit(X, y)
        model.partial_fit(X, y)
    assert_same_outputs(mine, model, X, 1e-10)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_warm_starts_there(solver, early_stopping):
    X, y, mine = ours("breast cancer", "float64", solver=solver, early_stopping=early_stopping)
    model = mine.to_sklearn().set_params(warm_start=True, max_iter=5)
    assert quietly(model.fit, X, y).score(X, y) >= mine.score(X, y) - 0.02
    if early_stopping and solver == "adam":
        assert len(model.validation_scores_) == len(mine.validation_scores_) + 5


def test_two_numbers_of_the_optimizer_and_those_it_lacks():
    solver = SGD(0.03, 0.7, nesterov=False)
    model = ours("digits", "float64", solver=solver, learning_rate="one_cycle")[2].to_sklearn()
    found = model.solver, model.learning_rate_init, model.momentum, model.nesterovs_momentum
    assert found == ("sgd", 0.03, 0.7, False)
    assert model.learning_rate == "constant"
    model = ours("digits", "float64", solver=AdamW(0.03, 0.7))[2].to_sklearn()
    assert (model.solver, model.learning_rate_init, model.beta_1) == ("adam", 0.03, 0.7)
    assert ours("digits", "float64", solver="rmsprop", dropout=0.2)[2].to_sklearn().solver == "adam"


def test_images_are_prepared_in_the_first_layer():
    digits = fastmlp.datasets.load_digits()
    mine = fastmlp.fit(digits.X_train, digits.y_train, max_iter=5, random_state=0)
    model = mine.to_sklearn()
    assert_array_equal(model.predict(digits.X_test), mine.predict(digits.X_test))
    assert_allclose(model.predict_proba(digits.X_test), mine.predict_proba(digits.X_test), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("task", "parameters", "named"),
    [
        ("digits", {"batch_norm": True}, r"batch_norm=True"),
        ("digits", {"layer_norm": [False, True]}, r"layer_norm=True"),
        ("digits", {"activation": "gelu"}, r"activation='gelu'.*identity, logistic, tanh, relu"),
        ("digits", {"activation": ["relu", "tanh"]}, r"activation=\['relu', 'tanh'\]"),
        ("digits", {"loss": "squared_error"}, r"loss='squared_error'.*only cross_entropy"),
        ("breast cancer", {"loss": "cross_entropy"}, r"loss='cross_entropy'.*only binary_cross_entropy"),
        ("labels", {"loss": "squared_error"}, r"loss='squared_error'"),
        ("diabetes", {"loss": Huber(2)}, r"loss='huber'"),
        ("diabetes", {"loss": Quantile((0.1, 0.9))}, r"loss='quantile'"),
    ],
)
def test_what_scikit_learn_lacks_is_named(task, parameters, named):
    with pytest.raises(ValueError, match=named):
        ours(task, "float64", **parameters)[2].to_sklearn()


def test_poisson_is_refused_where_scikit_learn_is_too_old(monkeypatch):
    mine = ours("counts", "float64")[2]
    get_params = TheirRegressor.get_params
    older = lambda self, deep=True: {k: v for k, v in get_params(self, deep).items() if k != "loss"}  # noqa: E731
    monkeypatch.setattr(TheirRegressor, "get_params", older)
    with pytest.raises(ValueError, match=r"loss='poisson'.*only squared_error"):
        mine.to_sklearn()


def test_data_frames_without_loss():
    X, y = data("multiclass")
    frame = pd.DataFrame(X, columns=list("abcdefg"))
    model = quietly(MLPClassifier(**PARAMETERS).fit, frame, y).to_sklearn()
    assert model.predict(frame).shape == y.shape
    with pytest.raises(NotFittedError):
        MLPClassifier().to_sklearn()


def test_a_progress_bar_becomes_lines():
    X, y = np.eye(4), [0, 1, 0, 1]
    model = MLPClassifier((2,), max_iter=1, learning_rate="one_cycle", batch_size=4).fit(X, y)
    assert model.set_params(verbose="bar").to_sklearn().verbose is True
