"""Tests of the steps that Trainer computes: batches, shuffling, penalty."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from fastmlp.optimizers import SGD
from helpers.trainer import ENGINES, LOSSES, SOLVERS, N, make_data, make_network, make_trainer


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
