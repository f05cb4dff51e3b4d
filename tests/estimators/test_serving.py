"""Tests of predictions for serving: the short cut for plain arrays, and models compiled to functions."""

import copy
import pickle
import threading

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError

from fastmlp import MLPClassifier, MLPRegressor, Network
from fastmlp.engine import selection
from fastmlp.engine.compiled import Compiled
from fastmlp.layers import Dense
from fastmlp.losses import Quantile
from helpers.estimators import N_FEATURES, data, quietly

MODELS = {
    "binary": (MLPClassifier, {}),
    "multiclass": (MLPClassifier, {"activation": "gelu"}),
    "multilabel": (MLPClassifier, {}),
    "regression": (MLPRegressor, {}),
    "several outputs": (MLPRegressor, {"batch_norm": True}),
    "regression, prepared": (MLPRegressor, {"prepare": "table"}),
    "several outputs, prepared": (MLPRegressor, {"prepare": "table"}),
    "regression, quantiles": (MLPRegressor, {"loss": Quantile((0.1, 0.9)), "prepare": "table"}),
    "several outputs, quantiles": (MLPRegressor, {"loss": Quantile((0.1, 0.5, 0.9)), "prepare": "table"}),
    "regression, counts": (MLPRegressor, {"loss": "poisson"}),
    "binary, prepared": (MLPClassifier, {"prepare": "table"}),
}

every_model = pytest.mark.parametrize("name", MODELS)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def fitted(name, dtype="float64", **params):
    """Return a model, what it predicts by, and data."""
    cls, own = MODELS[name]
    X, y = data(name.split(",")[0], dtype=dtype)
    if "counts" in name:
        y = np.exp(y)
    model = quietly(cls(hidden_layer_sizes=(8,), max_iter=3, random_state=0, **own, **params).fit, X, y)
    return model, model.predict_proba if cls is MLPClassifier else model.predict, X


@every_model
@every_dtype
@pytest.mark.parametrize("engine", ["tile", "blas"])
def test_a_compiled_model_gives_the_same_numbers(name, dtype, engine):
    model, predict, X = fitted(name, dtype, engine=engine)
    function = model.compile()
    expected = predict(X)
    given = function(X)
    assert_array_equal(given, expected)
    assert given.dtype == expected.dtype
    assert given.shape == expected.shape
    for i in (0, 5, len(X) - 1):
        row = function(X[i])
        assert_array_equal(row, predict(X[i : i + 1])[0])
        assert np.shape(row) == expected.shape[1:]


@every_model
@every_dtype
def test_the_predictions_go_where_they_are_told(name, dtype):
    model, predict, X = fitted(name, dtype)
    function = model.compile()
    out = np.full_like(predict(X), np.nan)
    assert function(X, out=out) is out
    assert_array_equal(out, predict(X))
    first = out[:1].copy()
    assert function(X[7], out=first) is first
    assert_array_equal(first, predict(X[7:8]))


@pytest.mark.parametrize(
    "change",
    [
        np.asfortranarray,
        lambda X: X[:, ::-1][:, ::-1],
        lambda X: X[::3],
        lambda X: X.astype(">f8"),
        lambda X: (10 * X).astype(np.uint8),
        lambda X: (10 * X).astype(int),
        lambda X: X.tolist(),
        lambda X: np.repeat(X, 20, axis=0),  # more than a slab
        lambda X: np.ma.array(X),
        pd.DataFrame,
    ],
)
def test_any_array_will_do(change):
    model, predict, X = fitted("multiclass")
    X = change(np.abs(X))
    assert_array_equal(model.compile()(X), predict(np.array(X, dtype=float)))
    assert_array_equal(predict(X), predict(np.array(X, dtype=float)))


@pytest.mark.parametrize("name", ["binary", "regression"])
@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.full((3, N_FEATURES), np.nan), "contains NaN"),
        (np.full((3, N_FEATURES), np.inf), "infinity"),
        (np.ones((3, N_FEATURES + 1)), f"{N_FEATURES}"),
        (np.ones((0, N_FEATURES)), "0, ?"),
        (np.ones((1, 2, N_FEATURES)), "dim|shape"),
        (np.array([["a"] * N_FEATURES]), "numbers|string|convert"),
    ],
)
def test_what_is_no_input_is_refused_by_both(X, message, name):
    model, predict, _ = fitted(name)
    for function in (predict, model.compile()):
        with pytest.raises(ValueError, match=message):
            function(X)


@pytest.mark.parametrize(
    "out",
    [
        np.empty((4, 2)),
        np.empty((5, 2), np.float32),
        np.empty((5, 4))[:, ::2],
        np.empty((2, 5)).T[:, ::-1],
        np.broadcast_to(1.0, (5, 2)),
    ],
)
def test_a_place_that_does_not_fit_is_refused(out):
    model, _, X = fitted("binary")
    with pytest.raises(
        ValueError, match=r"out, .*, must be a C-contiguous, writable array of float64 with 10"
    ):
        model.compile()(X[:5], out=out)
    with pytest.raises(TypeError):
        model.compile()(X[:5], out=[1.0] * 10)


def test_it_goes_on_with_the_network_that_it_was_made_of():
    model, predict, X = fitted("binary")
    function, before = model.compile(), predict(X)
    model.partial_fit(X, data("binary")[1])
    after = predict(X)
    assert (before != after).any()
    assert_array_equal(function(X), after)
    quietly(model.set_params(random_state=1).fit, X, data("binary")[1])
    assert_array_equal(function(X), after)


def test_many_threads_may_call_it():
    model, predict, X = fitted("multiclass")
    function, expected, wrong = model.compile(), predict(X), []

    def call():
        for i in range(300):
            if (function(X[i % len(X)]) != expected[i % len(X)]).any():
                wrong.append(i)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_blas_keeps_to_the_threads_that_it_is_given(monkeypatch):
    limits = []
    limit = selection.threadpool_limits
    monkeypatch.setattr(
        selection, "threadpool_limits", lambda n, **kwargs: limits.append(n) or limit(n, **kwargs)
    )
    model, predict, X = fitted("binary", engine="blas", n_threads=1)
    function, expected = model.compile(), predict(X)
    limits.clear()
    out = np.empty((1, 2))
    assert function(X[0], out=out[0]).base is out
    assert limits == [1]
    assert_array_equal(function(X), expected)
    assert_array_equal(out, expected[:1])


def test_only_a_fitted_and_compiled_model_can_be_compiled():
    with pytest.raises(NotFittedError):
        MLPClassifier().compile()
    model, _, _ = fitted("binary", engine="reference")
    with pytest.raises(ValueError, match="engine='reference'"):
        model.compile()


def test_a_network_compiles_as_well():
    network = Network([Dense(5, "relu"), Dense(2, "softmax")], 3, random_state=0)
    X = np.random.default_rng(0).normal(size=(9, 3))
    assert_array_equal(network.compile()(X), network.predict(X))
    assert_array_equal(network.compile()(X[0]), network.predict(X[:1])[0])


@pytest.mark.parametrize("name", ["binary", "regression, prepared"])
@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_function_is_neither_pickled_nor_copied(name, copied):
    model, predict, X = fitted(name)
    predict(X)
    with pytest.raises(TypeError, match="pickle the model"):
        copied(model.compile())
    assert_array_equal(pickle.loads(pickle.dumps(model)).compile()(X), predict(X))


def test_a_function_needs_a_network():
    with pytest.raises(TypeError):
        Compiled.__new__(Compiled)
    with pytest.raises(TypeError, match="None"):
        Compiled(None, None, ())


@every_model
def test_the_short_cut_gives_what_the_long_way_gives(name, monkeypatch):
    _, predict, X = fitted(name)
    short = predict(X), predict(X[:1])
    monkeypatch.setattr(Network, "predict_array", lambda self, X: None)
    for given, expected in zip(short, (predict(X), predict(X[:1])), strict=True):
        assert_array_equal(given, expected)
        assert given.dtype == expected.dtype


def test_the_short_cut_does_not_pass_by_the_names():
    X, y = data("binary")
    frame = pd.DataFrame(X, columns=[f"column {i}" for i in range(N_FEATURES)])
    model = quietly(MLPClassifier(max_iter=2).fit, frame, y)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict_proba(X)
