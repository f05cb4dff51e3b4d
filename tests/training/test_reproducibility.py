"""Tests of rows, seeds and going on: fits that have to give the same weights."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fastmlp.optimizers import SGD
from fastmlp.schedules import Adaptive
from helpers.trainer import ENGINES, LOSSES, SOLVERS, N, make_data, make_network, make_trainer


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
