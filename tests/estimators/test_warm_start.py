"""Tests of warm_start: scikit-learn's numbers, what goes on, what must stay, and what a file keeps."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.neural_network import MLPClassifier as TheirClassifier

import fastmlp
from fastmlp import DivergenceWarning, MLPClassifier, MLPRegressor
from fastmlp.estimators import reading
from helpers.estimators import PAIRS, SOLVERS, assert_same_fit, data, ignore_convergence, quietly

pytestmark = ignore_convergence

# After a warm start scikit-learn's first epoch takes the whole rate, ours the one that was reached.
SAME = {name: solver for name, solver in SOLVERS.items() if name != "invscaling"}
BASE = {"hidden_layer_sizes": (8,), "batch_size": 16, "shuffle": False, "random_state": 0, "warm_start": True}


# ------------------------------------------------------------------------- the same numbers as scikit-learn


@pytest.mark.parametrize("solver", SAME)
@pytest.mark.parametrize("task", PAIRS)
def test_fits_that_go_on_give_scikit_learns_losses_and_weights(task, solver):
    X, y = data(task)
    ours, theirs = (cls(**BASE, **SAME[solver], max_iter=4) for cls in PAIRS[task])
    for n_epochs in (4, 2, 7):
        for model in (ours, theirs):
            model.set_params(max_iter=n_epochs).fit(X, y)
        assert ours.n_iter_ == theirs.n_iter_ == n_epochs
        assert ours.t_ == theirs.t_
    assert_same_fit(ours, theirs)
    assert_allclose(ours.best_loss_, theirs.best_loss_)


@pytest.mark.parametrize("task", PAIRS)
def test_a_fit_that_had_converged_ends_as_soon_as_scikit_learns(task):
    X, y = data(task)
    params = {**BASE, "n_iter_no_change": 2, "tol": 0.01, "max_iter": 40}
    ours, theirs = (cls(**params) for cls in PAIRS[task])
    for _ in range(3):
        ours.fit(X, y)
        theirs.fit(X, y)
        assert ours.n_iter_ == theirs.n_iter_
        assert ours._no_improvement_count == theirs._no_improvement_count
    assert_same_fit(ours, theirs)


@pytest.mark.parametrize("task", PAIRS)
def test_lbfgs_goes_on_from_where_it_was(task):
    X, y = data(task)
    params = {**BASE, "solver": "lbfgs", "max_iter": 5, "alpha": 0.1}
    ours, theirs = (cls(**params) for cls in PAIRS[task])
    for _ in range(3):
        ours.fit(X, y)
        theirs.fit(X, y)
        assert ours.n_iter_ == theirs.n_iter_ == 5
    assert len(ours.loss_curve_) == 15
    assert_allclose(ours.coefs_[0], theirs.coefs_[0], rtol=1e-4, atol=1e-5)


def test_partial_fit_and_fit_go_on_from_each_other():
    X, y = data("multiclass")
    ours, theirs = (cls(**BASE, max_iter=3) for cls in PAIRS["multiclass"])
    for model in (ours, theirs):
        model.partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y).fit(X, y).partial_fit(X, y)
    assert_same_fit(ours, theirs)
    assert len(ours.loss_curve_) == 6
    assert ours.n_iter_ == 4


# ------------------------------------------------------------------------------------------- what goes on


def test_inverse_scaling_goes_on_with_the_samples_seen():
    X, y = data("binary")
    params = {**BASE, "solver": "sgd", "learning_rate": "invscaling", "max_iter": 2, "momentum": 0}
    rates = []
    model = MLPClassifier(**params, callbacks=[lambda event: rates.append(event.learning_rate)])
    model.fit(X, y).fit(X, y)
    assert_allclose(rates, [0.001, *(0.001 / (len(X) * n + 1) ** 0.5 for n in (1, 2, 3))])


def test_without_warm_start_a_fit_begins_anew():
    X, y = data("multiclass")
    model = MLPClassifier(max_iter=3, random_state=0)
    first = list(model.fit(X, y).loss_curve_)
    assert model.fit(X, y).loss_curve_ == first


def test_each_fit_takes_the_samples_in_new_orders_that_the_seed_determines():
    X, y = load_wine(return_X_y=True)
    curves = []
    for _ in range(2):
        # Too slow to learn anything, the losses tell of the batches alone.
        model = MLPClassifier(
            max_iter=2, learning_rate_init=1e-12, batch_size=16, random_state=3, warm_start=True
        )
        curves.append([model.fit(X, y).loss_curve_[-2:] for _ in range(3)])
    assert curves[0] == curves[1]
    assert len({loss for pair in curves[0] for loss in pair}) == 6


def test_scores_and_the_best_of_them_go_on_and_the_same_samples_are_held_out(monkeypatch):
    X, y = load_breast_cancer(return_X_y=True)
    model = MLPClassifier(
        (16,), max_iter=15, early_stopping=True, warm_start=True, random_state=0, prepare="table",
        learning_rate_init=0.01,
    )  # fmt: skip
    held_out = []
    split = reading.split
    monkeypatch.setattr(reading, "split", lambda *args: held_out.append(split(*args)) or held_out[-1])
    scores, best = list(model.fit(X, y).validation_scores_), model.best_validation_score_
    weights = model.coefs_[0].copy()
    model.set_params(learning_rate_init=10.0, max_iter=3).fit(X, y)  # too fast to be any good
    assert model.validation_scores_[: len(scores)] == scores
    assert len(model.validation_scores_) == len(scores) + model.n_iter_
    assert_array_equal(held_out[0][1], held_out[1][1])
    assert model.best_validation_score_ == best
    assert_array_equal(model.coefs_[0], weights)
    assert model.best_loss_ is None


@pytest.mark.parametrize("ending", ["safetensors", "pickle", "clone"])
def test_a_model_that_was_kept_goes_on_and_a_clone_begins(tmp_path, ending):
    X, y = load_diabetes(return_X_y=True)
    model = MLPRegressor(
        hidden_layer_sizes=(8,), max_iter=30, warm_start=True, random_state=0, prepare="table"
    )
    model.fit(X, y)
    if ending == "clone":
        assert clone(model).fit(X, y).loss_curve_ == model.loss_curve_
        return
    if ending == "pickle":
        twin = pickle.loads(pickle.dumps(model))
    else:
        model.save(tmp_path / "model.safetensors")
        twin = fastmlp.load(tmp_path / "model.safetensors")
    assert twin.warm_start
    twin.fit(X, y)
    model.fit(X, y)
    assert twin.n_iter_ == 30
    assert len(twin.loss_curve_) == 60
    assert twin.t_ == 60 * len(X)
    assert twin.loss_curve_ == model.loss_curve_
    assert_array_equal(twin.coefs_[0], model.coefs_[0])
    twin.partial_fit(X, y)
    assert twin.n_iter_ == 31


def test_a_loaded_model_knows_its_best_score(tmp_path):
    X, y = load_wine(return_X_y=True)
    model = MLPClassifier(
        (8,), max_iter=40, early_stopping=True, warm_start=True, random_state=0, prepare="table"
    )
    model.fit(X, y).save(tmp_path / "model.safetensors")
    twin = fastmlp.load(tmp_path / "model.safetensors")
    twin.set_params(learning_rate_init=10.0, max_iter=2).fit(X, y)
    assert twin.best_validation_score_ == model.best_validation_score_
    assert_array_equal(twin.coefs_[0], model.coefs_[0])


@pytest.mark.parametrize("origin", ["safetensors", "scikit-learn"])
def test_a_model_that_came_from_elsewhere_holds_out_the_same_samples_in_all_its_fits(
    tmp_path, origin, monkeypatch
):
    X, y = data("binary")
    params = {"max_iter": 2, "early_stopping": True, "warm_start": True}
    if origin == "scikit-learn":
        model = fastmlp.from_sklearn(TheirClassifier(**params).fit(X, y))
    else:
        MLPClassifier(**params).fit(X, y).save(tmp_path / "model.safetensors")
        model = fastmlp.load(tmp_path / "model.safetensors")
    held_out = []
    split = reading.split
    monkeypatch.setattr(reading, "split", lambda *args: held_out.append(split(*args)) or held_out[-1])
    model.fit(X, y).fit(X, y)
    assert_array_equal(held_out[0][1], held_out[1][1])


def test_a_model_that_was_kept_goes_on_by_partial_fit_and_then_by_fit(tmp_path):
    X, y = data("binary")
    MLPClassifier(max_iter=2).fit(X, y).save(tmp_path / "model.safetensors")
    model = fastmlp.load(tmp_path / "model.safetensors").partial_fit(X, y)
    model.set_params(warm_start=True, early_stopping=True).fit(X, y)
    assert len(model.loss_curve_) == 5


@pytest.mark.parametrize("params", [{"early_stopping": True}, {"augmentation": "shift"}])
def test_a_fit_that_fails_leaves_what_was_there(params):
    X, y = data("binary")
    model = MLPClassifier(max_iter=2, warm_start=True, random_state=0, **params)
    with pytest.raises(ValueError, match=r"too few|image"):
        model.fit(X[:5], y[:5])
    model.set_params(early_stopping=False, augmentation=None).fit(X, y)
    assert (model.n_iter_, model.t_, len(model.loss_curve_)) == (2, 2 * len(X), 2)
    model.set_params(warm_start=False, **params)
    with pytest.raises(ValueError, match=r"too few|image"):
        model.fit(X[:5], y[:5])
    model.set_params(warm_start=True, early_stopping=False, augmentation=None).fit(X, y)
    assert (model.n_iter_, model.t_, len(model.loss_curve_)) == (2, 4 * len(X), 4)


def test_a_loaded_model_goes_by_the_scores_that_are_numbers(tmp_path):
    X, y = data("binary")
    scores = iter([0.5, np.nan, 0.9, 0.2, 0.3, 0.4])
    params = {"max_iter": 4, "early_stopping": True, "warm_start": True}
    model = MLPClassifier(**params, scoring=lambda *_: next(scores)).fit(X, y)
    model.save(tmp_path / "model.safetensors")
    model = fastmlp.load(tmp_path / "model.safetensors").set_params(
        scoring=lambda *_: next(scores), max_iter=2
    )
    before = model.coefs_[0].copy()
    assert_array_equal(model.fit(X, y).coefs_[0], before)
    assert model.history_.best_epoch == 3


def test_models_of_fit_many_go_on():
    X, y = load_wine(return_X_y=True)
    base = MLPClassifier((8,), max_iter=3, warm_start=True, random_state=0, prepare="table")
    (many,) = fastmlp.fit_many([{}], X, y, estimator=base)
    alone = clone(base).set_params(n_threads=1).fit(X, y)
    assert many.fit(X, y).loss_curve_ == alone.fit(X, y).loss_curve_


def test_a_fit_that_diverges_at_once_keeps_the_weights_and_warns():
    X, y = data("multiclass")
    model = MLPClassifier(max_iter=3, random_state=0, warm_start=True, solver="sgd").fit(X, y)
    before = model.coefs_[0].copy()
    with pytest.warns(DivergenceWarning, match=r"epoch 4.*parameters of epoch 3"):
        model.set_params(learning_rate_init=1e200).fit(X, y)
    assert_array_equal(model.coefs_[0], before)


# ------------------------------------------------------------------------------------------ what must stay

CHANGES = {
    "hidden_layer_sizes": [(5,), (8, 4)],
    "activation": ["tanh"],
    "dropout": [0.5],
    "batch_norm": [True],
    "layer_norm": [True],
    "dtype": ["float32"],
    "engine": ["reference"],
    "prepare": ["image", None],
}


@pytest.mark.parametrize(("name", "value"), [(name, one) for name, many in CHANGES.items() for one in many])
@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_a_parameter_that_asks_for_another_network_is_refused_by_name(task, name, value):
    X, y = data(task)
    model = PAIRS[task][0](
        hidden_layer_sizes=(8,), max_iter=2, warm_start=True, prepare="table", random_state=0
    ).fit(X, y)
    before = {key: one for key, one in vars(model).items() if key != name}
    weights = model.network_.parameters.copy()
    with pytest.raises(ValueError, match=f"^{name}=.* cannot be changed with warm_start"):
        model.set_params(**{name: value}).fit(X, y)
    assert {key: one for key, one in vars(model).items() if key != name} == before
    assert_array_equal(model.network_.parameters, weights)


@pytest.mark.parametrize(("task", "loss"), [("binary", "cross_entropy"), ("regression", "poisson")])
def test_a_loss_of_other_outputs_or_targets_is_refused(task, loss):
    X, y = data(task)
    model = PAIRS[task][0](hidden_layer_sizes=(8,), max_iter=2, warm_start=True, prepare="table").fit(X, y)
    outputs = model.n_outputs_
    with pytest.raises(ValueError, match=f"^loss='{loss}' cannot be changed"):
        model.set_params(loss=loss).fit(X, y)
    assert model.n_outputs_ == outputs
    assert model.set_params(loss="squared_error").fit(X, y).loss_ > 0


def test_the_same_said_in_another_way_is_no_change():
    X, y = data("multiclass")
    model = MLPClassifier((8,), activation="swish", dtype="auto", max_iter=2, warm_start=True).fit(X, y)
    model.set_params(hidden_layer_sizes=8, activation=["silu"], dtype="float64", n_threads=1, solver="sgd")
    assert len(model.fit(X, y).fit(X.astype(np.float32), y).loss_curve_) == 6
    assert model.coefs_[0].dtype == np.float64
    assert model.network_.n_threads == 1


@pytest.mark.parametrize("prepare", ["table", "image", "auto"])
def test_columns_that_are_alike_are_prepared_by_either_kind(prepare):
    X, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), [0, 1, 1, 0]
    model = MLPClassifier((8,), max_iter=2, warm_start=True, prepare=prepare).fit(X, y)
    assert len(model.fit(X, y).loss_curve_) == 4


def test_other_columns_classes_and_targets_are_refused():
    X, y = data("multiclass")
    model = quietly(MLPClassifier(max_iter=2, warm_start=True).fit, X, y)
    with pytest.raises(ValueError, match="features"):
        model.fit(X[:, 1:], y)
    with pytest.raises(ValueError, match=r"same classes .*Previously got \[0 1 2\], `y` has \[0 1\]"):
        model.fit(X, (y > 0).astype(int))
    with pytest.raises(ValueError, match="is of another kind"):
        model.fit(X, np.eye(3, dtype=int)[y])
    assert_array_equal(model.classes_, [0, 1, 2])
    regressor = MLPRegressor(max_iter=2, warm_start=True).fit(X, y.astype(float))
    with pytest.raises(ValueError, match="y has 2, not 1"):
        regressor.fit(X, np.c_[y, y].astype(float))


FAILING = {
    "class_weight": {"class_weight": {9: 1.0}},
    "loss": {"loss": "squared_error", "label_smoothing": 0.1},
    "images": {"augmentation": "shift", "image_shape": (1, 1)},
}


@pytest.mark.parametrize("case", FAILING)
def test_a_refit_that_fails_leaves_the_fitted_model(case):
    X, y = data("binary")
    model = MLPClassifier(max_iter=2, random_state=0).fit(X, y)
    settings, before = model.get_params(), (model.predict_proba(X), list(model.loss_curve_))
    with pytest.raises(ValueError):  # noqa: PT011  each has a reason of its own
        model.set_params(**FAILING[case]).fit(X, y)
    model.set_params(**settings)
    np.testing.assert_array_equal(model.predict_proba(X), before[0])
    assert model.loss_curve_ == before[1]
