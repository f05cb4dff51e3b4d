"""What hidden layers see, and the intervals between predicted quantiles."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.losses import Quantile
from helpers.estimators import data, quietly

PARAMETERS = {"hidden_layer_sizes": (9, 6), "max_iter": 5, "random_state": 0}


@pytest.mark.parametrize("engine", ["auto", "blas", "reference"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_hidden_layers_are_those_of_numpy(dtype, engine):
    X, y = data("multiclass", dtype)
    model = quietly(MLPClassifier(**PARAMETERS, activation=["tanh", "relu"], engine=engine).fit, X, y)
    first = np.tanh(X @ model.coefs_[0] + model.intercepts_[0])
    second = np.maximum(first @ model.coefs_[1] + model.intercepts_[1], 0)
    for layer, expected in ((0, first), (1, second), (-1, second), (-2, first)):
        found = model.hidden_activations(X, layer)
        assert found.dtype == dtype
        assert_allclose(found, expected, rtol=0, atol=1e-5 if dtype == "float32" else 1e-13)


@pytest.mark.parametrize("norm", ["batch_norm", "layer_norm"])
def test_the_outputs_follow_from_the_last_hidden_layer(norm):
    X, y = data("several outputs")
    model = quietly(MLPRegressor(**PARAMETERS, dropout=0.3, **{norm: True}).fit, X, y)
    hidden = model.hidden_activations(X, -1)
    assert_allclose(hidden @ model.coefs_[-1] + model.intercepts_[-1], model.predict(X), atol=1e-12)


def test_inputs_are_prepared_and_may_be_sparse():
    X, y = data("multiclass")
    model = quietly(MLPClassifier(**PARAMETERS, prepare="table").fit, 50 + 9 * X, y)
    x = (50 + 9 * X - model.preparation_.center) * model.preparation_.scale
    expected = np.maximum(x @ model.coefs_[0] + model.intercepts_[0], 0)
    assert_allclose(model.hidden_activations(50 + 9 * X, 0), expected, atol=1e-12)
    model = quietly(MLPClassifier(**PARAMETERS).fit, X, y)
    assert_allclose(model.hidden_activations(csr_array(X), 1), model.hidden_activations(X, 1), atol=1e-12)


def test_layers_that_are_not_there():
    X, y = data("multiclass")
    model = quietly(MLPClassifier(**PARAMETERS).fit, X, y)
    for layer in (2, -3):
        with pytest.raises(ValueError, match=rf"layer={layer} must be at least -2 and at most 1"):
            model.hidden_activations(X, layer)
    with pytest.raises(TypeError, match=r"layer=0\.5 must be a whole number"):
        model.hidden_activations(X, 0.5)
    with pytest.raises(ValueError, match="features"):
        model.hidden_activations(X[:, :3], 0)
    with pytest.raises(NotFittedError):
        MLPClassifier().hidden_activations(X, 0)
    flat = quietly(MLPClassifier((), max_iter=2).fit, X, y)
    with pytest.raises(ValueError, match="no hidden layers"):
        flat.hidden_activations(X, 0)


def noisy(n, seed):
    """Targets whose spread grows with the first column."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(n, 3))
    return X, 3 * X[:, 1] + (1.5 + X[:, 0]) * rng.normal(size=n)


@pytest.mark.parametrize(("low", "high"), [(0.05, 0.95), (0.2, 0.7)])
def test_held_out_targets_lie_within_as_often_as_they_should(low, high):
    model = MLPRegressor(
        Quantile((low, 0.5, high)), (32,), prepare="table", learning_rate="one_cycle", max_iter=30,
        learning_rate_init=0.01, batch_size=64, random_state=0,
    ).fit(*noisy(4000, 0))  # fmt: skip
    X, y = noisy(4000, 1)
    lower, upper = model.predict_interval(X).T
    assert np.mean((lower <= y) & (y <= upper)) == pytest.approx(high - low, abs=0.03)
    assert np.mean(y < lower) == pytest.approx(low, abs=0.03)
    wide = X[:, 0] > 0
    assert (upper - lower)[wide].mean() > 1.3 * (upper - lower)[~wide].mean()


@pytest.mark.parametrize("task", ["regression", "several outputs"])
def test_the_ends_are_the_outermost_quantiles_in_any_order(task):
    X, y = data(task)
    model = quietly(MLPRegressor(**PARAMETERS, loss=Quantile((0.5, 0.9, 0.1))).fit, X, y)
    ends, predictions = model.predict_interval(X), model.predict(X)
    assert ends.shape == (*predictions.shape[:-1], 2)
    crossing = predictions[..., 2] > predictions[..., 1]
    assert 0 < crossing.mean() < 1  # five epochs are too few to part them
    assert (ends[..., 0] <= ends[..., 1]).all()
    assert_array_equal(ends, np.sort(predictions[..., 1:], axis=-1))


@pytest.mark.parametrize("loss", [None, "huber", "quantile", Quantile((0.5, 0.5))])
def test_no_interval_without_two_quantiles(loss):
    X, y = data("regression")
    model = quietly(MLPRegressor(**PARAMETERS, loss=loss).fit, X, y)
    with pytest.raises(
        ValueError, match=r"loss=\w+\(.*\) predicts no intervals.*Quantile\(\(0\.05, 0\.95\)\)"
    ):
        model.predict_interval(X)
    with pytest.raises(NotFittedError):
        MLPRegressor().predict_interval(X)
