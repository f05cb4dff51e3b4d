"""Columns and targets of any magnitude, standardised, through all that a model does with them."""

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import skl2onnx
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import r2_score
from typer.testing import CliRunner

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, Network, fit_many, losses
from fastmlp.cli.commands import app
from fastmlp.layers import Dense
from fastmlp.network.preparation import Preparation
from helpers.estimators import quietly

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 3))
SIGNAL = np.tanh(X[:, 0]) + 0.5 * X[:, 1]
CLASSES = (SIGNAL > 0).astype(int)
# Squares of these overflow or underflow, and float32 has no such numbers at all.
FACTORS = [1e-300, 1e-170, 1e170, 1e300]
PARAMETERS = {
    "hidden_layer_sizes": (16,), "max_iter": 30, "learning_rate_init": 0.02, "batch_size": 20,
    "prepare": "table", "random_state": 0,
}  # fmt: skip
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
every_factor = pytest.mark.parametrize("factor", FACTORS)


def by_partial_fit(inputs, targets, dtype):
    model = MLPRegressor(**PARAMETERS, dtype=dtype)
    for _ in range(20):
        model.partial_fit(inputs, targets)
    return model


def fitted(inputs, targets, dtype="float32", cls=MLPRegressor, **parameters):
    return quietly(cls(**{**PARAMETERS, "dtype": dtype, **parameters}).fit, inputs, targets)


WAYS = {
    "MLPRegressor.fit": fitted,
    "fastmlp.fit": lambda X, y, dtype: fastmlp.fit(X, y, dtype=dtype, random_state=0),
    "partial_fit": by_partial_fit,
    "fit_many": lambda X, y, dtype: quietly(
        fit_many, [PARAMETERS], X, y, estimator=MLPRegressor(dtype=dtype)
    )[0],
    "engine='reference'": lambda X, y, dtype: fitted(X, y, dtype, engine="reference"),
    "solver='lbfgs'": lambda X, y, dtype: fitted(X, y, dtype, solver="lbfgs"),
    "prepare='image'": lambda X, y, dtype: fitted(X, y, dtype, prepare="image"),
}


@every_factor
@every_dtype
@pytest.mark.parametrize("way", WAYS)
def test_columns_of_any_magnitude_are_learnt_from(way, dtype, factor):
    model = WAYS[way](X * factor, SIGNAL, dtype)
    plain = WAYS[way](X, SIGNAL, dtype)
    assert model.score(X * factor, SIGNAL) > 0.97
    assert_allclose(model.predict(X * factor), plain.predict(X), rtol=0, atol=0.05)


@every_factor
@every_dtype
@pytest.mark.parametrize("way", WAYS)
def test_targets_of_any_magnitude_are_learnt(way, dtype, factor):
    model = WAYS[way](X, SIGNAL * factor, dtype)
    predictions = model.predict(X)
    assert predictions.dtype == np.float64
    assert r2_score(SIGNAL, predictions / factor) > 0.97
    assert model.score(X, SIGNAL * factor) == pytest.approx(r2_score(SIGNAL, predictions / factor), abs=1e-9)


@every_factor
def test_validation_scores_of_any_magnitude(factor):
    y = np.c_[SIGNAL, SIGNAL * factor]
    validation = {"X_val": X[200:] * factor, "y_val": y[200:]}
    model = quietly(
        MLPRegressor(**PARAMETERS, early_stopping=True).fit, X[:200] * factor, y[:200], **validation
    )
    assert 0.9 < model.best_validation_score_ < 0.9999
    assert model.best_validation_score_ == pytest.approx(model.score(X[200:] * factor, y[200:]), abs=1e-6)


@every_factor
def test_r2_does_not_depend_on_the_unit(factor):
    predictions = SIGNAL + 0.3 * X[:, 2]
    expected = r2_score(SIGNAL, predictions)
    assert losses.r2(SIGNAL * factor, predictions * factor) == pytest.approx(expected, rel=1e-9)
    assert losses.r2(
        (SIGNAL * factor)[:, None], predictions[:, None] * factor, X[:, 0] ** 2
    ) == pytest.approx(r2_score(SIGNAL, predictions, sample_weight=X[:, 0] ** 2), rel=1e-9)
    assert losses.r2(SIGNAL.tolist(), predictions) == expected


@every_factor
@every_dtype
def test_all_that_predicts_gives_the_same(factor, dtype, tmp_path):
    inputs = X * [factor, 1, 1]
    model = fitted(inputs, CLASSES, dtype, MLPClassifier)
    expected = model.predict_proba(inputs)
    assert model.score(inputs, CLASSES) > 0.95
    function = model.compile()
    assert_array_equal(function(inputs), expected)
    assert_array_equal(function(inputs[3]), expected[3])
    frame = pd.DataFrame(inputs)
    assert_array_equal(model.predict_proba(frame), expected)
    model.save(tmp_path / "model.safetensors")
    assert_array_equal(fastmlp.load(tmp_path / "model.safetensors").predict_proba(inputs), expected)
    tolerance = 1e-5 if dtype == "float32" else 1e-10
    assert_allclose(model.to_sklearn().predict_proba(inputs), expected, rtol=0, atol=tolerance)
    for graph in (model.to_onnx(), skl2onnx.to_onnx(model, inputs[:1], options={"zipmap": False})):
        session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
        assert session.get_inputs()[0].type == "tensor(double)"
        assert_allclose(session.run(None, {"X": inputs})[1], expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("engine", ["auto", "reference"])
@pytest.mark.parametrize("factor", [3e-39, 1e-41, 1e36])
def test_columns_at_the_ends_of_float32(factor, engine):
    """Their scales are infinite or subnormal in float32, and training flushes subnormal inputs to 0."""
    inputs = (X * factor).astype(np.float32)
    model = fitted(inputs, CLASSES, "auto", MLPClassifier, engine=engine)
    assert model.network_.dtype == np.float32
    assert model.score(inputs, CLASSES) > 0.95
    assert_array_equal(model.predict_proba(inputs.astype(float)), model.predict_proba(inputs))
    if engine == "auto":
        assert_array_equal(model.compile()(inputs), model.predict_proba(inputs))


@every_factor
def test_what_float32_rounds_to_0_or_infinity(factor):
    model = fitted(X * factor, SIGNAL)
    with np.errstate(over="ignore"):
        rounded = np.abs(X * factor).astype(np.float32)
    for predict in (model.predict, model.compile()):
        if factor > 1:
            with pytest.raises(ValueError, match="infinity"):
                predict(rounded)
        else:
            assert_array_equal(predict(rounded), predict(np.zeros(X.shape)))


FACTOR = np.array([1e-60, 1, 1])


@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_gradients_with_respect_to_inputs(engine):
    layers, gradients = [Dense(4, "tanh"), Dense(1, "identity")], []
    for inputs in (X, X * FACTOR):
        preparation = Preparation.fit(inputs, "table")
        network = Network(layers, 3, preparation=preparation, engine=engine, random_state=0)
        gradients.append(network.gradients(inputs, SIGNAL, "squared_error")[2])
    assert_allclose(gradients[1] * FACTOR, gradients[0], rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("factor", [1e-310, 1e306])
@pytest.mark.parametrize("way", [way for way in WAYS if "image" not in way])
def test_what_cannot_be_standardised_is_refused(way, factor):
    frame = pd.DataFrame(X * [1, factor, 1], columns=list("abc"))
    with pytest.raises(ValueError, match="X cannot be standardised: column 1 has a standard deviation"):
        WAYS[way](X * [1, factor, 1], SIGNAL, "float32")
    with pytest.raises(ValueError, match=r"X cannot be standardised: column 1 \('b'\) has a standard"):
        WAYS[way](frame, SIGNAL, "float32")
    with pytest.raises(ValueError, match="y cannot be standardised: it has a standard deviation"):
        WAYS[way](X, SIGNAL * factor, "float32")


def test_a_state_dict_in_float32_is_refused():
    with pytest.raises(ValueError, match=r"standardisation of X .* in float32"):
        fitted(X * 1e-170, CLASSES, cls=MLPClassifier).to_torch_state_dict()


@pytest.mark.parametrize("factor", [1e-300, 1e300])
def test_the_command_line(factor, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame(X * factor, columns=list("abc")).assign(t=SIGNAL * factor)
    frame.to_parquet("t.parquet")
    output = CliRunner().invoke(app, ["train", "t.parquet", "--target", "t", "--out", "m.safetensors"])
    assert output.exit_code == 0
    assert float(output.output.split("test R^2 ")[1].split(",")[0]) > 0.9
    output = CliRunner().invoke(app, ["predict", "m.safetensors", "t.parquet", "--out", "p.csv"])
    assert output.exit_code == 0
    written = pd.read_csv("p.csv").prediction
    assert_array_equal(written, fastmlp.load("m.safetensors").predict(frame.drop(columns="t")))
