"""Tests of Trainer: epochs, history, seeds, rows, stopping, divergence, Ctrl-C, memory."""

import copy
import os
import subprocess
import sys
import textwrap
import threading
import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import accuracy_score, r2_score

from fastmlp import DivergenceWarning, History, Network, Trainer
from fastmlp.layers import Dense
from fastmlp.network import ENGINES as ENGINES_AND_AUTO
from fastmlp.optimizers import SGD, Adam
from fastmlp.preparation import Preparation
from fastmlp.schedules import Adaptive, Schedule

LOSSES = {"cross_entropy": "softmax", "binary_cross_entropy": "logistic", "squared_error": "identity"}
SOLVERS = [SGD(0.05, 0.0), SGD(0.05, 0.9, nesterov=False), SGD(0.05, 0.9), Adam(0.01)]
ENGINES = [name for name in ENGINES_AND_AUTO if name != "auto"]
N = 70


def make_data(loss="cross_entropy", n=N, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    if loss == "cross_entropy":
        return X, (X @ np.random.default_rng(1).normal(size=(6, 3))).argmax(axis=1)
    if loss == "binary_cross_entropy":
        return X, (X[:, :3] > 0).astype(float)
    return X, np.c_[X[:, 0] * X[:, 1], X[:, 2], np.tanh(X[:, 3])]


def make_network(loss="cross_entropy", dtype="float64", hidden=(8, 5), **options):
    layers = [*(Dense(units, "tanh") for units in hidden), Dense(3, LOSSES[loss])]
    return Network(layers, 6, dtype=dtype, **{"random_state": 0, **options})


def make_trainer(loss="cross_entropy", network=None, **options):
    network = network or make_network(loss)
    return Trainer(network, loss, **{"batch_size": 16, "random_state": 0, **options})


# ----------------------------------------------------------------------------------------- what is computed


def step_by_hand(network, moments, solver, n_steps, d_parameters):
    """Make a solver's step on the whole vector of parameters, as its textbook has it."""
    w, rate = network.parameters, solver.learning_rate
    if isinstance(solver, SGD):
        moments[0][:] = solver.momentum * moments[0] - rate * d_parameters
        w += solver.momentum * moments[0] - rate * d_parameters if solver.nesterov else moments[0]
        return
    m, v = moments
    m[:] = solver.beta_1 * m + (1 - solver.beta_1) * d_parameters
    v[:] = solver.beta_2 * v + (1 - solver.beta_2) * d_parameters**2
    rate *= np.sqrt(1 - solver.beta_2**n_steps) / (1 - solver.beta_1**n_steps)
    w -= rate * m / (np.sqrt(v) + solver.epsilon)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("solver", SOLVERS, ids=str)
@pytest.mark.parametrize("loss", LOSSES)
def test_unshuffled_training_takes_the_samples_in_turn_with_a_remainder(loss, solver, engine):
    X, y = make_data(loss)
    network, twin = make_network(loss, engine=engine), make_network(loss, engine=engine)
    trainer = make_trainer(loss, network, optimizer=solver, shuffle=False, batch_size=16)
    history = trainer.fit(X, y, epochs=3)
    moments, n_steps = [twin.new_vector(), twin.new_vector()], 0
    for epoch in range(3):
        total = 0.0
        for start in range(0, N, 16):
            batch = slice(start, start + 16)  # the last one has 70 - 64 = 6 samples
            value, d_parameters, _ = twin.gradients(X[batch], y[batch], loss)
            total += value * len(X[batch])
            n_steps += 1
            step_by_hand(twin, moments, solver, n_steps, d_parameters)
        assert_allclose(history.loss[epoch], total / N, rtol=1e-10)
    assert_allclose(network.parameters, twin.parameters, rtol=0, atol=1e-11)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 80),
    batch_size=st.integers(1, 100),
    shuffle=st.booleans(),
    loss=st.sampled_from(list(LOSSES)),
)
def test_every_sample_is_seen_once_an_epoch(n, batch_size, shuffle, loss):
    X, y = make_data(loss, n=n)
    trainer = make_trainer(loss, optimizer=SGD(1e-300, 0.0), batch_size=batch_size, shuffle=shuffle)
    history = trainer.fit(X, y, epochs=2)
    assert_allclose(history.loss, trainer.network.evaluate(X, y, loss)[0], rtol=1e-12)
    assert trainer.samples_seen == 2 * n


def test_shuffling_takes_another_order_in_every_epoch():
    # With steps this small, what an epoch adds to the weights depends on the order in its second order only.
    X, y = make_data()
    changes = []
    for _ in range(2):
        network = make_network()
        start = network.parameters.copy()
        trainer = make_trainer(network=network, optimizer=SGD(1e-3, 0.0), batch_size=1)
        for _ in range(3):
            trainer.fit(X, y, epochs=1)
            changes.append(network.parameters - start)
            network.parameters[:] = start
    assert_allclose(changes[0], changes[1], atol=1e-3)
    assert np.abs(changes[0] - changes[1]).max() > 1e-9
    assert np.abs(changes[1] - changes[2]).max() > 1e-9
    assert_array_equal(changes[:3], changes[3:])


def test_a_batch_above_the_number_of_samples_takes_them_all():
    X, y = make_data()
    large, whole = (make_trainer(batch_size=size) for size in (10**9, N))
    assert large.fit(X, y, epochs=3).loss == whole.fit(X, y, epochs=3).loss
    assert large.batch_size == 10**9


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_penalty_is_half_alpha_times_the_weights_squared_by_the_batch(loss, engine):
    X, y = make_data(loss, n=64)
    network = make_network(loss, engine=engine)
    plain = network.evaluate(X, y, loss)[0]
    weights = sum((coef**2).sum() for coef in network.coefs_)
    trainer = make_trainer(loss, network, optimizer=SGD(1e-300), alpha=0.7)
    assert_allclose(trainer.fit(X, y, epochs=1).loss[0], plain + 0.7 / 2 * weights / 16, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("solver", SOLVERS, ids=str)
@pytest.mark.parametrize("loss", LOSSES)
def test_training_lowers_the_loss(loss, solver, dtype):
    X, y = make_data(loss)
    history = make_trainer(loss, make_network(loss, dtype), optimizer=solver).fit(X, y, epochs=30)
    assert history.loss[-1] < 0.7 * history.loss[0]


# ------------------------------------------------------------------------------------- rows, seeds, going on


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    "chosen", [range(10, 45), [3], [5, 2, 9, 2, 60], np.arange(69, -1, -3, dtype=np.uint8)]
)
def test_rows_train_as_a_copy_of_them_does(chosen, loss, shuffle, engine):
    X, y = make_data(loss)
    subset, copied = (
        make_trainer(loss, make_network(loss, engine=engine), shuffle=shuffle, batch_size=4) for _ in range(2)
    )
    subset.fit(X, y, rows=chosen, epochs=3)
    copied.fit(X[list(chosen)], y[list(chosen)], epochs=3)
    assert subset.history.loss == copied.history.loss
    assert_array_equal(subset.network.parameters, copied.network.parameters)
    assert subset.samples_seen == 3 * len(chosen)


@pytest.mark.parametrize("schedule", ["constant", "invscaling"])
@pytest.mark.parametrize("solver", SOLVERS, ids=str)
@pytest.mark.parametrize("engine", ENGINES)
def test_two_fits_of_three_epochs_are_one_of_six(solver, schedule, engine):
    X, y = make_data()
    options = {"optimizer": solver, "schedule": schedule}
    twice, once = (make_trainer(network=make_network(engine=engine), **options) for _ in range(2))
    twice.fit(X, y, epochs=3)
    twice.fit(X, y, epochs=3)
    once.fit(X, y, epochs=6)
    assert twice.history.loss == once.history.loss
    assert_array_equal(twice.network.parameters, once.network.parameters)
    assert (twice.n_epochs, twice.samples_seen) == (once.n_epochs, once.samples_seen) == (6, 6 * N)


def test_the_plateau_rule_goes_on_over_fits():
    X, y = make_data()
    options = {"schedule": Adaptive(), "tol": 0.2, "n_iter_no_change": 3, "optimizer": SGD(0.05)}
    in_parts, once = make_trainer(**options), make_trainer(**options)
    for _ in range(10):
        in_parts.fit(X, y, epochs=2)
    once.fit(X, y, epochs=20)
    assert in_parts.history.learning_rate == once.history.learning_rate
    assert len(set(once.history.learning_rate)) > 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("engine", ENGINES)
def test_seeds_decide_every_bit(engine, dtype):
    X, y = make_data()

    def train(seed):
        network = make_network(dtype=dtype, engine=engine)
        make_trainer(network=network, random_state=seed).fit(X, y, epochs=3)
        return network.parameters

    assert_array_equal(train(7), train(7))
    assert_array_equal(train(7), train(np.random.RandomState(7)))
    assert not np.array_equal(train(7), train(8))


def test_every_engine_takes_the_samples_in_the_same_order():
    X, y = make_data()
    histories = [
        make_trainer(network=make_network(engine=engine), random_state=3, batch_size=1).fit(X, y, epochs=3)
        for engine in ENGINES
    ]
    for history in histories:
        assert_allclose(history.loss, histories[0].loss, rtol=1e-11)


def test_trainers_of_copies_go_on_alike():
    X, y = make_data()
    trainer = make_trainer(optimizer="adam")
    trainer.fit(X, y, epochs=2)
    twin = copy.deepcopy(trainer)
    trainer.fit(X, y, epochs=2)
    twin.fit(X, y, epochs=2)
    assert_array_equal(trainer.network.parameters, twin.network.parameters)
    assert trainer.history == trainer.history
    assert trainer.history.loss == twin.history.loss


# -------------------------------------------------------------------------------------------------- history


@pytest.mark.parametrize("with_validation", [False, True])
def test_every_list_of_the_history_has_an_entry_per_epoch(with_validation):
    X, y = make_data()
    trainer = make_trainer(optimizer=SGD(0.02))
    validation = make_data(seed=1) if with_validation else ()
    history = trainer.fit(X, y, *validation, epochs=4)
    assert isinstance(history, History)
    assert history is trainer.history
    assert len(history.loss) == len(history.seconds) == len(history.samples_per_second) == 4
    assert len(history.val_loss) == len(history.val_score) == (4 if with_validation else 0)
    assert history.learning_rate == [0.02] * 4
    assert all(seconds > 0 for seconds in history.seconds)
    for seconds, speed in zip(history.seconds, history.samples_per_second, strict=True):
        assert_allclose(seconds * speed, N)
    assert {type(value) for value in history.loss + history.val_loss + history.val_score} == {float}
    assert not history.converged
    assert not history.diverged


@pytest.mark.parametrize("loss", LOSSES)
def test_validation_is_evaluated_after_each_epoch(loss):
    X, y = make_data(loss)
    X_val, y_val = make_data(loss, n=33, seed=1)
    seen = []
    trainer = make_trainer(
        loss, callbacks=[lambda event: seen.append(event.network.evaluate(X_val, y_val, loss))]
    )
    history = trainer.fit(X, y, X_val, y_val, epochs=3)
    assert_allclose(history.val_loss, [value for value, _ in seen], rtol=1e-12)
    outputs = [outputs for _, outputs in seen]
    scores = {
        "cross_entropy": lambda p: accuracy_score(y_val, p.argmax(axis=1)),
        "binary_cross_entropy": lambda p: accuracy_score(y_val > 0.5, p > 0.5),
        "squared_error": lambda p: r2_score(y_val, p),
    }
    assert_allclose(history.val_score, [scores[loss](p) for p in outputs], rtol=1e-12)


def test_validation_does_not_change_the_training():
    X, y = make_data()
    alone, watched = make_trainer(), make_trainer()
    alone.fit(X, y, epochs=3)
    watched.fit(X, y, *make_data(seed=1), epochs=3)
    assert_array_equal(alone.network.parameters, watched.network.parameters)


def test_a_score_of_ones_own_is_given_targets_and_outputs():
    X, y = make_data()
    given_to_it = []

    def score(targets, outputs):
        given_to_it.append((targets, outputs))
        return 42

    trainer = make_trainer(score=score)
    assert trainer.fit(X, y, X, y, epochs=1).val_score == [42.0]
    assert_array_equal(given_to_it[0][0], y)
    assert_array_equal(given_to_it[0][1], trainer.network.predict(X))


def test_prepared_targets_are_scored_in_their_own_units():
    X, y = make_data("squared_error")
    targets = 1000 + 20 * y
    preparation = Preparation.fit(targets, "table")
    trainer = make_trainer("squared_error", target_preparation=preparation, optimizer=SGD(1e-300))
    history = trainer.fit(X, targets, X, targets, epochs=1)
    assert_allclose(history.val_loss, history.loss, rtol=1e-10)
    predictions = preparation.invert(trainer.network.predict(X))
    assert_allclose(history.val_score[0], r2_score(targets, predictions), rtol=1e-10)


# ------------------------------------------------------------------------------------------------- stopping


def test_a_loss_that_no_longer_falls_stops_the_fit():
    X, y = make_data()
    trainer = make_trainer(optimizer=SGD(1e-300), tol=1e-4, n_iter_no_change=3)
    history = trainer.fit(X, y, epochs=50)
    assert len(history.loss) == 5  # the first is an improvement on nothing, the next four are more than three
    assert history.converged
    assert trainer.fit(X, y, epochs=1).converged is False


def test_without_a_tolerance_nothing_stops_the_fit():
    X, y = make_data()
    history = make_trainer(optimizer=SGD(1e-300)).fit(X, y, epochs=50)
    assert len(history.loss) == 50
    assert not history.converged


# ----------------------------------------------------------------------------------------- one fit at a time


def test_two_fits_at_once_on_one_network_are_refused_clearly():
    X, y = make_data()
    network = make_network()
    inside, leave = threading.Event(), threading.Event()

    def wait(event):
        inside.set()
        assert leave.wait(60)

    first = make_trainer(network=network, callbacks=[wait])
    thread = threading.Thread(target=first.fit, args=(X, y), kwargs={"epochs": 2})
    thread.start()
    try:
        assert inside.wait(60)
        with pytest.raises(RuntimeError, match="being trained by another fit"):
            make_trainer(network=network).fit(X, y)
        with pytest.raises(RuntimeError, match="being trained by another fit"):
            first.fit(X, y)
        network.predict(X)
    finally:
        leave.set()
        thread.join()
    assert len(first.history.loss) == 2
    second = make_trainer(network=network).fit(X, y, epochs=1)
    assert second.loss[0] < first.history.loss[0]


def test_a_fit_inside_a_callback_of_the_same_network_is_refused():
    X, y = make_data()
    network = make_network()
    trainer = make_trainer(
        network=network, callbacks=[lambda event: make_trainer(network=network).fit(X, y, epochs=1)]
    )
    with pytest.raises(RuntimeError, match="being trained by another fit"):
        trainer.fit(X, y)
    make_trainer(network=network).fit(X, y, epochs=1)


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_the_history_is_whole_after_the_scoring_of_an_epoch_broke_off(error):
    X, y = make_data()
    raised = []

    def fail_once(targets, outputs):
        if not raised:
            raised.append(outputs)
            raise error
        return 1.0

    trainer = make_trainer(score=fail_once)
    with pytest.raises(error):
        trainer.fit(X, y, X, y, epochs=3)
    assert trainer.n_epochs == len(trainer.history.loss) == len(trainer.history.val_score)
    history = trainer.fit(X, y, X, y, epochs=2)
    assert trainer.n_epochs == len(history.loss) == len(history.val_loss) == len(history.val_score)


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_the_network_and_the_trainer_are_usable_after_a_callback_raises(error):
    X, y = make_data()
    raised = []

    def fail_once(event):
        if not raised:
            raised.append(event)
            raise error

    trainer = make_trainer(callbacks=[fail_once])
    with pytest.raises(error):
        trainer.fit(X, y, epochs=3)
    trainer.fit(X, y, epochs=2)
    assert trainer.n_epochs == len(trainer.history.loss) == 3
    unbroken = make_trainer()
    unbroken.fit(X, y, epochs=3)
    assert_array_equal(trainer.network.parameters, unbroken.network.parameters)


def test_a_refused_fit_leaves_network_and_trainer_as_they_were():
    X, y = make_data()
    trainer = make_trainer()
    before = trainer.network.parameters.copy()
    for bad in ((X[:, :5], y), (X, y[:5]), (X, y + 1), (np.full_like(X, np.nan), y)):
        with pytest.raises(ValueError, match=r"X|y"):
            trainer.fit(*bad)
    assert_array_equal(trainer.network.parameters, before)
    assert trainer.history == History()
    trainer.fit(X, y, epochs=1)


# ----------------------------------------------------------------------------------------------- divergence


@dataclass(frozen=True)
class Leap(Schedule):
    """A sound rate until a step of the fit, then one that no network survives."""

    at: int = 0
    height: float = 1e30

    def rates(self, learning_rate, clock):
        steps = clock.step + np.arange(clock.n_steps)
        return np.where(steps < self.at, learning_rate, self.height)


HEIGHTS = {"float32": 1e30, "float64": 1e200}
# NumPy reports an overflow in the reference engine as it happens.
numpy_may_warn = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")


def only_divergence(caught):
    """Return the one warning that fastmlp itself gave."""
    (warning,) = (warning for warning in caught if warning.category is DivergenceWarning)
    return warning


def break_in_epoch_three(loss, activation, engine, dtype, at, validation=()):
    """Return a trainer that broke at a step, in epochs of five, its warning, and the network of epoch two."""
    X, y = make_data(loss)
    layers = [Dense(8, activation), Dense(5, activation), Dense(3, LOSSES[loss])]
    network, sound = (Network(layers, 6, random_state=0, dtype=dtype, engine=engine) for _ in range(2))
    make_trainer(loss, sound, optimizer=SGD(0.01)).fit(X, y, epochs=2)
    trainer = make_trainer(loss, network, optimizer=SGD(0.01), schedule=Leap(at, HEIGHTS[dtype]))
    with pytest.warns(DivergenceWarning) as caught:
        trainer.fit(X, y, *validation, epochs=6)
    return trainer, only_divergence(caught), sound


UNSTABLE = [("cross_entropy", "identity"), ("squared_error", "identity"), ("squared_error", "relu")]


@pytest.mark.parametrize("at", [10, 12])
@pytest.mark.parametrize("dtype", HEIGHTS)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("loss", "activation"), UNSTABLE)
@pytest.mark.parametrize("with_validation", [False, True])
@numpy_may_warn
def test_divergence_goes_back_to_the_last_good_epoch(loss, activation, engine, dtype, at, with_validation):
    validation = make_data(loss, seed=1) if with_validation else ()
    trainer, warning, sound = break_in_epoch_three(loss, activation, engine, dtype, at, validation)
    assert_array_equal(trainer.network.parameters, sound.parameters)
    message = str(warning.message)
    assert "diverged in epoch 3" in message
    assert "parameters of epoch 2" in message
    assert "layer" in message
    assert warning.filename == __file__
    history = trainer.history
    assert history.diverged
    assert not history.converged
    assert trainer.n_epochs == len(history.loss) == 2
    assert trainer.samples_seen == 2 * N
    assert np.isfinite(history.loss + history.val_loss + history.val_score).all()
    assert np.isfinite(trainer.network.predict(make_data(loss)[0])).all()


@pytest.mark.parametrize("dtype", HEIGHTS)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("loss", "activation"), UNSTABLE)
@pytest.mark.parametrize("with_validation", [False, True])
@numpy_may_warn
def test_an_epoch_whose_last_step_broke_is_not_a_good_one(loss, activation, engine, dtype, with_validation):
    # That step's own loss was finite, and so are the weights it left; only their outputs are not.
    validation = make_data(loss, seed=1) if with_validation else ()
    trainer, _, sound = break_in_epoch_three(loss, activation, engine, dtype, 14, validation)
    assert np.isfinite(trainer.network.predict(make_data(loss)[0])).all()
    assert_array_equal(trainer.network.parameters, sound.parameters)
    assert trainer.n_epochs == len(trainer.history.loss)


BREAKING = [SGD(1e30, 0.0), SGD(1e30, 0.9, nesterov=False), SGD(1e30), Adam(1e30)]


@pytest.mark.parametrize("solver", BREAKING, ids=str)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch_size", [16, 1000])
@pytest.mark.parametrize("epochs", [1, 5])
@numpy_may_warn
def test_divergence_at_once_goes_back_to_the_initial_weights(solver, engine, batch_size, epochs):
    X, y = make_data("squared_error")
    layers = [Dense(8), Dense(5), Dense(3, "identity")]
    network = Network(layers, 6, random_state=0, engine=engine)
    before = network.parameters.copy()
    trainer = make_trainer("squared_error", network, optimizer=solver, batch_size=batch_size)
    with pytest.warns(DivergenceWarning, match="initial ones") as caught:
        history = trainer.fit(X, y, epochs=epochs)
    only_divergence(caught)
    assert_array_equal(network.parameters, before)
    assert history.diverged
    assert trainer.n_epochs == len(history.loss)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_the_warning_names_the_layer_that_is_spoilt(layer):
    X, y = make_data("squared_error")
    network = Network([Dense(8, "identity"), Dense(5, "identity"), Dense(3, "identity")], 6, random_state=0)
    network.coefs_[layer][0, 0] = np.inf
    with pytest.warns(DivergenceWarning, match=f"epoch 1: .*layer {layer}"):
        Trainer(network, "squared_error").fit(X, y, epochs=1)


@pytest.mark.parametrize("solver", [SGD(0.01), Adam(0.01)], ids=str)
def test_training_goes_on_soundly_after_a_divergence(solver):
    X, y = make_data("squared_error")
    trainer = make_trainer("squared_error", optimizer=solver, schedule=Leap(12, 1e200))
    with pytest.warns(DivergenceWarning, match="epoch 3"):
        trainer.fit(X, y, epochs=6)
    before = trainer.network.parameters.copy()
    trainer.schedule, trainer.batch_size = Schedule(), N
    trainer.fit(X, y, epochs=1)
    if isinstance(solver, Adam):  # no step of Adam's is much larger than its rate
        assert np.abs(trainer.network.parameters - before).max() < 1.5 * solver.learning_rate
    history = trainer.fit(X, y, epochs=50)
    assert not history.diverged
    assert history.loss[-1] < 0.8 * history.loss[0]
    assert trainer.n_epochs == len(history.loss) == 53


def test_moderate_rates_do_not_look_like_a_divergence():
    X, y = make_data("squared_error")
    history = make_trainer("squared_error", optimizer=SGD(0.3, 0.5)).fit(1e-3 * X, 1e6 * y, epochs=1)
    assert not history.diverged


# --------------------------------------------------------------------------------------------------- Ctrl-C

INTERRUPTED = """
    import os, signal, sys, threading, time
    import numpy as np
    from fastmlp import Network, Trainer
    from fastmlp.layers import Dense

    case = sys.argv[1]
    n = 300_000  # rows that take no memory: one epoch, or one pass over them, takes many seconds
    X = np.broadcast_to(np.arange(64, dtype=np.uint8), (n, 64))
    y = np.broadcast_to(np.int32(1), n)
    engine = "reference" if case == "reference engine" else "blas"
    network = Network([Dense(512), Dense(512), Dense(10, "softmax")], 64, engine=engine, random_state=0)
    trainer = Trainer(network, "cross_entropy", batch_size=16 if case == "small batches" else 128)
    few = {"epochs": 1, "rows": np.arange(100)}
    trainer.fit(X, y, **few)
    sent = []

    def interrupt():
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Timer(0.5, interrupt).start()
    try:
        if case == "validation":
            trainer.fit(X, y, X, y, **few)
        else:
            trainer.fit(X, y, epochs=10)
        # A machine so fast that it was done before has nothing to interrupt; only the wait is left.
        time.sleep(60)
    except KeyboardInterrupt:
        print(time.perf_counter() - sent[0])
    assert np.isfinite(network.predict(X[:10])).all()
    trainer.fit(X, y, **few)
    Trainer(network, "cross_entropy").fit(X, y, **few)
"""


@pytest.mark.parametrize("case", ["large batches", "small batches", "reference engine", "validation"])
def test_ctrl_c_acts_within_half_a_second_and_leaves_the_network_usable(case):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED), case],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 2  # half a second, and slack for a machine that is busy with other things


# --------------------------------------------------------------------------------------------------- memory


def test_what_an_epoch_allocates_does_not_depend_on_its_batches():
    X, y = make_data(n=16_000)
    peaks = {}

    def train(n_batches):
        measured = []

        def measure(event):
            current, peak = tracemalloc.get_traced_memory()
            measured.append(peak - current)
            tracemalloc.reset_peak()

        trainer = make_trainer(batch_size=16, callbacks=[measure])
        trainer.fit(X, y, rows=np.arange(16 * n_batches), epochs=4)
        return min(measured[1:])

    tracemalloc.start()
    try:
        peaks = {n_batches: train(n_batches) for n_batches in (10, 1000)}
    finally:
        tracemalloc.stop()
    # An epoch's rates and momenta are two numbers a batch, the old ones and the new ones.
    assert peaks[1000] - peaks[10] < 2 * 2 * 8 * 1000 + 4096


STORED = {
    "uint8": lambda X, folder: X.astype(np.uint8),
    "float32, Fortran": lambda X, folder: np.asfortranarray(X, dtype=np.float32),
    "float64, strided": lambda X, folder: np.repeat(X, 2, axis=1)[:, ::2],
    "float32, mapped": lambda X, folder: mapped(X.astype(np.float32), folder),
}


def mapped(X, folder):
    np.save(folder / "x.npy", X)
    return np.load(folder / "x.npy", mmap_mode="r")


@pytest.mark.parametrize("kind", STORED)
def test_the_data_are_never_copied_whole(kind, tmp_path):
    X = STORED[kind](np.random.default_rng(0).integers(0, 255, size=(20_000, 100)).astype(float), tmp_path)
    y = np.arange(20_000) % 3
    network = Network([Dense(8), Dense(3, "softmax")], 100, preparation=Preparation.fit(X[:99], "table"))
    trainer = Trainer(network, "cross_entropy", batch_size=64)
    tracemalloc.start()
    try:
        trainer.fit(X, y, X, y, epochs=1)
        network.predict(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Rows, their order, labels, class scores: a few numbers per sample, and not its 100 features.
    assert peak < 100 * len(X)


COUNTER = """
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <errno.h>
    #include <stdatomic.h>
    #include <stddef.h>
    #include <string.h>

    /* Counted apart from what the BLAS library asks for: OpenBLAS makes a list of jobs for every product
     * that it gives to its threads. */
    static atomic_int counting;
    static atomic_long count;
    void start_counting(void) { atomic_store(&counting, 1); }
    long allocations(void) { return atomic_load(&count); }
    static void add(const void *caller)
    {
        Dl_info from;
        if (!atomic_load(&counting))
            return;
        if (!dladdr(caller, &from) || !from.dli_fname || !strstr(from.dli_fname, "blas"))
            atomic_fetch_add(&count, 1);
    }

    /* What dlsym itself asks for while it looks up the real functions; never given back. */
    static char early[65536];
    static atomic_size_t used;
    static void *from_early(size_t size)
    {
        return early + atomic_fetch_add(&used, (size + 15) / 16 * 16);
    }
    static int is_early(const void *p)
    {
        return (const char *)p >= early && (const char *)p < early + sizeof early;
    }

    static _Thread_local int looking;
    #define REAL(result, name, types)                        \\
        static result (*real) types;                         \\
        if (!real && !looking) {                             \\
            looking = 1;                                     \\
            real = (result (*) types)dlsym(RTLD_NEXT, name); \\
            looking = 0;                                     \\
        }                                                    \\
        add(__builtin_return_address(0))

    void *malloc(size_t size)
    {
        REAL(void *, "malloc", (size_t));
        return real ? real(size) : from_early(size);
    }
    void *calloc(size_t n, size_t size)
    {
        REAL(void *, "calloc", (size_t, size_t));
        return real ? real(n, size) : from_early(n * size);
    }
    void *realloc(void *p, size_t size)
    {
        REAL(void *, "realloc", (void *, size_t));
        if (is_early(p)) {
            void *moved = malloc(size);
            return moved ? memcpy(moved, p, size) : NULL;
        }
        return real ? real(p, size) : from_early(size);
    }
    void *aligned_alloc(size_t alignment, size_t size)
    {
        REAL(void *, "aligned_alloc", (size_t, size_t));
        return real(alignment, size);
    }
    void *memalign(size_t alignment, size_t size)
    {
        REAL(void *, "memalign", (size_t, size_t));
        return real(alignment, size);
    }
    int posix_memalign(void **out, size_t alignment, size_t size)
    {
        REAL(int, "posix_memalign", (void **, size_t, size_t));
        return real(out, alignment, size);
    }
    void free(void *p)
    {
        static void (*real)(void *);
        if (is_early(p))
            return;
        if (!real)
            real = (void (*)(void *))dlsym(RTLD_NEXT, "free");
        real(p);
    }
"""

COUNTED = """
    import ctypes, sys
    import numpy as np
    import fastmlp.trainer
    from fastmlp import Network, Trainer
    from fastmlp.layers import Dense

    # An epoch in one slice: between slices, on a slow machine many, Python runs a few lines.
    fastmlp.trainer.SLICE_SECONDS = 3600.0
    loss, optimizer = sys.argv[1:]
    library = ctypes.CDLL(None)
    library.allocations.restype = ctypes.c_long
    X = np.random.default_rng(0).normal(size=(64 * 300, 100)).astype(np.float32)
    y = np.arange(len(X)) % 10
    targets = y if loss == "cross_entropy" else np.eye(10)[y]
    ends = {"cross_entropy": "softmax", "binary_cross_entropy": "logistic", "squared_error": "identity"}
    network = Network([Dense(100), Dense(100, "tanh"), Dense(10, ends[loss])], 100, random_state=0)

    def count(n_batches):
        trainer = Trainer(network, loss, optimizer=optimizer, batch_size=64, alpha=0.1)
        rows = np.arange(64 * n_batches)
        trainer.fit(X, targets, rows=rows, epochs=1)
        before = library.allocations()
        trainer.fit(X, targets, rows=rows, epochs=1)
        return library.allocations() - before

    library.start_counting()
    count(50)
    print(count(50), count(300))
"""


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    """Compile a library that counts every call for memory, to be loaded before the C library."""
    folder = tmp_path_factory.mktemp("counter")
    (folder / "counter.c").write_text(textwrap.dedent(COUNTER))
    command = ["cc", "-O1", "-shared", "-fPIC", "-fno-builtin", "counter.c", "-o", "counter.so", "-ldl"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "counter.so"


@pytest.mark.parametrize(
    ("loss", "optimizer", "blas_threads"),
    [("cross_entropy", "sgd", 1), ("binary_cross_entropy", "adam", 1), ("squared_error", "adam", 2)],
)
def test_nothing_is_allocated_per_batch(loss, optimizer, blas_threads, counter):
    environment = os.environ | {
        "LD_PRELOAD": str(counter), "OPENBLAS_NUM_THREADS": str(blas_threads), "PYTHONMALLOC": "malloc",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(COUNTED), loss, optimizer],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    few, many = map(int, done.stdout.split())
    assert few > 100  # the counter does count: Python itself asks for memory in every fit
    assert many - few < 50  # one for each of the 250 batches more would be 250
