"""dtype="bfloat16": products of rounded factors, everything else float32."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

import fastmlp
from fastmlp import MLPClassifier, Network
from fastmlp.engine import native
from fastmlp.engine.reference import native as reference
from fastmlp.layers import Dense
from helpers.bfloat16 import needs_bfloat16
from helpers.engine import problem, train

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_rounding_is_to_nearest_even():
    x = np.array([1.0, 1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-7, -1 - 2**-9, 3.14159274, 0.0], np.float32)
    expected = [1.0, 1.0, 1 + 2**-6, 1 + 2**-7, -1.0, 3.140625, 0.0]
    np.testing.assert_array_equal(reference.round_bfloat16(x), np.float32(expected))


@needs_bfloat16
@pytest.mark.parametrize("solver", ["plain", "momentum", "nesterov", "adam"])
@pytest.mark.parametrize(
    "activation", ["relu", "identity", "tanh", "logistic", "softmax", "leaky_relu", "silu"]
)
@pytest.mark.parametrize(
    ("loss", "output"),
    [("cross_entropy", "softmax"), ("squared_error", "tanh"), ("squared_error", "softmax"),
     ("binary_cross_entropy", "logistic")],
)  # fmt: skip
def test_the_reference_with_rounded_factors_agrees(loss, output, activation, solver):
    sizes = {"n": 77, "hidden": (19, 11), "n_features": 9}  # odd everywhere
    plan, parameters, X, targets = problem(
        loss, "float32", output=output, activation=activation, operations="bfloat16", **sizes
    )
    actual, curve = train(native, plan, parameters, X, targets, loss, solver, n_steps=12)
    expected, expected_curve = train(reference, plan, parameters, X, targets, loss, solver, n_steps=12)
    learned = np.abs(expected - parameters).max()
    assert learned > 1e-4
    # A sum in another order may round a factor of the next product to its other neighbour, 1/256 away.
    assert np.abs(actual - expected).max() < 0.02 * learned
    np.testing.assert_allclose(curve, expected_curve, rtol=2e-3)


@needs_bfloat16
@pytest.mark.parametrize("activation", ["relu", "tanh", "softmax", "silu"])
@pytest.mark.parametrize("n_threads", [2, 3, 4])
def test_any_number_of_threads_gives_the_same_bits(n_threads, activation):
    plan, parameters, X, targets = problem(
        "cross_entropy", "float32", n=205, hidden=(45, 27), n_features=35, activation=activation,
        operations="bfloat16",
    )  # fmt: skip
    results = [
        train(native, plan, parameters, X, targets, "cross_entropy", "momentum", n_threads=n, measure=False)[
            0
        ]
        for n in (1, n_threads)
    ]
    np.testing.assert_array_equal(*results)


@needs_bfloat16
def test_a_classifier_learns_digits_as_well_as_in_float32():
    X, y = load_digits(return_X_y=True)
    scores = [
        MLPClassifier((64, 32), dtype=dtype, max_iter=20, learning_rate_init=0.005, random_state=0)
        .fit(X[:1200], y[:1200])
        .score(X[1200:], y[1200:])
        for dtype in ("float32", "bfloat16")
    ]
    assert scores[1] > scores[0] - 0.02


@needs_bfloat16
def test_parameters_and_predictions_are_float32(tmp_path):
    X, y = load_digits(return_X_y=True)
    model = MLPClassifier((16,), dtype="bfloat16", max_iter=3, random_state=0).fit(X, y)
    assert model.coefs_[0].dtype == model.predict_proba(X).dtype == np.float32
    assert "bfloat16" in repr(model.network_)
    model.save(tmp_path / "model.safetensors")
    loaded = fastmlp.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert loaded.network_.is_mixed


@needs_bfloat16
def test_weights_that_a_callback_changes_count():
    plan, parameters, X, targets = problem("cross_entropy", "float32", operations="bfloat16")
    training = native.Training(
        plan, parameters, X, None, 32, loss="cross_entropy", targets=targets, targets_preparation=None,
        rows=np.arange(len(X)), optimizer={"solver": "sgd"}, moments=[], alpha=0.0, shuffle=False, seed=0,
        n_steps=0,
    )  # fmt: skip
    for _ in range(2):
        training.start_epoch(0, np.zeros(3), np.zeros(3))  # a rate of zero: nothing is learned
        training.run(1.0)
        before = training.mean_loss
        parameters *= 3
    assert training.mean_loss == before
    training.start_epoch(0, np.zeros(3), np.zeros(3))
    training.run(1.0)
    assert training.mean_loss != before


def test_a_processor_without_it_is_told_so(monkeypatch):
    monkeypatch.setenv("FASTMLP_ISA", "portable")
    with pytest.raises(ValueError, match="dtype='bfloat16' goes with engine 'tile', not 'blas'"):
        Network([Dense(2)], 3, dtype="bfloat16")
    with pytest.raises(ValueError, match="AVX512_BF16"):
        Network([Dense(2)], 3, dtype="bfloat16", engine="tile")
    Network([Dense(2)], 3, dtype="bfloat16", engine="reference")  # NumPy can


def test_blas_does_not_multiply_in_bfloat16():
    with pytest.raises(ValueError, match="not 'blas'"):
        Network([Dense(2)], 3, dtype="bfloat16", engine="blas")
