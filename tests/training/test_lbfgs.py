"""L-BFGS: scikit-learn's results, and everything that a fit can do, an iteration being an epoch."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import neural_network
from sklearn.base import clone
from sklearn.datasets import (
    load_diabetes,
    load_digits,
    load_iris,
)  # fmt: skip
from sklearn.exceptions import ConvergenceWarning

import fastmlp
from fastmlp import DivergenceWarning, MLPClassifier, MLPRegressor, Network, Trainer
from fastmlp.layers import Dense
from fastmlp.optimizers import LBFGS
from fastmlp.training.lbfgs import FullBatchLoss
from helpers.lbfgs import problem
from helpers.trainer import ENGINES, make_data, make_network, make_trainer

X, Y = load_iris(return_X_y=True)
quietly = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def make(*, network=None, **options):
    return make_trainer(network=network, optimizer=LBFGS(tol=0), **options)


# ------------------------------------------------------------------------------------------ scikit-learn


@quietly
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("options", [{}, {"hidden_layer_sizes": (8, 5), "activation": "tanh", "alpha": 0.3}])
# Not several numbers: scikit-learn averages their loss, and sums its gradient.
@pytest.mark.parametrize("kind", ["binary", "classes", "labels", "number"])
def test_twenty_iterations_are_scikit_learns(kind, options, engine):
    X, y = problem(kind)
    name = "MLPRegressor" if kind == "number" else "MLPClassifier"
    common = {"solver": "lbfgs", "max_iter": 20, "random_state": 3, **options}
    theirs = getattr(neural_network, name)(**common).fit(X, y)
    ours = getattr(fastmlp, name)(**common, engine=engine).fit(X, y)
    assert ours.n_iter_ == theirs.n_iter_ == len(ours.loss_curve_) == 20
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-7)
    for mine, their in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        assert_allclose(mine, their, rtol=1e-6, atol=1e-7)


@quietly
def test_weighted_samples_weigh_as_in_scikit_learn():
    X, y = problem("classes")
    sample_weight = np.random.default_rng(1).uniform(0, 3, 150)
    common = {"solver": "lbfgs", "max_iter": 20, "alpha": 0.3, "random_state": 3}
    theirs = neural_network.MLPClassifier(**common).fit(X, y, sample_weight)
    ours = MLPClassifier(**common).fit(X, y, sample_weight)
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-7)
    assert_allclose(ours.coefs_[0], theirs.coefs_[0], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("tol", [1e-3, 0.01])
def test_it_converges_when_scikit_learns_does(tol, recwarn):
    options = {
        "hidden_layer_sizes": (20,),
        "solver": "lbfgs",
        "tol": tol,
        "max_iter": 1000,
        "random_state": 0,
    }
    digits, y = load_digits(return_X_y=True)
    theirs = neural_network.MLPClassifier(**options).fit(digits / 16, y)
    ours = MLPClassifier(**options).fit(digits / 16, y)
    assert abs(ours.n_iter_ - theirs.n_iter_) <= 2
    assert ours.n_iter_ < 1000
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-4)
    assert not recwarn.list


def test_limits_are_warned_of():
    for limits, match in (({"max_iter": 3}, "3 iterations"), ({"max_fun": 5}, "max_fun=5")):
        with pytest.warns(ConvergenceWarning, match=match):
            model = MLPClassifier(solver="lbfgs", random_state=0, **limits).fit(X, Y)
        theirs = neural_network.MLPClassifier(solver="lbfgs", random_state=0, **limits)
        with pytest.warns(ConvergenceWarning):
            assert model.n_iter_ == theirs.fit(X, Y).n_iter_


def test_there_is_no_partial_fit():
    model = MLPClassifier(solver="lbfgs")
    assert not hasattr(model, "partial_fit")
    assert not hasattr(MLPRegressor(solver=LBFGS()), "partial_fit")
    assert hasattr(MLPClassifier(), "partial_fit")
    with pytest.raises(AttributeError):
        model.partial_fit(X, Y, classes=[0, 1, 2])


def test_float32_gets_as_far():
    options = {"solver": "lbfgs", "random_state": 0, "max_iter": 1000}
    double, single = (MLPClassifier(**options).fit(X.astype(dtype), Y) for dtype in ("float64", "float32"))
    assert single.coefs_[0].dtype == np.float32
    assert single.loss_ == pytest.approx(double.loss_, rel=0.5)


def test_one_line_leaves_epochs_and_rates_to_it():
    model = fastmlp.fit(X, Y, solver="lbfgs", tol=0.01, random_state=0)  # ends long before the last iteration
    assert model.n_iter_ < 100 < model.max_iter == 200
    assert model.learning_rate == "constant"
    assert fastmlp.fit(X, Y, solver=LBFGS(tol=10.0), max_iter=7).max_iter == 7


def test_it_is_cloned_saved_and_loaded(tmp_path):
    model = MLPRegressor(
        hidden_layer_sizes=(9,), solver=LBFGS(history_size=4), max_fun=300, prepare="table", max_iter=2000
    )
    model = clone(model).fit(*load_diabetes(return_X_y=True))
    model.save(tmp_path / "model.safetensors")
    loaded = fastmlp.load(tmp_path / "model.safetensors")
    assert loaded.solver == LBFGS(history_size=4)
    assert loaded.max_fun == 300
    assert_array_equal(loaded.predict(X[:, [0] * 10]), model.predict(X[:, [0] * 10]))


# ----------------------------------------------------------------------------------------- the loss itself


@pytest.mark.parametrize("engine", ENGINES)
def test_the_gradient_is_that_of_the_loss(engine):
    inputs, y = make_data()
    network = make_network(engine=engine)
    with network.full_batch(
        inputs, y.astype(np.int32), network.check_loss("cross_entropy"), rows=np.arange(10, 60)
    ) as gradient:
        loss = FullBatchLoss(network, gradient, 0.7)
        x = network.parameters.copy()
        d, padding = loss(x)[1], np.ones(len(x), bool)
        for layer in network.plan.layers:
            for view in (layer.weight_of(padding), layer.bias_of(padding)):
                view[:] = False
        for i in np.flatnonzero(~padding)[::7]:
            step = np.zeros_like(x)
            step[i] = 1e-5
            assert d[i] == pytest.approx((loss(x + step)[0] - loss(x - step)[0]) / 2e-5, rel=1e-5, abs=1e-8)
        assert padding.any()
        assert not d[padding].any()


@pytest.mark.parametrize("hidden", [(8, 5), (33,)])
def test_padding_stays_zero(hidden):
    network = make_network(hidden=hidden)
    make(network=network, alpha=0.1).fit(*make_data(), epochs=30)
    rebuilt = network.new_vector()
    for new, old in zip(network.split(rebuilt)[0], network.coefs_, strict=True):
        new[:] = old
    for new, old in zip(network.split(rebuilt)[1], network.intercepts_, strict=True):
        new[:] = old
    assert_array_equal(rebuilt, network.parameters)


def test_bits_do_not_depend_on_the_threads():
    inputs, y = make_data(n=700)
    results = [
        make(network=make_network(n_threads=n, dtype="float32")).fit(inputs, y, epochs=15).loss
        for n in (1, 3)
    ]
    assert results[0] == results[1]


def test_history_has_the_loss_with_its_penalties():
    inputs, y = make_data()
    trainer = make(alpha=0.5, l2=0.01)
    history = trainer.fit(inputs, y, epochs=12)
    squares = sum(np.square(w).sum() for w in trainer.network.coefs_)
    expected = trainer.network.evaluate(inputs, y, "cross_entropy")[0] + (0.25 / len(inputs) + 0.01) * squares
    assert history.loss[-1] == pytest.approx(expected, rel=1e-12)
    assert (np.diff(history.loss) < 0).all()
    assert trainer.n_epochs == len(history.seconds) == 12
    assert trainer.samples_seen >= 12 * len(inputs)
    assert trainer.samples_seen % len(inputs) == 0
    assert trainer.limit == "all 12 iterations are made"


# ------------------------------------------------------------------------------------ what else a fit does


def test_a_second_fit_goes_on():
    inputs, y = make_data()
    events = []
    trainer = make(callbacks=[events.append])
    first = list(trainer.fit(inputs, y, epochs=5).loss)
    second = trainer.fit(inputs, y, epochs=5).loss
    assert second[:5] == first
    assert second[5] < first[-1]
    assert [event.epoch for event in events[5:]] == [6, 7, 8, 9, 10]
    assert events[5].n_epochs == 10


def test_a_callback_stops_it():
    trainer = make(callbacks=[lambda event: event.epoch == 4])
    history = trainer.fit(*make_data(), epochs=50)
    assert len(history.loss) == 4
    assert trainer.limit == ""
    assert not history.converged


@pytest.mark.parametrize("seconds", [1e-9, 0.3])
def test_it_keeps_to_its_time(seconds):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(3000, 50))
    y = rng.integers(0, 10, 3000)
    network = Network([Dense(50, "tanh"), Dense(10, "softmax")], 50, dtype="float64", random_state=0)
    before = network.parameters.copy()
    trainer = Trainer(network, "cross_entropy", optimizer=LBFGS(tol=0), max_seconds=seconds)
    started = time.perf_counter()
    history = trainer.fit(inputs, y, epochs=10**6)
    assert time.perf_counter() - started < 20
    assert trainer.limit == ""
    assert (history.loss == []) == (network.parameters == before).all() == (seconds < 0.1)


def test_an_error_in_a_callback_leaves_the_last_iterate():
    seen = []

    def fail(event):
        seen.append(event.network.parameters.copy())
        if event.epoch == 3:
            raise LookupError

    trainer = make(callbacks=[fail])
    with pytest.raises(LookupError):
        trainer.fit(*make_data(), epochs=10)
    assert trainer.n_epochs == 3
    assert len(seen) == 3
    assert_array_equal(trainer.network.parameters, seen[-1])
    assert trainer.fit(*make_data(), epochs=2).loss[4] < trainer.history.loss[2]


def test_ctrl_c_leaves_the_last_iterate():
    rng = np.random.default_rng(0)
    inputs, y = rng.normal(size=(5000, 100)), rng.integers(0, 10, 5000)
    model = MLPClassifier((100,), solver=LBFGS(tol=0), max_iter=10**6, random_state=0)
    threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(inputs, y)
    assert model.n_iter_ == len(model.loss_curve_) > 0
    again = MLPClassifier((100,), solver=LBFGS(tol=0), max_iter=model.n_iter_, random_state=0)
    with pytest.warns(ConvergenceWarning):
        again.fit(inputs, y)
    assert_array_equal(model.network_.parameters, again.network_.parameters)
    assert model.loss_curve_ == again.loss_curve_


@pytest.mark.parametrize("engine", ENGINES)
def test_divergence_is_told_and_leaves_the_last_iterate(engine):
    network = make_network("squared_error", dtype="float32", engine=engine)
    before = network.parameters.copy()
    trainer = Trainer(network, "squared_error", optimizer="lbfgs")
    with pytest.warns(DivergenceWarning, match=r"epoch 1: .* layer \d .*initial ones"):
        history = trainer.fit(np.ones((20, 6)), np.full((20, 3), 3e38), epochs=5)  # squares overflow
    assert history.diverged
    assert history.loss == []
    assert_array_equal(network.parameters, before)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("l1", {"l1": 0.1}),
        ("clip_value", {"clip_value": 1.0}),
        ("clip_norm", {"clip_norm": 1.0}),
        ("ema_decay", {"ema_decay": 0.9}),
        ("augmentation", {"augmentation": "flip", "image_shape": (2, 3)}),
        ("schedule", {"schedule": "one_cycle"}),
        ("dtype", {"network": make_network(dtype="bfloat16", engine="reference")}),
    ],
)
def test_what_does_not_go_with_it_is_refused(name, options):
    with pytest.raises(ValueError, match=f"{name}=.* does not go with L-BFGS"):
        make(**options)


def test_estimators_refuse_it_too_and_overlook_what_scikit_learn_does():
    with pytest.raises(ValueError, match=r"weight_decay=0\.1 does not go"):
        MLPClassifier(solver="lbfgs", weight_decay=0.1).fit(X, Y)
    with pytest.raises(ValueError, match=r"OneCycle.* does not go"):
        MLPClassifier(solver="lbfgs", learning_rate="one_cycle").fit(X, Y)
    options = {"random_state": 0, "solver": "lbfgs", "max_iter": 500}
    plain = MLPClassifier(**options).fit(X, Y)
    same = MLPClassifier(**options, learning_rate="adaptive", batch_size=1000, momentum=0.1).fit(X, Y)
    assert plain.loss_curve_ == same.loss_curve_


@pytest.mark.parametrize(
    ("options", "name"),
    [({"max_fun": 0}, "max_fun"), ({"history_size": 0}, "history_size"), ({"tol": -1}, "tol")],
)
def test_its_settings_are_checked(options, name):
    with pytest.raises(ValueError, match=f"{name}="):
        LBFGS(**options)
