"""Layers that normalise, drop out, are frozen or learn a slope: engines, PyTorch, numerical gradients."""

import numpy as np
import pytest

from fastmlp import MLPClassifier, MLPRegressor, Network, Trainer, gradient_check, load
from fastmlp.engine import native
from fastmlp.engine.plan import aligned_zeros, make_plan
from fastmlp.engine.reference import native as reference
from fastmlp.layers import Dense
from helpers.bfloat16 import needs_bfloat16
from helpers.engine import LIMIT, both_operations, both_types, train
from helpers.layers import OTHERS, layers_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ACTIVATIONS = ["identity", "relu", "tanh", "elu(0.5)", "gelu", "prelu", "softmax"]
HEADS = [("cross_entropy", "softmax"), ("squared_error", "identity"), ("squared_error", "softmax")]

every_kind = pytest.mark.parametrize("kind", OTHERS)
every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
every_head = pytest.mark.parametrize(("loss", "output"), HEADS)


def problem(kind, activation, loss, output, dtype, operations, n=83):
    """A plan, its parameters, inputs and targets."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 9))
    targets = rng.normal(size=(n, 4))
    if loss == "cross_entropy":
        targets = rng.integers(0, 4, n).astype(np.int32)
    plan = make_plan(9, (19, 11, 4), (activation, activation, output), dtype, operations, OTHERS[kind])
    parameters = aligned_zeros(plan.n_parameters, dtype)
    for layer in plan.layers:
        bound = np.sqrt(6 / (layer.n_in + layer.n_out))
        layer.weight_of(parameters)[:] = rng.uniform(-bound, bound, (layer.n_out, layer.n_in))
        for name in layer.vectors:
            low, high = (-0.5, 0.5) if name in ("bias", "mean") else (0.5, 1.5)
            layer.vector_of(name, parameters)[:] = rng.uniform(low, high, layer.n_out)
    return plan, parameters, X, targets


@both_operations
@both_types
@every_kind
@every_head
@every_activation
def test_both_engines_agree_after_fifty_steps(activation, loss, output, kind, dtype, operations):
    plan, parameters, X, targets = problem(kind, activation, loss, output, dtype, operations)
    options = {"l2": 1e-3, "input_noise": 0.1, "input_dropout": 0.2}
    actual, curve = train(native, plan, parameters, X, targets, loss, "momentum", **options)
    expected, expected_curve = train(reference, plan, parameters, X, targets, loss, "momentum", **options)
    assert np.abs(expected - parameters).max() > 1e-3  # it did learn
    # What is nearly constant over the batch, such as a softmax's units, is blown up by a normalisation.
    limit = LIMIT[dtype] * (100 if dtype == "float32" else 1)
    assert np.abs(actual - expected).max() <= limit * np.abs(expected).max()
    np.testing.assert_allclose(curve, expected_curve, rtol=limit)
    for layer in plan.layers:
        if not layer.trainable:
            np.testing.assert_array_equal(actual[layer.parameters], parameters[layer.parameters])


@both_types
@every_kind
@every_activation
def test_any_number_of_threads_gives_the_same_bits(activation, kind, dtype):
    plan, parameters, X, targets = problem(kind, activation, "cross_entropy", "softmax", dtype, "tile", n=150)
    options = {"n_steps": 9, "batch_size": 70, "measure": False, "input_noise": 0.1, "input_dropout": 0.2}
    alone, curve = train(
        native, plan, parameters, X, targets, "cross_entropy", "adam", n_threads=1, **options
    )
    for n_threads in (2, 3, 5):
        together, other = train(
            native, plan, parameters, X, targets, "cross_entropy", "adam", n_threads=n_threads, **options
        )
        np.testing.assert_array_equal(together, alone)
        np.testing.assert_array_equal(other, curve)


@both_operations
@every_kind
def test_a_clipped_norm_goes_the_same_way(kind, operations):
    plan, parameters, X, targets = problem(kind, "prelu", "squared_error", "identity", "float64", operations)
    options = {"clip_norm": 0.3, "n_steps": 12, "rate": 0.05}
    actual, _ = train(native, plan, parameters, X, targets, "squared_error", "momentum", **options)
    expected, _ = train(reference, plan, parameters, X, targets, "squared_error", "momentum", **options)
    unclipped, _ = train(
        native, plan, parameters, X, targets, "squared_error", "momentum", n_steps=12, rate=0.05
    )
    assert np.abs(actual - expected).max() <= 1e-11 * np.abs(expected).max()
    assert np.abs(actual - unclipped).max() > 1e-3


@pytest.mark.parametrize("engine", ["tile", "blas", "reference"])
@every_kind
@every_activation
def test_gradients_are_the_numerical_ones(activation, kind, engine):
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(300, 5)), rng.integers(0, 3, 300)  # more than one slab of a prediction
    network = Network(layers_of(kind, activation), 5, dtype="float64", engine=engine, random_state=0)
    for parts in network.parts():
        parts["bias"][:] = rng.uniform(-0.5, 0.5, parts["bias"].shape)
    # Steps so small that, with these samples, none crosses the kink of a ReLU.
    check = gradient_check(network, X, y, "cross_entropy", epsilons=(1e-6,), n_per_layer=4)
    assert check.largest_differences[0] < 1e-8
    assert {row.name.split("[")[0] for row in check.rows} >= {"W", "b"}


def test_inputs_have_a_gradient_through_normalisations():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(12, 5)), rng.integers(0, 3, 12)
    network = Network(layers_of("both norms and dropout", "tanh"), 5, dtype="float64", random_state=0)
    d_inputs = network.gradients(X, y, "cross_entropy")[2]
    for i, j in ((0, 0), (5, 3), (11, 4)):
        step = np.zeros_like(X)
        step[i, j] = 1e-6
        above, below = (network.gradients(X + sign * step, y, "cross_entropy")[0] for sign in (1, -1))
        assert d_inputs[i, j] == pytest.approx((above - below) / 2e-6, rel=1e-6, abs=1e-10)


# --- Predictions ---


@pytest.mark.parametrize("engine", ["tile", "blas", "reference"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predictions_are_those_by_the_running_statistics(dtype, engine):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(700, 7)).astype(dtype)
    layers = [Dense(20, batch_norm=True, dropout=0.5), Dense(9, "tanh", layer_norm=True), Dense(2, "prelu")]
    network = Network(layers, 7, dtype=dtype, engine=engine, random_state=0)
    for parts in network.parts():
        for name in parts.keys() - {"weight"}:
            parts[name][:] = rng.uniform(0.5, 1.5, parts[name].shape)
    one, two, three = network.parts()
    z = X @ one["weight"].T
    z = (z - one["mean"]) / np.sqrt(one["variance"] + 1e-5) * one["scale"] + one["bias"]
    z = np.maximum(z, 0) @ two["weight"].T
    z = (z - z.mean(1, keepdims=True)) / np.sqrt(z.var(1, keepdims=True) + 1e-5) * two["scale"] + two["bias"]
    z = np.tanh(z) @ three["weight"].T + three["bias"]
    expected = np.where(z > 0, z, three["slope"] * z)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    for n in (1, 5, 40, 700):  # row kernels, shared units, slabs
        np.testing.assert_allclose(network.predict(X[:n]), expected[:n], rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(network.forward(X[:n])[-1], expected[:n], rtol=tolerance, atol=tolerance)
    loss, outputs = network.evaluate(X, np.zeros((700, 2)), "squared_error")
    assert loss == pytest.approx(0.5 * (expected**2).sum(1).mean(), rel=tolerance)
    np.testing.assert_allclose(outputs, expected, rtol=tolerance, atol=tolerance)
    # A change in place is seen at once.
    one["mean"][:] += 0.25
    assert np.abs(network.predict(X[:1]) - expected[:1]).max() > 1e-3


def test_predicting_draws_nothing_and_moves_nothing():
    X, y = np.random.default_rng(0).normal(size=(64, 5)), np.arange(64) % 3
    model = MLPClassifier((16,), dropout=0.5, batch_norm=True, max_iter=3, random_state=0).fit(X, y)
    before = model.network_.parameters.copy()
    first = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(X), first)
    np.testing.assert_array_equal(model.network_.parameters, before)


# --- Networks and estimators ---


def test_layers_are_told_apart_from_others_by_their_settings():
    assert repr(Dense(8, "tanh", dropout=0.5, layer_norm=True)) == (
        "Dense(units=8, activation='tanh', dropout=0.5, layer_norm=True)"
    )
    assert Dense(8) != Dense(8, dropout=0.5) != Dense(8, dropout=0.5, trainable=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dropout": 1.0}, r"dropout=1.0 must be at least 0 and below 1"),
        ({"dropout": -0.1}, r"dropout=-0.1 must be at least 0"),
        ({"dropout": "much"}, r"dropout='much' must be a number"),
        ({"batch_norm": "yes"}, r"batch_norm='yes' must be True or False"),
        ({"batch_norm": True, "layer_norm": True}, r"one normalisation at most"),
        ({"trainable": 1}, r"trainable=1 must be True or False"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Dense(8, **settings)


def test_the_last_layer_drops_nothing():
    with pytest.raises(ValueError, match=r"the last layer has dropout=0.5"):
        Network([Dense(8), Dense(3, "softmax", dropout=0.5)], 4)


def test_a_batch_of_one_is_nothing_to_normalise_by():
    network = Network([Dense(8, batch_norm=True), Dense(1, "identity")], 4, random_state=0)
    X = np.random.default_rng(0).normal(size=(9, 4))
    with pytest.raises(
        ValueError, match=r"batch_norm=True needs batches of at least 2 samples; batch_size=1"
    ):
        Trainer(network, "squared_error", batch_size=1).fit(X, X[:, 0])
    # One sample left over at the end of an epoch is no reason to stop.
    history = Trainer(network, "squared_error", batch_size=4).fit(X, X[:, 0], epochs=3)
    assert not history.diverged
    assert np.isfinite(network.parameters).all()


def test_frozen_layers_stay_and_the_others_learn():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 6)), rng.integers(0, 3, 200)
    network = Network(layers_of("both norms and dropout", "prelu"), 6, random_state=0)
    network.freeze([0, -2])
    before = network.parameters.copy()
    Trainer(network, "cross_entropy", batch_size=20, l2=0.1).fit(X, y, epochs=3)
    for i, (now, then) in enumerate(zip(network.parts(), network.parts(before), strict=True)):
        for name, part in now.items():
            assert np.array_equal(part, then[name]) == (i < 2), (i, name)
    network.freeze([])
    Trainer(network, "cross_entropy", batch_size=20).fit(X, y, epochs=1)
    assert not np.array_equal(network.parts()[0]["mean"], network.parts(before)[0]["mean"])
    network.freeze(range(3))
    with pytest.raises(ValueError, match=r"every layer of the network is frozen"):
        Trainer(network, "cross_entropy").fit(X, y)
    with pytest.raises(ValueError, match=r"layers=3 must be at least -3 and at most 2"):
        network.freeze([3])


def test_a_fit_that_goes_on_draws_what_one_fit_would_have_drawn():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 6)), rng.integers(0, 3, 100)
    networks = [Network(layers_of("both norms and dropout", "relu"), 6, random_state=0) for _ in range(2)]
    options = {"batch_size": 16, "random_state": 3, "input_noise": 0.1, "input_dropout": 0.1}
    Trainer(networks[0], "cross_entropy", **options).fit(X, y, epochs=6)
    trainer = Trainer(networks[1], "cross_entropy", **options)
    for epochs in (1, 3, 2):
        trainer.fit(X, y, epochs=epochs)
    np.testing.assert_array_equal(networks[0].parameters, networks[1].parameters)


def test_dropout_and_noise_make_a_difference_and_follow_the_seed():
    X, y = np.random.default_rng(0).normal(size=(90, 5)), np.arange(90) % 3
    for settings in ({"dropout": 0.5}, {"input_dropout": 0.5}, {"input_noise": 0.5}):
        fits = [
            MLPClassifier((16,), max_iter=3, random_state=seed, **more).fit(X, y).coefs_[0].copy()
            for seed, more in ((0, settings), (0, settings), (1, settings), (0, {}))
        ]
        np.testing.assert_array_equal(fits[0], fits[1])
        assert not np.array_equal(fits[0], fits[2])
        assert not np.array_equal(fits[0], fits[3])


@pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
def test_a_model_file_holds_everything_that_was_learned(Estimator, tmp_path):
    X, y = np.random.default_rng(0).normal(size=(90, 5)), np.arange(90) % 3
    model = Estimator(
        hidden_layer_sizes=(16, 8),
        activation=["prelu", "relu"], batch_norm=[True, False], layer_norm=[False, True],
        dropout=[0.2, 0.0], max_iter=3, random_state=0,
    ).fit(X, y)  # fmt: skip
    model.network_.freeze([1])
    model.save(tmp_path / "m.safetensors")
    loaded = load(tmp_path / "m.safetensors")
    assert loaded.network_.layers == model.network_.layers
    np.testing.assert_array_equal(loaded.network_.parameters, model.network_.parameters)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"dropout": [0.1]}, r"dropout=\[0.1\] must be one value, or one for each of 2 hidden layers"),
        ({"dropout": [0.1, 1.5]}, r"dropout=1.5 must be at least 0 and below 1"),
        ({"batch_norm": True, "layer_norm": [False, True]}, r"one normalisation at most"),
    ],
)
def test_lists_for_the_hidden_layers_are_checked(parameters, message):
    with pytest.raises(ValueError, match=message):
        MLPClassifier((4, 4), **parameters).fit(np.ones((6, 2)), [0, 1] * 3)


# --- bfloat16 ---


@needs_bfloat16
@pytest.mark.parametrize("activation", ["relu", "tanh", "prelu"])
@every_kind
def test_the_reference_with_rounded_factors_agrees(kind, activation):
    plan, parameters, X, targets = problem(
        kind, activation, "cross_entropy", "softmax", "float32", "bfloat16", n=77
    )
    options = {"n_steps": 12, "input_noise": 0.1, "input_dropout": 0.2}
    actual, curve = train(native, plan, parameters, X, targets, "cross_entropy", "momentum", **options)
    expected, expected_curve = train(
        reference, plan, parameters, X, targets, "cross_entropy", "momentum", **options
    )
    learned = np.abs(expected - parameters).max()
    assert learned > 1e-4
    # A sum in another order may round a factor of the next product to its other neighbour, 1/256 away.
    assert np.abs(actual - expected).max() < 0.02 * learned
    np.testing.assert_allclose(curve, expected_curve, rtol=2e-3)
    for n_threads in (2, 3):
        together, _ = train(
            native, plan, parameters, X, targets, "cross_entropy", "momentum", n_threads=n_threads,
            measure=False, **options,
        )  # fmt: skip
        np.testing.assert_array_equal(together, actual)
