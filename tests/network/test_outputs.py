"""Tests of Network's outputs: every layer's formula, in every engine, from every kind of array."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from fastmlp import Network, Trainer
from fastmlp.engine.selection import ENGINES
from fastmlp.layers import Dense
from fastmlp.network.preparation import Preparation
from helpers.network import ACTIVATIONS, CHOSEN, DTYPES, PREPARATION, by_hand, make_inputs, make_network

# Tolerances of one prediction in each type, relative to outputs of about 1.
ROUNDING = {"float32": 2e-6, "float64": 1e-14}


# ---------------------------------------------------------------------------------------------- the outputs


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_forward_gives_every_layers_formula(activation, engine, dtype):
    network = make_network(activation=activation, last=(4, activation), engine=engine, dtype=dtype)
    X = make_inputs(n=53)
    activations = network.forward(X)
    for ours, formula in zip(activations, by_hand(network, X), strict=True):
        assert ours.dtype == dtype
        assert ours.flags.c_contiguous
        assert_allclose(ours, formula, rtol=0, atol=ROUNDING[dtype])
    assert_array_equal(activations[-1], network.predict(X))


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    n=st.integers(1, 70),
    dtype=st.sampled_from(DTYPES),
    prepared=st.booleans(),
)
def test_engines_agree_for_any_sizes(sizes, n, dtype, prepared):
    X = make_inputs(n, sizes[0])
    preparation = Preparation.fit(make_inputs(30, sizes[0], seed=1), "table") if prepared else None
    outputs = [
        Network(
            [Dense(units, "relu") for units in sizes], sizes[0],
            dtype=dtype, engine=engine, preparation=preparation, random_state=0,
        ).predict(X)
        for engine in CHOSEN
    ]  # fmt: skip
    for output in outputs:
        assert output.shape == (n, sizes[-1])
        tolerance = 50 * ROUNDING[dtype] * max(1, np.abs(output).max())
        assert_allclose(output, outputs[0], rtol=0, atol=tolerance)


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 255, 256, 257, 600])
@pytest.mark.parametrize("engine", CHOSEN)
def test_a_row_is_predicted_the_same_in_any_company(n, engine):
    network = make_network(engine=engine, dtype="float64")
    X = make_inputs(n)
    alone = np.vstack([network.predict(row[None]) for row in X])
    assert_allclose(network.predict(X), alone, rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("scale", [1e3, 1e30])
def test_extreme_logits_give_probabilities_not_nan(engine, dtype, scale):
    X = scale * make_inputs()
    for last in ((3, "softmax"), (1, "logistic"), (2, "tanh")):
        outputs = make_network(hidden=(), last=last, engine=engine, dtype=dtype).predict(X)
        assert np.isfinite(outputs).all()
        assert (np.abs(outputs) <= 1).all()
        if last[1] == "softmax":
            assert_allclose(outputs.sum(axis=1), 1, rtol=1e-6)


def test_outputs_belong_to_the_caller():
    network = make_network()
    X = make_inputs()
    first = network.predict(X)
    kept = first.copy()
    network.predict(-X)
    assert_array_equal(first, kept)
    assert first.flags.writeable
    assert first.flags.owndata


# ---------------------------------------------------------------------------------------- arrays of all kinds


def read_only(X):
    X = X.copy()
    X.setflags(write=False)
    return X


def unaligned(X):
    record = np.zeros(len(X), dtype=[("odd", "u1"), ("x", X.dtype, X.shape[1:])])
    record["x"] = X
    assert X.dtype.itemsize == 1 or not record["x"].flags.aligned
    return record["x"]


def strided(X):
    wide = np.full((2 * X.shape[0], 3 * X.shape[1]), 77, dtype=X.dtype)
    wide[::2, 1::3] = X
    return wide[::2, 1::3]


def backwards(X):
    return np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1]


LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "strided": strided,
    "backwards": backwards,
    "read-only": read_only,
    "unaligned": unaligned,
    "big-endian": lambda X: X.astype(X.dtype.newbyteorder(">")),
    "list": lambda X: X.tolist(),
    "data frame": pd.DataFrame,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "kind", ["uint8", "float32", "float64", "int64", "int8", "uint16", "bool", "float16"]
)
@pytest.mark.parametrize("engine", CHOSEN)
@pytest.mark.parametrize("prepared", [False, True])
def test_predictions_do_not_depend_on_the_arrays_layout(layout, kind, engine, prepared):
    X = np.random.default_rng(0).integers(0, 2 if kind == "bool" else 100, size=(37, 5)).astype(kind)
    network = make_network(engine=engine, dtype="float64", preparation=PREPARATION if prepared else None)
    network.coefs_[0][:] /= 100
    given = LAYOUTS[layout](X)
    assert_array_equal(network.predict(given), network.predict(X))
    assert_allclose(network.predict(given), by_hand(network, X)[-1], rtol=0, atol=1e-13)
    assert_array_equal(np.asarray(given), X)


@pytest.mark.parametrize("kind", ["uint8", "float32", "float64", ">f8", "int32"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_memory_mapped_files_are_predicted_from(kind, order, tmp_path):
    X = np.random.default_rng(0).integers(0, 100, size=(37, 5)).astype(kind, order=order)
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    network = make_network()
    assert_array_equal(network.predict(mapped), network.predict(np.ascontiguousarray(X)))


def test_a_row_repeated_without_memory_is_predicted_from():
    network = make_network()
    row = make_inputs(1)
    outputs = network.predict(np.broadcast_to(row, (300, 5)))
    assert_allclose(outputs, np.repeat(network.predict(row), 300, axis=0), atol=1e-6)


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name not in ("list", "data frame")])
@pytest.mark.parametrize("kind", ["uint8", "float32", "float64"])
def test_training_does_not_depend_on_the_arrays_layout(layout, kind):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 100, size=(37, 5)).astype(kind)
    Y = rng.integers(0, 2, size=(37, 3)).astype(kind)
    results = []
    for inputs, targets in ((X, Y), (LAYOUTS[layout](X), LAYOUTS[layout](Y))):
        network = make_network(last=(3, "logistic"), preparation=PREPARATION)
        Trainer(network, "binary_cross_entropy", batch_size=8, random_state=0).fit(inputs, targets, epochs=3)
        results.append(network.parameters)
    assert_array_equal(*results)


@pytest.mark.parametrize("kind", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_large_offsets_are_taken_off_before_precision_is_lost(kind, dtype):
    # float64 input is centred in float64 even where the network computes in float32.
    X = np.random.default_rng(0).integers(0, 256, size=(64, 5)).astype(kind)
    offset = 2.0**26 if kind == "float64" else 0.0
    X = (X + np.array(offset, dtype=kind)).astype(kind)
    center = np.full(5, offset + 128)
    prepared = make_network(dtype=dtype, preparation=Preparation(center, np.full(5, 1 / 64)))
    plain = make_network(dtype=dtype)
    standardised = (X.astype(np.float64) - center) / 64
    assert_allclose(prepared.predict(X), plain.predict(standardised), rtol=0, atol=2 * ROUNDING[dtype])
