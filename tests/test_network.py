"""Tests of Network: parameters and their views, prediction from every kind of array, gradients."""

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax

from fastmlp import Network, Trainer, losses
from fastmlp.layers import Dense
from fastmlp.network import ENGINES
from fastmlp.preparation import Preparation

DTYPES = ["float32", "float64"]
CHOSEN = [name for name in ENGINES if name != "auto"]
ACTIVATIONS = ["identity", "relu", "tanh", "logistic", "softmax"]
FUNCTIONS = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "logistic": expit,
    "softmax": lambda z: softmax(z, axis=1),
}
PREPARATION = Preparation(np.array([1.0, -2.0, 100.0, 0.0, 3.0]), np.array([0.5, 2.0, 0.01, 1.0, 3.0]))
# Tolerances of one prediction in each type, relative to outputs of about 1.
ROUNDING = {"float32": 2e-6, "float64": 1e-14}


def make_network(hidden=(9, 6), last=(3, "softmax"), activation="tanh", n_features=5, **options):
    layers = [*(Dense(units, activation) for units in hidden), Dense(*last)]
    return Network(layers, n_features, random_state=0, **options)


def make_inputs(n=40, n_features=5, seed=0):
    return np.random.default_rng(seed).normal(size=(n, n_features))


def by_hand(network, X):
    """Return every layer's activations, in float64 and plain NumPy."""
    x = np.asarray(X, dtype=np.float64)
    if network.preparation is not None:
        x = (x - network.preparation.center) * network.preparation.scale
    activations = []
    for layer, coef, intercept in zip(network.layers, network.coefs_, network.intercepts_, strict=True):
        x = FUNCTIONS[layer.activation](x @ coef.astype(np.float64) + intercept)
        activations.append(x)
    return activations


# -------------------------------------------------------------------------------------------- the parameters


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


# --------------------------------------------------------------------------------------------------- threads


@pytest.mark.parametrize("engine", CHOSEN)
def test_one_network_predicts_in_many_threads_at_once(engine):
    network = make_network(hidden=(64, 64), n_features=50, engine=engine)
    inputs = [make_inputs(300 + i, 50, seed=i) for i in range(8)]
    expected = [network.predict(X) for X in inputs]
    start = threading.Barrier(len(inputs))

    def predict_often(X):
        start.wait()
        return [network.predict(X) for _ in range(4)]

    with ThreadPoolExecutor(len(inputs)) as pool:
        results = list(pool.map(predict_often, inputs))
    for many, once in zip(results, expected, strict=True):
        for outputs in many:
            assert_array_equal(outputs, once)


def test_gradients_in_many_threads_at_once_are_those_of_one():
    network = make_network(hidden=(64, 64), n_features=50)
    inputs = [make_inputs(300, 50, seed=i) for i in range(6)]
    y = np.arange(300) % 3
    expected = [network.gradients(X, y, "cross_entropy") for X in inputs]
    with ThreadPoolExecutor(len(inputs)) as pool:
        results = list(pool.map(lambda X: network.gradients(X, y, "cross_entropy"), inputs))
    for (loss, d_parameters, d_inputs), once in zip(results, expected, strict=True):
        assert loss == once[0]
        assert_array_equal(d_parameters, once[1])
        assert_array_equal(d_inputs, once[2])


# ----------------------------------------------------------------------------------------------------- copies


def through_joblib(network, tmp_path, **options):
    joblib.dump(network, tmp_path / "network.joblib")
    return joblib.load(tmp_path / "network.joblib", **options)


COPIES = {
    "pickle": lambda network, _: pickle.loads(pickle.dumps(network)),
    "deepcopy": lambda network, _: copy.deepcopy(network),
    "joblib": through_joblib,
    "joblib, mapped": lambda network, tmp_path: through_joblib(network, tmp_path, mmap_mode="r"),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("way", COPIES)
def test_copies_are_whole_and_independent(way, engine, tmp_path):
    network = make_network(preparation=PREPARATION, engine=engine, dtype="float64")
    X, y = make_inputs(), np.arange(40) % 3
    expected = network.predict(X)
    twin = COPIES[way](network, tmp_path)
    assert_array_equal(twin.predict(X), expected)
    assert (twin.engine, twin.dtype, twin.layers) == (network.engine, network.dtype, network.layers)
    Trainer(twin, "cross_entropy").fit(X, y, epochs=1)
    assert not np.array_equal(twin.predict(X), expected)
    assert_array_equal(network.predict(X), expected)


def test_a_network_is_copied_while_it_trains():
    network = make_network()
    copies = []
    trainer = Trainer(
        network, "cross_entropy", callbacks=[lambda event: copies.append(copy.deepcopy(event.network))]
    )
    trainer.fit(make_inputs(), np.arange(40) % 3, epochs=2)
    assert not np.array_equal(copies[0].parameters, copies[1].parameters)
    Trainer(copies[0], "cross_entropy").fit(make_inputs(), np.arange(40) % 3, epochs=1)


@pytest.mark.parametrize("engine", ENGINES)
def test_read_only_parameters_predict_and_differentiate(engine, tmp_path):
    network = make_network(engine=engine)
    X, y = make_inputs(), np.arange(40) % 3
    expected, gradients = network.predict(X), network.gradients(X, y, "cross_entropy")
    np.save(tmp_path / "parameters.npy", network.parameters)
    network.parameters = np.load(tmp_path / "parameters.npy", mmap_mode="r")
    assert_array_equal(network.predict(X), expected)
    assert_array_equal(network.gradients(X, y, "cross_entropy")[1], gradients[1])


@pytest.mark.parametrize("engine", ENGINES)
def test_read_only_parameters_cannot_be_trained(engine):
    network = make_network(engine=engine)
    before = network.parameters.copy()
    network.parameters.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        Trainer(network, "cross_entropy").fit(make_inputs(), np.arange(40) % 3, epochs=1)
    assert_array_equal(network.parameters, before)
    network.parameters.setflags(write=True)
    Trainer(network, "cross_entropy").fit(make_inputs(), np.arange(40) % 3, epochs=1)


# ------------------------------------------------------------------------------------------ losses, gradients

CASES = [
    *(("cross_entropy", "softmax", activation) for activation in ACTIVATIONS),
    *(("binary_cross_entropy", "logistic", activation) for activation in ACTIVATIONS),
    *(("squared_error", last, activation) for last, activation in product(ACTIVATIONS, ACTIVATIONS)),
]


def targets_for(loss, n, n_outputs, seed=0):
    rng = np.random.default_rng(seed)
    if loss == "cross_entropy":
        return rng.integers(0, n_outputs, n)
    return rng.uniform(0, 1, (n, n_outputs))


def loss_by_hand(network, X, y, loss):
    p = by_hand(network, X)[-1]
    if loss == "cross_entropy":
        return -np.log(p[np.arange(len(X)), y]).mean()
    if loss == "binary_cross_entropy":
        return -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum(axis=1).mean()
    return 0.5 * ((p - y) ** 2).sum(axis=1).mean()


def at_a_kink(network, X):
    """Return whether a ReLU's input is so close to zero that a difference would step over it."""
    x = X if network.preparation is None else (X - network.preparation.center) * network.preparation.scale
    inputs = [x, *by_hand(network, X)[:-1]]
    return any(
        layer.activation == "relu" and np.abs(x @ coef + intercept).min() < 1e-3
        for layer, x, coef, intercept in zip(
            network.layers, inputs, network.coefs_, network.intercepts_, strict=True
        )
    )


def draw(loss, last, activation, engine, preparation, n=11):
    """Return a network and inputs with no ReLU at its kink."""
    for seed in range(200):
        network = Network(
            [Dense(6, activation), Dense(5, activation), Dense(4, last)], 5,
            dtype="float64", engine=engine, preparation=preparation, random_state=seed,
        )  # fmt: skip
        X = make_inputs(n, seed=seed)
        if preparation is not None:
            X = X / preparation.scale + preparation.center
        if not at_a_kink(network, X):
            return network, X
    raise AssertionError("every draw is at a kink")


def central_differences(function, array, steps):
    """Return the gradient of ``function()`` with respect to an array that it reads."""
    gradient = np.empty_like(array)
    for index in np.ndindex(array.shape):
        middle, step = array[index], np.broadcast_to(steps, array.shape)[index]
        array[index] = middle + step
        above = function()
        array[index] = middle - step
        below = function()
        array[index] = middle
        gradient[index] = (above - below) / (2 * step)
    return gradient


@pytest.mark.parametrize("preparation", [None, PREPARATION], ids=["plain", "prepared"])
@pytest.mark.parametrize("engine", CHOSEN)
@pytest.mark.parametrize(("loss", "last", "activation"), CASES)
def test_gradients_are_central_differences(loss, last, activation, engine, preparation):
    network, X = draw(loss, last, activation, engine, preparation)
    y = targets_for(loss, len(X), 4)
    value, d_parameters, d_inputs = network.gradients(X, y, loss)
    assert_allclose(value, loss_by_hand(network, X, y, loss), rtol=1e-12)

    def loss_now():
        return loss_by_hand(network, X, y, loss)

    for gradient, array in zip(
        [part for parts in network.split(d_parameters) for part in parts],
        network.coefs_ + network.intercepts_,
        strict=True,
    ):
        numeric = central_differences(loss_now, array, 1e-5)
        assert_allclose(gradient, numeric, rtol=0, atol=1e-7 * np.abs(d_parameters).max())
    # A step of 1e-5 in the units that the first layer sees.
    steps = 1e-5 if preparation is None else 1e-5 / preparation.scale
    numeric = central_differences(loss_now, X, steps)
    assert_allclose(d_inputs, numeric, rtol=0, atol=1e-7 * np.abs(d_inputs).max())


@pytest.mark.parametrize("engine", CHOSEN)
@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "squared_error"])
@pytest.mark.parametrize("n", [1, 17, 256, 257, 700])
def test_gradients_of_many_samples_are_the_mean_of_each_ones(loss, n, engine):
    last = {"cross_entropy": "softmax", "binary_cross_entropy": "logistic", "squared_error": "identity"}[loss]
    network = make_network(last=(3, last), dtype="float64", engine=engine)
    X, y = make_inputs(n), targets_for(loss, n, 3)
    value, d_parameters, d_inputs = network.gradients(X, y, loss)
    parts = [network.gradients(X[i : i + 1], y[i : i + 1], loss) for i in range(n)]
    assert_allclose(value, np.mean([part[0] for part in parts]), rtol=1e-12)
    assert_allclose(d_parameters, np.mean([part[1] for part in parts], axis=0), rtol=0, atol=1e-14)
    assert_allclose(d_inputs, np.vstack([part[2] for part in parts]) / n, rtol=0, atol=1e-15)


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "squared_error"])
@pytest.mark.parametrize("kind", ["uint8", "float32", "float64"])
def test_float32_gradients_agree_with_float64_ones(loss, kind):
    last = {"cross_entropy": "softmax", "binary_cross_entropy": "logistic", "squared_error": "identity"}[loss]
    X = np.random.default_rng(0).integers(0, 5, size=(300, 5)).astype(kind)
    y = targets_for(loss, 300, 3)
    results = [
        make_network(last=(3, last), dtype=dtype, preparation=PREPARATION).gradients(X, y, loss)
        for dtype in DTYPES
    ]
    assert results[0][1].dtype == results[0][2].dtype == "float32"
    assert_allclose(results[0][0], results[1][0], rtol=1e-5)
    for single, double in zip(results[0][1:], results[1][1:], strict=True):
        assert_allclose(single, double, rtol=0, atol=1e-5 * np.abs(double).max())


def test_gradients_leave_the_network_as_it_was():
    network = make_network()
    before = network.parameters.copy()
    network.gradients(make_inputs(), np.arange(40) % 3, "cross_entropy")
    assert_array_equal(network.parameters, before)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("loss", "last", "activation"), CASES)
def test_evaluate_gives_the_loss_and_the_outputs(loss, last, activation, engine):
    network = make_network(activation=activation, last=(3, last), engine=engine, dtype="float64")
    X = make_inputs(300)
    y = targets_for(loss, 300, 3)
    value, outputs = network.evaluate(X, y, loss)
    assert_allclose(value, loss_by_hand(network, X, y, loss), rtol=1e-12)
    assert_allclose(outputs, network.predict(X), rtol=0, atol=1e-15)


@pytest.mark.parametrize("scale", [50.0, 500.0, 5000.0])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_confident_mistakes_have_a_large_finite_loss_and_gradient(scale, engine, dtype):
    # The loss begins at the logits: log(1 - 1) is never taken.
    for loss, last, y in (
        ("cross_entropy", "softmax", [1]),
        ("binary_cross_entropy", "logistic", [[0.0, 1.0]]),
    ):
        network = Network([Dense(2, last)], 1, dtype=dtype, engine=engine, random_state=0)
        network.parameters[:] = 0
        network.coefs_[0][:] = [[scale, -scale]]
        value, d_parameters, d_inputs = network.gradients(np.ones((1, 1)), y, loss)
        assert_allclose(value, 2 * scale, rtol=1e-6)
        assert_allclose(network.split(d_parameters)[1][0], [1, -1], atol=1e-6)
        assert np.isfinite(d_inputs).all()


@pytest.mark.parametrize(
    ("loss", "last"),
    [("cross_entropy", "softmax"), ("binary_cross_entropy", "logistic"), ("squared_error", "relu")],
)
def test_losses_go_by_name_or_as_objects(loss, last):
    network = make_network(last=(3, last))
    X, y = make_inputs(), targets_for(loss, 40, 3)
    named, spelled = (network.evaluate(X, y, value)[0] for value in (loss, losses.BY_NAME[loss]()))
    assert named == spelled


@pytest.mark.parametrize("kind", ["uint8", "int64", "float32", "bool", "list"])
def test_targets_may_be_of_any_type(kind):
    network = make_network(last=(3, "logistic"), dtype="float64")
    X = make_inputs()
    y = np.random.default_rng(0).integers(0, 2, (40, 3))
    given = y.tolist() if kind == "list" else y.astype(kind)
    expected = network.gradients(X, y.astype(np.float64), "binary_cross_entropy")
    assert_array_equal(network.gradients(X, given, "binary_cross_entropy")[1], expected[1])


@pytest.mark.parametrize("kind", ["uint8", "int8", "int64", "uint64", "bool", ">i4", "list"])
def test_class_labels_may_be_of_any_integer_type(kind):
    network = make_network(last=(2, "softmax"), dtype="float64")
    X, y = make_inputs(), np.arange(40) % 2
    given = y.tolist() if kind == "list" else y.astype(kind)
    assert_array_equal(
        network.gradients(X, given, "cross_entropy")[1], network.gradients(X, y, "cross_entropy")[1]
    )


def test_one_output_takes_targets_in_one_dimension():
    network = make_network(last=(1, "identity"))
    X, y = make_inputs(), np.arange(40.0)
    flat, column = (network.gradients(X, targets, "squared_error")[1] for targets in (y, y[:, None]))
    assert_array_equal(flat, column)
