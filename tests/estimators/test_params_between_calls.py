"""Tests of parameters that are set on a fitted model: what the next call of training makes of each."""

import copy
from collections import deque

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.callbacks import EveryNSteps
from fastmlp.optimizers import SGD, Adam
from fastmlp.schedules import Adaptive
from helpers.between_calls import TARGETS, X, assert_same_state, both_ways, make, state, train
from helpers.estimators import ignore_convergence

pytestmark = ignore_convergence

# What the next call computes with: a value, and what else the model has from the beginning.
COMPUTED_WITH = {
    "alpha": (10.0, {}),
    "l2": (0.1, {}),
    "l1": (0.1, {}),
    "weight_decay": (5.0, {}),
    "clip_value": (1e-3, {"solver": "sgd"}),
    "clip_norm": (1e-3, {"solver": "sgd"}),
    "ema_decay": (0.5, {}),
    "augmentation": ("shift", {}),
    "image_shape": ((2, 8), {"augmentation": "flip"}),
    "input_dropout": (0.5, {}),
    "input_noise": (0.5, {}),
    "batch_size": (7, {}),
    "learning_rate": ("one_cycle", {}),
    "learning_rate_init": (0.1, {}),
    "power_t": (0.1, {"solver": "sgd", "learning_rate": "invscaling"}),
    "shuffle": (False, {}),
    "momentum": (0.1, {"solver": "sgd"}),
    "nesterovs_momentum": (False, {"solver": "sgd"}),
    "beta_1": (0.1, {}),
    "beta_2": (0.5, {}),
    "epsilon": (0.1, {}),
    "loss": ("squared_error", {}),
    "label_smoothing": (0.3, {}),
    "class_weight": ({0: 9.0, 1: 1.0, 2: 1.0}, {}),
}
# What the network was made with. The message names what it has.
REFUSED = {
    "hidden_layer_sizes": ((8, 4), r"\(8,\)"),
    "activation": ("relu", "'tanh'"),
    "dropout": (0.5, "0.0"),
    "batch_norm": (True, "False"),
    "layer_norm": (True, "False"),
    "dtype": ("float32", "'float64'"),
    "engine": ("reference", "'auto'"),
    "prepare": ("table", "None"),
    "output_activation": ("logistic", "'softmax'"),
}
# What has been used up by the first call, or is about `fit` alone.
WITHOUT_PART = {
    "random_state": 7,
    "weight_init": "he_normal",
    "validation_fraction": 0.3,
    "max_iter": 50,
    "max_fun": 3,
    "warm_start": True,
}


# ------------------------------------------------------------------------------- every parameter has a row


def take_verbose(way, capsys):
    model = train(make(), way)
    assert capsys.readouterr().out == ""
    train(model.set_params(verbose=True), way)
    assert capsys.readouterr().out.startswith("Iteration 2, loss = ")


def take_callbacks(way, capsys):
    model, seen = train(make(), way), []
    train(model.set_params(callbacks=[lambda event: seen.append(event.epoch)]), way)
    assert seen == [2]


def take_max_seconds(way, capsys):
    looks_at_the_clock = EveryNSteps(1, lambda end: None)
    model = train(make(callbacks=[looks_at_the_clock]), way)
    train(model.set_params(max_seconds=1e-9), way)
    assert model.t_ == 60 + 16


def take_scoring(way, capsys):
    validation = {"X_val": X, "y_val": TARGETS[MLPClassifier]}
    model = train(make(), way, **validation)
    train(model.set_params(scoring="neg_log_loss"), way, **validation)
    assert model.validation_scores_[1] < 0 < model.validation_scores_[0]


def take_tol(way, capsys):
    settings = {"solver": "sgd", "learning_rate": "adaptive", "n_iter_no_change": 1, "tol": 0.0}
    model = make(**settings)
    for _ in range(3):
        train(model, way)
    rate = model._session.trainer.state.base_rate
    for _ in range(2):
        train(model.set_params(tol=9.0), way)
    # A warm start has a fresh rate, which it lowers as it ends.
    assert (rate, model._session.trainer.state.base_rate) == (0.01, 0.002)


def take_n_iter_no_change(way, capsys):
    settings = {"solver": "sgd", "learning_rate": "adaptive", "n_iter_no_change": 50, "tol": 9.0}
    model = make(**settings)
    for _ in range(4):
        train(model, way)
    rate = model._session.trainer.state.base_rate
    train(model.set_params(n_iter_no_change=1), way)
    assert (rate, model._session.trainer.state.base_rate) == (0.01, 0.002)


def take_early_stopping(way, capsys):
    validation = {"X_val": X, "y_val": TARGETS[MLPClassifier]}
    model = train(make(tol=9.0, n_iter_no_change=1), way, **validation)
    train(model.set_params(early_stopping=True, max_iter=3), way, **validation)
    for _ in range(2):
        train(model, way, **validation)
    assert model.stopped_early_


def take_n_threads(way, capsys):
    model = train(make(n_threads=2), way)
    before = model.network_.n_threads
    train(model.set_params(n_threads=1), way)
    assert (before, model.network_.n_threads) == (2, 1)


def take_solver(way, capsys):
    model = train(make(input_noise=0.1), "partial_fit")
    twin = copy.deepcopy(model)
    train(model.set_params(solver="adagrad"), way)
    train(twin.set_params(solver="adagrad"), "warm start")  # which has a fresh state of the solver
    assert_same_state(state(model), state(twin))
    assert model._session.trainer.optimizer.solver == "adagrad"


SEEN_ELSEWHERE = {
    "verbose": take_verbose,
    "callbacks": take_callbacks,
    "max_seconds": take_max_seconds,
    "scoring": take_scoring,
    "tol": take_tol,
    "n_iter_no_change": take_n_iter_no_change,
    "early_stopping": take_early_stopping,
    "n_threads": take_n_threads,
    "solver": take_solver,
}


def test_every_parameter_has_a_row():
    tables = (COMPUTED_WITH, REFUSED, WITHOUT_PART, SEEN_ELSEWHERE)
    names = [name for table in tables for name in table]
    assert sorted(names) == sorted(MLPClassifier().get_params())
    of_classes = {"label_smoothing", "class_weight"}
    assert set(names) - of_classes == set(MLPRegressor().get_params())


@both_ways
@pytest.mark.parametrize("name", COMPUTED_WITH)
def test_the_next_call_computes_with_the_present_value(name, way):
    value, others = COMPUTED_WITH[name]
    model, unset = (train(make(**others), way) for _ in range(2))
    # Made with the value, and brought to where the other one is.
    twin = train(make(**others, **{name: value}), way)
    twin.network_.parameters = model.network_.parameters
    for mine, theirs in zip(
        twin._session.trainer.state.moments, model._session.trainer.state.moments, strict=True
    ):
        mine[:] = theirs
    if twin._session.trainer.state.raw is not None:
        twin._session.trainer.state.raw[:] = model.network_.parameters
    twin._session.trainer.state.n_steps = model._session.trainer.state.n_steps
    for one in (model.set_params(**{name: value}), unset, twin):
        train(one, way)
    assert not np.array_equal(model.network_.parameters, unset.network_.parameters)
    assert_array_equal(model.network_.parameters, twin.network_.parameters)
    assert model.loss_curve_[1] == twin.loss_curve_[1]


@both_ways
@pytest.mark.parametrize("name", SEEN_ELSEWHERE)
def test_the_next_call_goes_by_the_present_value(name, way, capsys):
    SEEN_ELSEWHERE[name](way, capsys)


WHEN = {"partial_fit": "between calls of partial_fit", "warm start": "with warm_start=True"}


@both_ways
@pytest.mark.parametrize("name", REFUSED)
def test_what_asks_for_another_network_is_refused_and_changes_nothing(name, way):
    value, kept = REFUSED[name]
    model, untouched = (train(make(), way) for _ in range(2))
    own, before = model.get_params()[name], state(model)
    message = f"^{name}=.* cannot be changed {WHEN[way]}: the network was made with {kept}"
    with pytest.raises(ValueError, match=message):
        train(model.set_params(**{name: value}), way)
    assert_same_state(state(model), before)
    for one in (model.set_params(**{name: own}), untouched):
        train(one, way)
    assert_same_state(state(model), state(untouched))


@pytest.mark.parametrize("name", WITHOUT_PART)
def test_what_the_first_call_has_used_up_changes_nothing(name):
    model, unset = (train(make(), "partial_fit") for _ in range(2))
    for one in (model.set_params(**{name: WITHOUT_PART[name]}), unset):
        train(one, "partial_fit")
    assert_same_state(state(model), state(unset))


@both_ways
@pytest.mark.parametrize(("cls", "name"), [(cls, name) for cls in TARGETS for name in cls().get_params()])
def test_what_is_no_value_at_all_is_refused_and_changes_nothing(name, cls, way):
    if (name, way) == ("warm_start", "warm start"):
        way = "partial_fit"  # which sets nothing of its own
    model = train(make(cls), way)
    own, before = model.get_params()[name], state(model)
    with pytest.raises(ValueError, match=name):
        train(model.set_params(**{name: object()}), way)
    model.set_params(**{name: own})  # without which there are no predictions if it is n_threads
    assert_same_state(state(model), before)


# ------------------------------------------------------------------------------ the same said in another way


@pytest.mark.parametrize(
    ("params", "same"),
    [
        ({"solver": SGD(0.01)}, {"solver": SGD(0.01)}),
        ({"solver": "sgd", "learning_rate": Adaptive()}, {"learning_rate": "adaptive"}),
        ({"activation": "silu"}, {"activation": ["swish"], "hidden_layer_sizes": 8, "dtype": "float64"}),
        ({"solver": "adam"}, {"solver": Adam(0.01), "alpha": np.float64(1e-4), "batch_size": np.int64(16)}),
        ({"loss": None}, {"loss": "cross_entropy", "output_activation": "softmax"}),
        ({"class_weight": {0: 2.0, 1: 1, 2: 1}}, {"class_weight": {2: 1.0, 1: 1, 0: 2}}),
    ],
    ids=str,
)
def test_the_same_said_in_another_way_changes_nothing(params, same):
    model, unset = (train(make(**params, input_noise=0.1), "partial_fit") for _ in range(2))
    random_state = np.random.get_state()[1].copy()
    for one in (model.set_params(**same), unset):
        train(train(one, "partial_fit"), "partial_fit")
    assert_same_state(state(model), state(unset))
    assert_array_equal(np.random.get_state()[1], random_state)


def test_what_is_changed_in_place_is_seen():
    sizes, callbacks, weights, seen = [8], [], {0: 1.0, 1: 1.0, 2: 1.0}, []
    params = {"hidden_layer_sizes": sizes, "callbacks": callbacks, "class_weight": weights}
    model, unset = (train(make(**copy.deepcopy(params)), "partial_fit") for _ in range(2))
    model.set_params(**params)
    train(model, "partial_fit")
    train(unset, "partial_fit")
    callbacks.append(lambda event: seen.append(event.epoch))
    train(model, "partial_fit")
    train(unset, "partial_fit")
    assert seen == [3]
    assert_same_state(state(model), state(unset))
    weights[0] = 9.0
    train(model, "partial_fit")
    train(unset, "partial_fit")
    assert not np.array_equal(model.network_.parameters, unset.network_.parameters)
    sizes.append(4)
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        train(model, "partial_fit")


class Log(list):
    """A callback that is a list, too."""

    def __call__(self, event):
        self.append(event.epoch)


class Counted:
    """A callback that has a length, and no items."""

    def __init__(self):
        self.n = 0

    def __len__(self):
        return self.n

    def __call__(self, event):
        self.n += 1


def test_callbacks_may_be_collections_themselves():
    log, counted = Log(), Counted()
    model = make(callbacks=[log, counted])
    for _ in range(3):
        train(model, "partial_fit")
    assert (log, len(counted)) == ([1, 2, 3], 3)


@pytest.mark.parametrize("sizes", [np.array([8]), deque([8]), range(8, 9), pd.Series([8])], ids=repr)
def test_sizes_may_be_any_sequence(sizes):
    model = train(make(hidden_layer_sizes=sizes), "partial_fit")
    assert len(train(model, "partial_fit").loss_curve_) == 2
    if not isinstance(sizes, range):
        sizes[0] = 9
        with pytest.raises(ValueError, match=r"(?s)hidden_layer_sizes=.* made with 8 and is kept"):
            train(model, "partial_fit")


@pytest.mark.parametrize("value", [np.array(0.1), np.array("x"), [0.1], {}], ids=repr)
def test_values_of_other_types_are_refused(value):
    model = train(make(), "partial_fit")
    with pytest.raises(ValueError, match="alpha"):
        train(model.set_params(alpha=value), "partial_fit")
