"""Tests of Trainer's history, validation and stopping."""

import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import accuracy_score, r2_score

from fastmlp import History
from fastmlp.network.preparation import Preparation
from fastmlp.optimizers import SGD
from helpers.trainer import LOSSES, N, make_data, make_trainer

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
