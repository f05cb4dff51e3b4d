"""Tests of what a fitted model keeps when a parameter is set or a call is refused, wherever it is from."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.losses import Quantile
from fastmlp.optimizers import SGD, Adam, RMSprop
from helpers.between_calls import TARGETS, X, assert_same_state, both_ways, make, state, train
from helpers.estimators import ignore_convergence

pytestmark = ignore_convergence

# ----------------------------------------------------------------------------- state that stays, or begins


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (SGD(0.01, momentum=0.9), SGD(0.02, momentum=0.5)),
        (SGD(0.01, momentum=0.0), SGD(0.01, momentum=0.9)),
        (SGD(0.01, momentum=0.9), SGD(0.01, momentum=0.0)),
        (RMSprop(0.01, momentum=0.9), RMSprop(0.01, momentum=0.0)),
        (RMSprop(0.01), RMSprop(0.01, momentum=0.9)),
        (Adam(0.01), Adam(0.001, beta_1=0.5)),
    ],
    ids=str,
)
def test_a_solver_of_the_same_kind_keeps_its_moments(first, then):
    model = train(make(solver=first), "partial_fit")
    kept = [moment.copy() for moment in model._session.trainer.state.moments]
    n_steps = model._session.trainer.state.n_steps
    # A step so small that it leaves the weights alone: the moments move by what the gradient adds.
    train(model.set_params(solver=then), "partial_fit")
    assert model._session.trainer.state.n_steps == 2 * n_steps
    assert len(model._session.trainer.state.moments) == then.n_moments
    for before, after in zip(kept, model._session.trainer.state.moments, strict=False):
        assert np.corrcoef(before, after)[0, 1] > 0.1


def test_a_rate_that_a_schedule_has_lowered_stays_until_it_is_set():
    model = make(solver="sgd", learning_rate="adaptive", tol=9.0, n_iter_no_change=1)
    for _ in range(3):
        train(model, "partial_fit")
    assert model._session.trainer.state.base_rate == 0.002
    train(model.set_params(alpha=0.1, momentum=0.5), "partial_fit")
    assert model._session.trainer.state.base_rate == 0.002
    train(model.set_params(learning_rate_init=0.5, n_iter_no_change=9), "partial_fit")
    assert model._session.trainer.state.base_rate == 0.5
    train(train(model.set_params(n_iter_no_change=1), "partial_fit"), "partial_fit")
    assert model._session.trainer.state.base_rate < 0.5
    train(model.set_params(learning_rate="constant"), "partial_fit")
    assert model._session.trainer.state.base_rate == 0.5


@both_ways
@pytest.mark.parametrize("change", [{"scoring": "neg_log_loss"}, {"loss": "squared_error", "scoring": "r2"}])
def test_the_best_of_another_measure_is_no_best(change, way):
    X_val, y_val = X[:30], TARGETS[MLPClassifier][:30]
    model = make(early_stopping=True, n_iter_no_change=3, max_iter=1)
    for _ in range(3):
        train(model, way, X_val=X_val, y_val=y_val)
    before = model.network_.parameters.copy()
    train(model.set_params(**change), way, X_val=X_val, y_val=y_val)
    # By scores below 0, where accuracies were, no epoch would ever be the best.
    assert model.history_.best_epoch == 4
    assert not np.array_equal(model.network_.parameters, before)


@pytest.mark.parametrize(("first", "then"), [(None, 0.5), (0.5, None), (0.5, 0.9)])
def test_averages_come_and_go_with_early_stopping(first, then):
    data = {"X_val": X, "y_val": TARGETS[MLPClassifier]}
    model = make(early_stopping=True, n_iter_no_change=2, tol=9.0, ema_decay=first)
    train(train(model, "partial_fit", **data), "partial_fit", **data)
    model.set_params(ema_decay=then)
    weights = []
    while not model.stopped_early_:
        weights.append(model.network_.parameters.copy())
        train(model, "partial_fit", **data)
    assert len(model.validation_scores_) == 4
    assert (model._session.trainer.state.raw is None) == (then is None)


def test_a_model_by_lbfgs_may_go_on_by_batches_and_back():
    model = MLPClassifier((8,), solver="lbfgs", max_iter=5, random_state=0).fit(X, TARGETS[MLPClassifier])
    model.set_params(solver="adam").partial_fit(X, TARGETS[MLPClassifier])
    assert len(model.loss_curve_) == 6
    model.set_params(solver="lbfgs", warm_start=True).fit(X, TARGETS[MLPClassifier])
    assert len(model.loss_curve_) == 11
    with pytest.raises(AttributeError, match="partial_fit"):
        model.partial_fit(X, TARGETS[MLPClassifier])


# ---------------------------------------------------------------------------- refusals by what only data say


@both_ways
@pytest.mark.parametrize(
    ("cls", "params", "change", "message"),
    [
        (MLPRegressor, {}, {"loss": "poisson", "augmentation": "flip", "image_shape": (3, 5)}, "image_shape"),
        (MLPRegressor, {}, {"loss": Quantile((0.1, 0.9))}, r"^loss=Quantile.*made with 'squared_error'"),
        (MLPRegressor, {}, {"output_activation": "softplus"}, "^output_activation='softplus'"),
        (MLPClassifier, {}, {"loss": "log_likelihood"}, "^loss='log_likelihood' cannot be changed"),
        (MLPClassifier, {}, {"loss": "binary_cross_entropy"}, "binary_cross_entropy"),
        (MLPClassifier, {}, {"loss": "squared_error", "label_smoothing": 0.1}, "^label_smoothing=0.1"),
        (MLPClassifier, {}, {"loss": "squared_error", "class_weight": {0: -1.0, 1: 1, 2: 1}}, "class_weight"),
        (MLPClassifier, {}, {"loss": "squared_error", "augmentation": "flip", "image_shape": (5,)}, "image"),
        (MLPClassifier, {}, {"scoring": "no such score"}, "scoring"),
        (MLPClassifier, {}, {"hidden_layer_sizes": "8"}, "hidden_layer_sizes"),
        (MLPClassifier, {}, {"solver": SGD(0.1), "learning_rate": "no such schedule"}, "learning_rate"),
    ],
    ids=str,
)  # fmt: skip
def test_a_refused_call_leaves_the_model_as_it_was(cls, params, change, message, way):
    model, untouched = (train(make(cls, **params), way) for _ in range(2))
    own, before = {name: model.get_params()[name] for name in change}, state(model)
    with pytest.raises(ValueError, match=message):
        train(model.set_params(**change), way)
    assert_same_state(state(model), before)
    for one in (model.set_params(**own), untouched):
        train(one, way)
    assert_same_state(state(model), state(untouched))


@both_ways
def test_targets_that_a_new_loss_does_not_take_change_nothing(way):
    model = train(make(MLPRegressor), way)
    before, fitted = state(model), model.predict(X)
    model.set_params(loss="poisson")
    assert_array_equal(model.predict(X), fitted)
    with pytest.raises(ValueError, match=r"loss='poisson' takes targets of at least 0"):
        getattr(model, "fit" if way == "warm start" else "partial_fit")(X, -TARGETS[MLPRegressor])
    assert_same_state(state(model), before)


def test_data_that_are_refused_change_nothing():
    model = train(make(), "partial_fit")
    before = state(model)
    model.set_params(loss="squared_error", solver="sgd")
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(np.full_like(X, np.nan), TARGETS[MLPClassifier])
    assert_same_state(state(model), before)


def test_a_first_call_whose_targets_are_refused_leaves_no_model():
    model = make(MLPRegressor, loss="poisson")
    with pytest.raises(ValueError, match="at least 0"):
        model.partial_fit(X, -TARGETS[MLPRegressor])
    assert not hasattr(model, "network_")


@both_ways
def test_what_has_been_trained_before_an_error_stays(way):
    def fail(event):
        raise RuntimeError("no more")

    model = train(make(), way)
    before = model.network_.parameters.copy()
    with pytest.raises(RuntimeError, match="no more"):
        train(model.set_params(callbacks=[fail], loss="squared_error"), way)
    assert not np.array_equal(model.network_.parameters, before)
    assert model.model_.loss.name == "squared_error"
    assert len(model.loss_curve_) == 2


# ------------------------------------------------------------------------- models that come from elsewhere


def from_file(model, folder):
    model.save(folder / "model.safetensors")
    return fastmlp.load(folder / "model.safetensors")


ORIGINS = {
    "file": from_file,
    "pickle": lambda model, folder: pickle.loads(pickle.dumps(model)),
    "copy": lambda model, folder: copy.deepcopy(model),
    "scikit-learn": lambda model, folder: fastmlp.from_sklearn(model.to_sklearn()),
    "fit_many": lambda model, folder: fastmlp.fit_many([model], X, TARGETS[MLPClassifier])[0],
}


@pytest.mark.parametrize("origin", ORIGINS)
def test_the_first_call_of_a_model_from_elsewhere_goes_by_the_present_parameters(origin, tmp_path):
    model = make().fit(X, TARGETS[MLPClassifier])
    changed, unset, refused = (ORIGINS[origin](model, tmp_path) for _ in range(3))
    train(changed.set_params(alpha=100.0), "partial_fit")
    train(unset, "partial_fit")
    assert not np.array_equal(changed.network_.parameters, unset.network_.parameters)
    before = refused.network_.parameters.copy()
    with pytest.raises(ValueError, match=r"^activation='relu' cannot be changed between calls"):
        train(refused.set_params(activation="relu"), "partial_fit")
    with pytest.raises(ValueError, match="alpha"):
        train(refused.set_params(activation="tanh", alpha="x"), "partial_fit")
    assert_array_equal(refused.network_.parameters, before)
    train(refused.set_params(alpha=1e-4), "partial_fit")
    assert_array_equal(refused.network_.parameters, unset.network_.parameters)
