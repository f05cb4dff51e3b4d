"""Tests of what pickles and copies of a network hold, and of states that are refused."""

import copy
import pickle
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastmlp import Network, Preparation, Trainer
from fastmlp.initializers import Initializer, Zeros
from fastmlp.layers import Dense
from helpers.network import PREPARATION, make_inputs

LAYERS = [
    Dense(9, "prelu(0.1)", batch_norm=True, dropout=0.2),
    Dense(6, "leaky_relu(0.2)", Zeros(), layer_norm=True, trainable=False),
    Dense(3, "softmax"),
]


def trained(**options):
    network = Network(LAYERS, 5, random_state=0, **options)
    Trainer(network, "cross_entropy", random_state=0).fit(make_inputs(), np.arange(40) % 3, epochs=2)
    return network


def test_the_state_is_plain_data_by_name():
    network = trained(preparation=PREPARATION, n_threads=2)
    state = network.__getstate__()
    assert {name: type(value) for name, value in state.items()} == {
        "version": int, "layers": list, "n_features": int, "dtype": str, "engine": str, "n_threads": int,
        "preparation": type(PREPARATION), "parameters": dict,
    }  # fmt: skip
    assert [type(layer) for layer in state["layers"]] == [dict] * 3
    names = [f"layers.{i}.{name}" for i, parts in enumerate(network.parts()) for name in parts]
    assert list(state["parameters"]) == names
    assert {"layers.0.slope", "layers.0.mean", "layers.1.scale", "layers.2.weight"} <= set(names)
    assert state["parameters"]["layers.0.weight"].shape == (9, 5)


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_copy_has_all_that_makes_the_network(way, dtype):
    network = trained(dtype=dtype, engine="blas", preparation=PREPARATION, n_threads=2)
    network.freeze([0])
    twin = way(network)
    assert_array_equal(twin.parameters, network.parameters)
    assert not np.shares_memory(twin.parameters, network.parameters)
    assert (twin.layers, twin.plan, twin.engine, twin.n_threads) == (
        network.layers, network.plan, "blas", 2,
    )  # fmt: skip
    assert [layer.initializer for layer in twin.layers] == [layer.initializer for layer in network.layers]
    assert_array_equal(twin.preparation.scale, PREPARATION.scale)
    for one in (network, twin):
        before = one.coefs_[0].copy()
        Trainer(one, "cross_entropy", random_state=1).fit(make_inputs(), np.arange(40) % 3, epochs=2)
        assert_array_equal(one.coefs_[0], before)
    assert_array_equal(twin.parameters, network.parameters)


def test_a_state_in_bfloat16_is_read_on_any_processor():
    state = trained().__getstate__() | {"dtype": "bfloat16"}
    twin = Network.__new__(Network)
    twin.__setstate__(state)
    assert twin.is_mixed
    assert repr(twin) == "<Network 5-9-6-3, bfloat16>"
    assert_array_equal(twin.predict(make_inputs()), trained().predict(make_inputs()))


@dataclass(frozen=True)
class Ones(Initializer):
    """An initializer of a user's own."""

    def draw(self, random_state, n_in, n_out):
        return np.ones((n_in, n_out)), np.ones(n_out)


def test_a_users_own_initializer_is_kept_and_draws_nothing_again():
    network = Network([Dense(3, initializer=Ones())], 2)
    network.parameters[:] *= 2
    twin = pickle.loads(pickle.dumps(network))
    assert twin.layers[0].initializer == Ones()
    assert (twin.coefs_[0] == 2).all()


def test_weights_leave_a_pickle_as_buffers():
    buffers = []
    pickle.dumps(Network([Dense(64)], 50), protocol=5, buffer_callback=buffers.append)
    assert max(buffer.raw().nbytes for buffer in buffers) == 64 * 50 * 4


def test_pickles_of_earlier_versions_are_refused():
    network = trained()
    state = {"layers": network.layers, "_plan": network.plan, "_parameters": network.parameters.copy()}
    with pytest.raises(
        ValueError, match=r"fastmlp 0\.2 or earlier.*model\.save\(path\).*fastmlp\.load\(path\)"
    ):
        Network.__new__(Network).__setstate__(state)


@pytest.mark.parametrize("version", [0, 2, "1"])
def test_states_of_another_form_are_refused(version):
    state = trained().__getstate__() | {"version": version}
    with pytest.raises(ValueError, match=rf"form {version!r}, not 1"):
        Network.__new__(Network).__setstate__(state)


def test_a_preparation_that_is_replaced_is_used_at_once():
    network, X = trained(preparation=PREPARATION), make_inputs()
    before = network.predict(X)
    network.preparation = replace(PREPARATION, center=PREPARATION.center + 1)
    assert_array_equal(network.predict(X + 1), network.forward(X + 1)[-1])
    np.testing.assert_allclose(network.predict(X + 1), before, rtol=1e-4, atol=1e-5)


def test_a_preparation_of_other_columns_is_refused_and_changes_nothing():
    network, X = trained(preparation=PREPARATION), make_inputs()
    before = network.predict(X)
    with pytest.raises(ValueError, match="preparation"):
        network.preparation = Preparation(np.zeros(2), np.ones(2))
    assert_array_equal(network.predict(X), before)
