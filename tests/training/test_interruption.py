"""Tests of fits that break off, by an error or Ctrl-C, and of two at once on one network."""

import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastmlp import History
from helpers.trainer import make_data, make_network, make_trainer

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
