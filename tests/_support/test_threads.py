"""Threads: the same bits from any number of them, how many there are, and what becomes of them."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

from fastmlp import MLPClassifier, Network, losses
from fastmlp._support import threads
from fastmlp._support.threads import count_threads
from fastmlp.engine import core, native
from fastmlp.engine.reference import native as reference
from fastmlp.layers import Dense
from helpers.engine import HEADS, problem, train

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # JAX says so of every fork once another test has loaded it.
    pytest.mark.filterwarnings(r"ignore:os\.fork\(\) was called:RuntimeWarning"),
]
both_types = pytest.mark.parametrize("dtype", ["float32", "float64"])


def train_on(n_threads, dtype, loss, output, activation="relu", solver="momentum", **sizes):
    plan, parameters, X, targets = problem(
        loss, dtype, output=output, activation=activation, operations="tile", **sizes
    )
    return train(
        native, plan, parameters, X, targets, loss, solver, n_threads=n_threads, measure=False, n_steps=12
    )


@both_types
@pytest.mark.parametrize("activation", ["relu", "tanh", "softmax", "elu(0.5)", "gelu"])
@pytest.mark.parametrize(("loss", "output"), HEADS)
def test_any_number_of_threads_gives_the_same_bits(loss, output, activation, dtype):
    alone, alone_curve = train_on(1, dtype, loss, output, activation)
    for n_threads in (2, 3, 4):
        together, curve = train_on(n_threads, dtype, loss, output, activation)
        np.testing.assert_array_equal(together, alone)
        np.testing.assert_array_equal(curve, alone_curve)


@pytest.mark.parametrize("solver", ["plain", "nesterov", "adam"])
def test_every_solver_gives_the_same_bits_on_four_threads(solver):
    sizes = {"n": 200, "hidden": (50, 3, 33), "n_features": 37}
    alone = train_on(1, "float32", "cross_entropy", "softmax", solver=solver, **sizes)
    together = train_on(4, "float32", "cross_entropy", "softmax", solver=solver, **sizes)
    np.testing.assert_array_equal(together[0], alone[0])


def test_weights_and_averages_have_the_same_bits_on_any_number_of_threads():
    plan, parameters, X, targets = problem(
        "cross_entropy", "float32", n=200, hidden=(50, 3), operations="tile"
    )
    weights = np.random.default_rng(1).exponential(size=len(X))
    weights[::5] = 0
    results = []
    for n_threads in (1, 2, 3, 4):
        average = parameters.copy()
        trained, curve = train(
            native, plan, parameters, X, targets, "cross_entropy", "momentum", n_threads=n_threads,
            measure=False, sample_weight=weights, average=average, ema_decay=0.9, batch_size=7, clip_norm=0.5,
        )  # fmt: skip
        results.append((trained, average, curve))
    for other in results[1:]:
        for one, another in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, another)


def test_more_threads_than_units_or_strips_do_no_harm():
    sizes = {"n": 5, "hidden": (2,), "n_outputs": 2}
    alone = train_on(1, "float32", "cross_entropy", "softmax", **sizes)
    together = train_on(8, "float32", "cross_entropy", "softmax", **sizes)
    np.testing.assert_array_equal(together[0], alone[0])


def test_measuring_how_many_threads_pay_leaves_the_bits_alone():
    plan, parameters, X, targets = problem("cross_entropy", "float32", n=2000, operations="tile")
    results = [
        train(native, plan, parameters, X, targets, "cross_entropy", "adam", n_steps=400, **options)[0]
        for options in ({}, {"n_threads": 4, "measure": True})
    ]
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("n", [1, 32, 257, 3000])
def test_predictions_and_losses_do_not_depend_on_the_threads(n):
    plan, parameters, X, targets = problem("cross_entropy", "float32", n=n, operations="tile")
    results = []
    for n_threads in (1, 2, 4):
        outs = [np.empty((n, layer.n_out), "float32") for layer in plan.layers]
        loss = native.forward(
            plan, parameters, X, None, outs, loss="cross_entropy", targets=targets, n_threads=n_threads
        )
        results.append((loss, *outs))
    for other in results[1:]:
        for one, another in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, another)


@both_types
@pytest.mark.parametrize("n", [1, 40, 257, 1000])
@pytest.mark.parametrize(("loss", "output"), HEADS)
def test_gradients_do_not_depend_on_the_threads(loss, output, n, dtype):
    plan, parameters, X, targets = problem(loss, dtype, n=n, output=output, operations="tile")
    results = []
    for n_threads in (1, 2, 4):
        d_parameters, d_inputs = np.full_like(parameters, 7), np.full((n, plan.n_features), np.nan, dtype)
        value = native.gradients(
            plan, parameters, X, None, d_parameters, d_inputs, loss=loss, targets=targets,
            loss_options=losses.BY_NAME[loss]().options(), n_threads=n_threads,
        )  # fmt: skip
        results.append((value, d_parameters, d_inputs))
    for other in results[1:]:
        for one, another in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, another)


@pytest.mark.parametrize("engine", [native, reference], ids=lambda engine: engine.__name__[15:])
def test_gradients_of_some_rows_are_those_of_a_copy_of_them(engine):
    plan, parameters, X, targets = problem("cross_entropy", "float64", n=600, operations="tile")
    rows = np.random.default_rng(0).permutation(600)[:300]
    found, expected = np.empty_like(parameters), np.empty_like(parameters)
    options = {"loss": "cross_entropy", "n_threads": 2}
    value = engine.gradients(plan, parameters, X, None, found, None, targets=targets, rows=rows, **options)
    of_copy = engine.gradients(
        plan, parameters, X[rows], None, expected, np.empty((300, plan.n_features)), targets=targets[rows],
        **options,
    )  # fmt: skip
    assert value == of_copy
    np.testing.assert_array_equal(found, expected)


def test_count_is_the_least_of_processors_environment_and_argument(monkeypatch):
    monkeypatch.setattr(threads, "_count_processors", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(99)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert (count_threads(), count_threads(3), count_threads(99)) == (8, 3, 8)
    for value, expected in (("2", 2), ("4,2", 4), ("16", 8), ("", 8), ("0", 8), ("many", 8)):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert count_threads() == expected
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert count_threads(1) == 1
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3}, raising=False)
    assert count_threads() == 1


def test_threads_end_soon_after_the_call_that_started_them():
    X = np.random.default_rng(0).random((4000, 30), dtype=np.float32)
    y = np.arange(4000) % 3

    def n_threads():
        return len(os.listdir("/proc/self/task")) if os.path.exists("/proc/self/task") else 0

    MLPClassifier((64,), max_iter=1, random_state=0).fit(X[:100], y[:100]).predict(X)
    before = n_threads()
    model = MLPClassifier((64,), max_iter=3, n_threads=2, random_state=0, tol=0).fit(X, y)
    for _ in range(20):
        model.predict(X)
    deadline = time.monotonic() + 5
    while n_threads() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert n_threads() == before


def test_a_model_predicts_from_many_threads_at_once():
    X = np.random.default_rng(0).random((3000, 20), dtype=np.float32)
    network = Network([Dense(30), Dense(4, "softmax")], 20, random_state=0)
    expected, found = network.predict(X), []
    users = [threading.Thread(target=lambda: found.append(network.predict(X))) for _ in range(8)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert len(found) == 8
    for outputs in found:
        np.testing.assert_array_equal(outputs, expected)


@both_types
@pytest.mark.parametrize("n", [1, 5, 16, 33, 64, 65, 300])
def test_a_burst_of_predictions_has_the_bits_of_single_threads(n, dtype):
    X = np.random.default_rng(0).standard_normal((n, 784)).astype(dtype)
    layers = [Dense(300, "tanh"), Dense(200), Dense(7, "softmax")]
    expected = Network(layers, 784, dtype=dtype, random_state=0, n_threads=1).predict(X)
    for n_threads in (2, 4):
        network = Network(layers, 784, dtype=dtype, random_state=0, n_threads=n_threads)
        for _ in range(40):  # the first ones alone, then with threads that linger
            np.testing.assert_array_equal(network.predict(X), expected)


@both_types
@pytest.mark.parametrize("n", [17, 20, 33, 64])
def test_rows_that_threads_read_side_by_side_stay_their_own(n, dtype):
    # 50 columns are no whole vectors: each thread converts its strip of rows, while another reads the next.
    rng = np.random.default_rng(0)
    X, many = rng.standard_normal((n, 50)), rng.standard_normal((256, 50))
    network = Network([Dense(500), Dense(500), Dense(3, "identity")], 50, dtype=dtype, random_state=0)
    expected = network.forward(X)[-1]
    for _ in range(100):
        network.predict(many)  # wakes the threads
        np.testing.assert_array_equal(network.predict(X), expected)


def test_a_burst_of_predictions_finds_what_is_not_finite():
    network = Network([Dense(400), Dense(200)], 784, random_state=0, n_threads=3)
    X = np.ones((40, 784), np.float32)
    for row, value in [(0, np.nan), (17, np.inf), (39, -np.inf)] * 10:
        network.predict(X)
        broken = X.copy()
        broken[row, row] = value
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            network.predict(broken)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_child_forked_amid_a_burst_predicts_on():
    network = Network([Dense(400), Dense(200)], 784, random_state=0, n_threads=2)
    X = np.random.default_rng(0).random((32, 784), dtype=np.float32)
    expected = network.predict(X)
    for _ in range(5):
        for _ in range(30):
            network.predict(X)
        child = os.fork()
        if child == 0:
            signal.alarm(30)
            same = all(np.array_equal(network.predict(X), expected) for _ in range(30))
            os._exit(0 if same else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("n_threads", [0, -1, 1.5, "two"])
def test_a_wrong_number_of_threads_is_refused(n_threads):
    with pytest.raises((TypeError, ValueError), match="n_threads"):
        Network([Dense(2)], 2, n_threads=n_threads)


def test_ctrl_c_stops_a_team_within_half_a_second():
    script = """
        import os, signal, threading, time
        import numpy as np
        from fastmlp import MLPClassifier
        X = np.random.default_rng(0).random((20000, 100), dtype=np.float32)
        y = np.arange(20000) % 10
        sent = []

        def interrupt():
            sent.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)

        threading.Timer(1.0, interrupt).start()
        model = MLPClassifier((256, 256), max_iter=10**6, tol=0, n_iter_no_change=10**6, n_threads=2)
        model.fit(X, y)  # ends with a warning, as scikit-learn's
        print(time.perf_counter() - sent[0])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert float(done.stdout) < 0.5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_fork_after_a_fit_on_threads_neither_hangs_nor_changes_bits():
    X = np.random.default_rng(0).random((2000, 30), dtype=np.float32)
    y = np.arange(2000) % 3
    model = MLPClassifier((64,), max_iter=3, n_threads=2, random_state=0, tol=0)
    expected = model.fit(X, y).predict_proba(X)
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        same = np.array_equal(model.fit(X, y).predict_proba(X), expected)
        os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_every_instruction_set_gives_the_same_bits_on_three_threads(monkeypatch):
    results = []
    for isa in core.instruction_sets():
        if isa != "portable":
            monkeypatch.setenv("FASTMLP_ISA", isa)
            results.append(train_on(3, "float32", "cross_entropy", "softmax", n=75, hidden=(40, 17))[0])
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)
