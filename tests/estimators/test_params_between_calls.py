"""Tests of parameters that are set on a fitted model: what the next call of training makes of each."""

import copy
import pickle
from collections import deque

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.callbacks import EveryNSteps
from fastmlp.losses import Quantile
from fastmlp.optimizers import SGD, Adam, RMSprop
from fastmlp.schedules import Adaptive
from helpers.estimators import ignore_convergence

pytestmark = ignore_convergence

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 16))
SIGNAL = X[:, :3] + 0.5 * RNG.normal(size=(60, 3))
TARGETS = {MLPClassifier: SIGNAL.argmax(axis=1), MLPRegressor: np.exp(SIGNAL[:, 0])}
BASE = {"hidden_layer_sizes": (8,), "activation": "tanh", "batch_size": 16, "learning_rate_init": 0.01,
        "max_iter": 1, "random_state": 0}  # fmt: skip

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


def make(cls=MLPClassifier, **params):
    return cls(**{**BASE, **params})


def train(model, way, **data):
    """Train for an epoch by `partial_fit`, or by `fit` with ``warm_start``."""
    y = TARGETS[MLPClassifier if isinstance(model, MLPClassifier) else MLPRegressor]
    if way == "warm start":
        return model.set_params(warm_start=True).fit(X, y, **data)
    if isinstance(model, MLPClassifier):
        data["classes"] = [0, 1, 2]
    return model.partial_fit(X, y, **data)


def state(model):
    """Return what a model has but its parameters, and cannot be told by a reference."""
    state = model._session.trainer.state
    return [
        model.network_.parameters.copy(), *(moment.copy() for moment in state.moments), *model.loss_curve_,
        state.n_steps, state.base_rate, state.seed, model.t_, model.predict(X),
    ]  # fmt: skip


def assert_same_state(one, other):
    for mine, theirs in zip(one, other, strict=True):
        assert_array_equal(mine, theirs)


both_ways = pytest.mark.parametrize("way", ["partial_fit", "warm start"])


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
    assert model._session.trainer.history.best_epoch == 4
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
