"""Tests of callbacks: what they are told, and what they can do."""

import copy
import dataclasses
import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fastmlp import MLPClassifier, Network, Trainer
from fastmlp.callbacks import CSVLog, EpochEnd, EveryNSteps, PrintEpoch, StopAtScore
from fastmlp.engine.core import has_bfloat16
from fastmlp.layers import Dense
from fastmlp.optimizers import SGD

X = np.random.default_rng(0).normal(size=(45, 3))
Y = (X[:, 0] > 0).astype(int)


def make_trainer(*callbacks, **options):
    network = Network([Dense(4), Dense(2, "softmax")], 3, random_state=0)
    return Trainer(network, "cross_entropy", batch_size=10, random_state=0, callbacks=callbacks, **options)


def test_callbacks_are_told_of_every_epoch():
    events = []
    trainer = make_trainer(events.append, optimizer=SGD(0.05))
    history = trainer.fit(X, Y, X, Y, epochs=3)
    assert all(isinstance(event, EpochEnd) for event in events)
    assert [event.epoch for event in events] == [1, 2, 3]
    assert [event.n_epochs for event in events] == [3, 3, 3]
    assert [event.learning_rate for event in events] == [0.05] * 3
    for name in ("loss", "val_loss", "val_score", "seconds", "samples_per_second"):
        assert [getattr(event, name) for event in events] == getattr(history, name)
    assert all(event.network is trainer.network for event in events)


def test_epochs_are_counted_over_the_trainers_life():
    events = []
    trainer = make_trainer(events.append)
    trainer.fit(X, Y, epochs=2)
    trainer.fit(X, Y, epochs=3)
    assert [event.epoch for event in events] == [1, 2, 3, 4, 5]
    assert [event.n_epochs for event in events] == [2, 2, 5, 5, 5]


def test_without_validation_data_there_is_no_validation():
    events = []
    make_trainer(events.append).fit(X, Y, epochs=1)
    assert events[0].val_loss is None
    assert events[0].val_score is None


def test_the_history_has_the_epoch_when_the_callbacks_are_called():
    lengths = []
    trainer = make_trainer(lambda event: lengths.append(len(trainer.history.loss)))
    trainer.fit(X, Y, epochs=3)
    assert lengths == [1, 2, 3]


def test_the_last_rate_of_the_epoch_is_told():
    events = []
    trainer = make_trainer(events.append, optimizer=SGD(1.0), schedule="one_cycle")
    trainer.fit(X, Y, epochs=4)
    assert_allclose(events[-1].learning_rate, 0.0001)


@pytest.mark.parametrize("answer", [True, np.True_])
def test_a_callback_that_returns_true_stops_the_fit(answer):
    trainer = make_trainer(lambda event: answer if event.epoch == 2 else None)
    assert len(trainer.fit(X, Y, epochs=10).loss) == 2
    assert not trainer.history.converged
    assert not trainer.history.diverged


@pytest.mark.parametrize("answer", [None, False, 0])
def test_a_callback_that_returns_anything_else_does_not(answer):
    assert len(make_trainer(lambda event: answer).fit(X, Y, epochs=3).loss) == 3


def test_every_callback_is_called_in_turn_also_after_one_that_stops():
    calls = []

    def record(name, answer=None):
        return lambda event: calls.append((name, event.epoch)) or answer

    make_trainer(record("a"), record("b", True), record("c")).fit(X, Y, epochs=5)
    assert calls == [("a", 1), ("b", 1), ("c", 1)]


def test_a_fit_that_was_stopped_goes_on_as_if_it_had_not_been():
    stopped, whole = make_trainer(lambda event: event.epoch == 2), make_trainer()
    stopped.fit(X, Y, epochs=5)
    stopped.fit(X, Y, epochs=3)
    whole.fit(X, Y, epochs=5)
    assert_array_equal(stopped.network.parameters, whole.network.parameters)


def test_stop_at_score_stops_once_the_score_is_there():
    scores = make_trainer(optimizer=SGD(0.1)).fit(X, Y, X, Y, epochs=20).val_score
    aim = max(scores)
    history = make_trainer(StopAtScore(aim), optimizer=SGD(0.1)).fit(X, Y, X, Y, epochs=20)
    assert len(history.loss) == scores.index(aim) + 1
    assert history.val_score[-1] == aim
    assert all(score < aim for score in history.val_score[:-1])


def test_a_score_out_of_reach_stops_nothing():
    assert len(make_trainer(StopAtScore(1.1)).fit(X, Y, X, Y, epochs=4).loss) == 4


def test_print_epoch_prints_a_line_per_epoch(capsys):
    history = make_trainer(PrintEpoch()).fit(X, Y, epochs=2)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"Iteration {i + 1}, loss = {loss:.8f}" for i, loss in enumerate(history.loss)]


def test_print_epoch_tells_the_validation_score_if_there_is_one(capsys):
    history = make_trainer(PrintEpoch()).fit(X, Y, X, Y, epochs=1)
    assert capsys.readouterr().out.rstrip().endswith(f"validation score = {history.val_score[0]:.6f}")


@pytest.mark.parametrize("callback", [PrintEpoch(), StopAtScore(0.5)], ids=str)
def test_callbacks_are_frozen_values(callback):
    assert pickle.loads(pickle.dumps(callback)) == callback
    assert copy.deepcopy(callback) == callback
    with pytest.raises(dataclasses.FrozenInstanceError):
        callback.score = 1


def test_events_are_frozen():
    events = []
    make_trainer(events.append).fit(X, Y, epochs=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        events[0].loss = 0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimators_pass_callbacks_on():
    events = []
    model = MLPClassifier(callbacks=[events.append, StopAtScore(0.0)], max_iter=5).fit(X, Y, X_val=X, y_val=Y)
    assert [event.epoch for event in events] == [1]
    assert model.n_iter_ == 1
    model = MLPClassifier(callbacks=(events.append,), max_iter=2, verbose=False).fit(X, Y)
    assert len(events) == 3
    model.partial_fit(X, Y)
    assert len(events) == 4


def test_a_csv_log_has_a_line_for_each_epoch_and_can_be_read_meanwhile(tmp_path):
    path, lines = tmp_path / "log.csv", []
    path.write_text("of an earlier run")
    trainer = make_trainer(CSVLog(path), lambda event: lines.append(path.read_text().splitlines()))
    trainer.fit(X, Y, X, Y, epochs=2)
    history = trainer.fit(X, Y, epochs=1)
    assert [len(seen) for seen in lines] == [2, 3, 4]
    frame = pd.read_csv(path)
    assert frame["epoch"].tolist() == [1, 2, 3]
    np.testing.assert_allclose(frame["loss"], history.loss)
    np.testing.assert_allclose(frame["val_score"][:2], history.val_score)
    assert frame["val_score"].isna().tolist() == [False, False, True]


def test_the_history_becomes_a_data_frame():
    history = make_trainer().fit(X, Y, epochs=3)
    frame = history.to_frame()
    assert frame.index.tolist() == [1, 2, 3]
    assert "val_loss" not in frame
    assert frame["loss"].tolist() == history.loss
    assert list(make_trainer().fit(X, Y, X, Y, epochs=1).to_frame()) == [
        "loss", "val_loss", "val_score", "learning_rate", "seconds", "samples_per_second",
    ]  # fmt: skip


# -------------------------------------------------------------------------------------------- every n steps

ENGINES = ["tile", "blas", "reference"]


def make_stepper(*callbacks, engine="tile", **options):
    network = Network([Dense(4), Dense(2, "softmax")], 3, dtype="float64", engine=engine, random_state=0)
    options = {"optimizer": SGD(0.05), "batch_size": 10, "random_state": 0, **options}
    return Trainer(network, "cross_entropy", callbacks=callbacks, **options)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_a_function_is_called_every_n_steps_over_the_trainers_life(n, engine):
    events, plain = [], make_stepper(engine=engine)
    trainer = make_stepper(EveryNSteps(n, events.append), engine=engine)
    for epochs in (3, 2):  # of five steps each
        trainer.fit(X, Y, epochs=epochs)
        plain.fit(X, Y, epochs=epochs)
    assert [event.step for event in events] == list(range(n, 26, n))
    assert [event.epoch for event in events] == [(step - 1) // 5 + 1 for step in range(n, 26, n)]
    assert all(event.network is trainer.network for event in events)
    assert_array_equal(trainer.network.parameters, plain.network.parameters)
    assert trainer.history.loss == plain.history.loss
    ends = [event for event in events if event.step % 5 == 0]
    assert [event.loss for event in ends] == [trainer.history.loss[event.epoch - 1] for event in ends]


def test_several_functions_and_those_of_epochs_are_called_in_order():
    calls = []
    trainer = make_stepper(
        EveryNSteps(2, lambda event: calls.append((2, event.step))),
        lambda event: calls.append(("epoch", event.epoch)),
        EveryNSteps(5, lambda event: calls.append((5, event.step))),
    )
    trainer.fit(X, Y, epochs=2)
    expected = [(2, 2), (2, 4), (5, 5), ("epoch", 1), (2, 6), (2, 8), (2, 10), (5, 10), ("epoch", 2)]
    assert calls == expected


def test_a_step_is_told_its_learning_rate():
    rates = []
    trainer = make_stepper(
        EveryNSteps(1, lambda event: rates.append(event.learning_rate)), schedule="one_cycle", batch_size=10
    )
    trainer.fit(X, Y, epochs=4)
    assert len(set(rates)) > 15
    assert rates[4::5] == trainer.history.learning_rate


@pytest.mark.parametrize("engine", ENGINES)
def test_a_function_can_stop_the_fit_amid_an_epoch(engine):
    trainer = make_stepper(EveryNSteps(1, lambda event: event.step == 8), engine=engine)
    history = trainer.fit(X, Y, epochs=10)
    assert len(history.loss) == 2
    assert trainer.samples_seen == 45 + 30
    expected = make_stepper(engine=engine, max_seconds=None)
    expected.fit(X, Y, epochs=1)
    assert history.loss[0] == expected.history.loss[0]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("n_features", [3, 20])
def test_weights_that_a_function_changes_are_heeded(engine, n_features):
    def clear(event):
        if event.step == 3:
            event.network.parameters[:] = 0

    def run(*callbacks):
        network = Network([Dense(2, "softmax")], n_features, dtype="float64", engine=engine, random_state=0)
        trainer = Trainer(
            network,
            "cross_entropy",
            optimizer=SGD(0.1, 0.0),
            batch_size=9,
            shuffle=False,
            callbacks=callbacks,
        )
        trainer.fit(inputs, Y, epochs=1)
        return network.parameters

    inputs = np.random.default_rng(1).normal(size=(45, n_features))
    network = Network([Dense(2, "softmax")], n_features, dtype="float64", random_state=0)
    network.parameters[:] = 0
    rest = Trainer(network, "cross_entropy", optimizer=SGD(0.1, 0.0), batch_size=9, shuffle=False)
    rest.fit(inputs[27:], Y[27:], epochs=1)
    assert_allclose(run(EveryNSteps(3, clear)), network.parameters, rtol=1e-12, atol=1e-15)


@pytest.mark.skipif(not has_bfloat16(), reason="needs AVX512_BF16")
def test_the_copies_in_bfloat16_follow():
    def double(event):
        event.network.parameters[:] *= 2

    results = []
    for engine in ("tile", "reference"):
        network = Network(
            [Dense(32), Dense(2, "softmax")], 3, dtype="bfloat16", engine=engine, random_state=0
        )
        trainer = Trainer(
            network, "cross_entropy", optimizer=SGD(0.1), batch_size=15, callbacks=[EveryNSteps(2, double)],
            random_state=0,
        )  # fmt: skip
        results.append(trainer.fit(X, Y, epochs=3).loss)
    assert_allclose(*results, rtol=0.02)


def test_an_error_of_a_function_leaves_the_steps_counted():
    def fail_once(event):
        if not failed:
            failed.append(event)
            raise LookupError

    events, failed = [], []
    trainer = make_stepper(EveryNSteps(1, events.append), EveryNSteps(3, fail_once))
    with pytest.raises(LookupError):
        trainer.fit(X, Y)
    trainer.fit(X, Y, epochs=1)
    assert [event.step for event in events] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_threads_that_are_being_measured_end_their_slices_in_time():
    rng = np.random.default_rng(0)
    inputs, y = rng.normal(size=(4000, 64)).astype(np.float32), rng.integers(0, 5, 4000)
    steps = []
    for n_threads in (1, 4):
        network = Network([Dense(64), Dense(5, "softmax")], 64, random_state=0, n_threads=n_threads)
        log = EveryNSteps(17, lambda event: steps.append((event.step, event.loss)))
        trainer = Trainer(network, "cross_entropy", batch_size=16, random_state=0, callbacks=[log])
        trainer.fit(inputs, y, epochs=2)
    assert steps[: len(steps) // 2] == steps[len(steps) // 2 :]
    assert [step for step, _ in steps[: len(steps) // 2]] == list(range(17, 501, 17))


@pytest.mark.parametrize("n", [0, -1, 2.5, None])
def test_every_n_steps_wants_a_number_of_steps(n):
    with pytest.raises((ValueError, TypeError), match=f"n={n}"):
        EveryNSteps(n, print)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimators_take_it_and_lbfgs_does_not():
    steps = []
    callback = EveryNSteps(10, lambda event: steps.append(event.step))
    MLPClassifier((4,), batch_size=10, max_iter=4, callbacks=[callback], tol=0, random_state=0).fit(X, Y)
    assert steps == [10, 20]
    with pytest.raises(ValueError, match=r"callbacks=.*EveryNSteps.* does not go with L-BFGS"):
        MLPClassifier((4,), solver="lbfgs", callbacks=[callback]).fit(X, Y)
