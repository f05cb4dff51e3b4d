"""Tests of Network's parameters: one flat vector, its views, its gaps, and attributes that tell sizes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fastmlp import Network, Trainer
from fastmlp.engine.selection import ENGINES
from fastmlp.layers import Dense
from helpers.network import DTYPES, by_hand, make_inputs, make_network


@pytest.mark.parametrize("dtype", DTYPES)
def test_coefs_have_scikit_learns_shapes_and_the_networks_type(dtype):
    network = make_network(dtype=dtype)
    assert [coef.shape for coef in network.coefs_] == [(5, 9), (9, 6), (6, 3)]
    assert [intercept.shape for intercept in network.intercepts_] == [(9,), (6,), (3,)]
    assert {array.dtype.name for array in (*network.coefs_, *network.intercepts_, network.parameters)} == {
        dtype
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_changing_a_coef_changes_the_predictions(engine):
    network = make_network(engine=engine)
    X = make_inputs()
    before = network.predict(X)
    network.coefs_[1][2, 3] += 1
    changed = network.predict(X)
    assert not np.allclose(before, changed)
    network.intercepts_[2][:] += [5, 0, 0]
    assert (network.predict(X)[:, 0] > changed[:, 0]).all()


def test_changing_the_parameters_changes_the_coefs():
    network = make_network()
    network.parameters[:] = 0.25
    for array in (*network.coefs_, *network.intercepts_):
        assert np.shares_memory(array, network.parameters)
        assert (array == 0.25).all()


def test_parameters_are_one_flat_vector_with_zeros_between_its_blocks():
    network = make_network()
    assert network.parameters.ndim == 1
    assert network.parameters.flags.c_contiguous
    n_used = sum(array.size for array in (*network.coefs_, *network.intercepts_))
    for array in (*network.coefs_, *network.intercepts_):
        array[:] = 1
    assert np.count_nonzero(network.parameters) == n_used
    assert network.parameters.sum() == n_used


def test_blocks_of_parameters_stay_zero_between_them_while_training():
    network = make_network()
    Trainer(network, "cross_entropy", alpha=1.0).fit(make_inputs(), np.arange(40) % 3, epochs=3)
    weights, biases = network.split(np.arange(len(network.parameters)))
    used = np.concatenate([part.ravel() for part in (*weights, *biases)])
    assert not np.delete(network.parameters, used).any()


def test_split_gives_the_layers_parts_of_any_such_vector():
    network = make_network()
    vector = network.new_vector()
    assert vector.shape == network.parameters.shape
    weights, biases = network.split(vector)
    weights[0][1, 2], biases[1][3] = 1, 2
    assert_array_equal(np.sort(vector)[-2:], [1, 2])
    assert [weight.shape for weight in weights] == [coef.shape for coef in network.coefs_]


def test_the_same_random_state_gives_the_same_parameters_in_both_types():
    single, double = (make_network(dtype=dtype) for dtype in DTYPES)
    assert_array_equal(single.coefs_[1], double.coefs_[1].astype(np.float32))
    assert_array_equal(single.parameters, make_network(dtype="float32").parameters)
    other = Network(single.layers, 5, random_state=1)
    assert not np.array_equal(single.parameters, other.parameters)


@pytest.mark.parametrize("dtype", ["f4", np.float64, np.dtype("float32"), "double"])
def test_types_may_be_spelled_as_numpy_spells_them(dtype):
    network = make_network(dtype=dtype)
    assert network.dtype == np.dtype(dtype)
    assert_allclose(network.predict(make_inputs()), by_hand(network, make_inputs())[-1], atol=1e-5)


def test_attributes_and_repr_tell_the_sizes():
    network = make_network(last=(2, "sigmoid"))
    assert (network.n_features, network.n_outputs) == (5, 2)
    assert network.layers[-1] == Dense(2, "logistic")
    assert repr(network) == "<Network 5-9-6-2, float32>"
