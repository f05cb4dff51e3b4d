"""Tests of the layers, options and parameters that a Network refuses: every error names the argument."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from fastmlp import Network, Trainer
from fastmlp.layers import Dense
from fastmlp.network.preparation import Preparation
from helpers.bad_input import TARGETS, X, make_network, says


@pytest.mark.parametrize("units", [0, -1, -(10**9)])
def test_layers_need_units(units):
    with pytest.raises(ValueError, match=says("units", units)):
        Dense(units)


@pytest.mark.parametrize("units", [2.5, "3", None, [3]])
def test_units_are_whole_numbers(units):
    with pytest.raises((TypeError, ValueError), match="units"):
        Dense(units)


@pytest.mark.parametrize("activation", ["", "ReLU", "swoosh", "(0.2)", None, 3])
def test_unknown_activations_are_named(activation):
    with pytest.raises(ValueError, match=says("activation", repr(activation), "relu", "softmax")):
        Network([Dense(3, activation)], 4)


@pytest.mark.parametrize("layers", [[], None, [3], ["relu"], [Dense(3), 10], Dense(3), 7])
def test_a_network_is_made_of_layers(layers):
    with pytest.raises((TypeError, ValueError), match=says("layers", "Dense")):
        Network(layers, 4)


@pytest.mark.parametrize("n_features", [0, -1])
def test_a_network_needs_features(n_features):
    with pytest.raises(ValueError, match=says("n_features", n_features)):
        Network([Dense(3)], n_features)


@pytest.mark.parametrize("n_features", [2.5, "4", None])
def test_the_number_of_features_is_a_whole_number(n_features):
    with pytest.raises((TypeError, ValueError), match="n_features"):
        Network([Dense(3)], n_features)


@pytest.mark.parametrize("dtype", ["float16", "half", "float99", "int32", "complex64", "", object])
def test_unknown_types_are_named(dtype):
    with pytest.raises(ValueError, match=says("dtype", repr(dtype), "float32", "float64")):
        make_network(dtype=dtype)


@pytest.mark.parametrize("dtype", [">f4", ">f8"])
def test_a_foreign_byte_order_is_refused_or_taken_for_the_native_one(dtype):
    script = f"""
        import numpy as np
        from fastmlp import Network
        from fastmlp.layers import Dense

        X = np.ones((20, 4))
        native = Network([Dense(6), Dense(3, "softmax")], 4, dtype="{dtype[1:]}", random_state=0)
        try:
            foreign = Network([Dense(6), Dense(3, "softmax")], 4, dtype="{dtype}", random_state=0)
        except ValueError as error:
            assert "dtype" in str(error)
        else:
            assert np.array_equal(foreign.predict(X), native.predict(X))
            foreign.gradients(X, np.zeros(20, int), "cross_entropy")
    """
    # In a process of its own: buffers of another size than the engine takes them for end a process.
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, stderr=subprocess.PIPE)


@pytest.mark.parametrize("engine", ["cuda", "BLAS", "", None, 3, ["blas"]])
def test_unknown_engines_are_named(engine):
    with pytest.raises((TypeError, ValueError), match=says("engine", repr(engine), "reference")):
        make_network(engine=engine)


@pytest.mark.parametrize("initializer", ["he", None, 3])
def test_unknown_initializers_are_named(initializer):
    with pytest.raises(ValueError, match=says("initializer", repr(initializer), "glorot_uniform")):
        make_network(initializer=initializer)


def test_layers_too_large_for_blas_are_refused_before_they_are_allocated():
    with pytest.raises(ValueError, match=r"layer 0 has 100000 x 100000 weights"):
        Network([Dense(100_000)], 100_000)


@pytest.mark.parametrize("n", [1, 3, 5])
def test_a_preparation_of_another_width_is_refused(n):
    with pytest.raises(ValueError, match=says("preparation", n, 4)):
        make_network(preparation=Preparation(np.zeros(n), np.ones(n))).predict(X)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_a_target_preparation_of_another_width_is_refused(n):
    preparation = Preparation(np.zeros(n), np.ones(n))
    with pytest.raises(ValueError, match=says("target_preparation", n, 3)):
        Trainer(make_network("identity"), "squared_error", target_preparation=preparation).fit(X, TARGETS)


@pytest.mark.parametrize("kind", ["tabel", "", None, "auto"])
def test_unknown_kinds_of_preparation_are_named(kind):
    with pytest.raises(ValueError, match=says(repr(kind), "image", "table")):
        Preparation.fit(X, kind)


@pytest.mark.parametrize(
    "vector",
    [np.zeros(3, np.float32), np.zeros(10**4, np.float32), np.zeros(64), np.zeros((2, 32), np.float32), None],
    ids=["too short", "too long", "another type", "two dimensions", "None"],
)
def test_parameters_that_do_not_fit_are_refused(vector):
    network = make_network()
    if vector is not None and vector.dtype == np.float64:
        vector = np.zeros(network.parameters.shape)

    def assign_and_predict():
        network.parameters = vector
        return network.predict(X)

    with pytest.raises((TypeError, ValueError), match="parameters"):
        assign_and_predict()
