"""Tests of Network's losses and gradients."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fastmlp import Network, losses
from fastmlp.engine.selection import ENGINES
from fastmlp.layers import Dense
from helpers.network import ACTIVATIONS, CHOSEN, DTYPES, PREPARATION, by_hand, make_inputs, make_network

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
