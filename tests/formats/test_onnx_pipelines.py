"""Pipelines that skl2onnx converts with our estimators in them, run beside scikit-learn."""

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from skl2onnx import to_onnx
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.losses import Quantile
from helpers.estimators import data, quietly

DTYPES = ["float32", "float64"]
TOLERANCE = {"float32": 2e-5, "float64": 1e-10}
PARAMETERS = {"hidden_layer_sizes": (9, 6), "max_iter": 15, "learning_rate_init": 0.02, "random_state": 0}


def run(model, inputs):
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs = [one.name for one in session.get_outputs()]
    return dict(zip(outputs, session.run(None, inputs), strict=True))


def assert_same_classes(pipeline, X, dtype, options=None):
    outputs = run(to_onnx(pipeline, X[:1], options=options), {"X": X})
    assert list(outputs) == ["label", "probabilities"]
    assert outputs["probabilities"].dtype == dtype
    expected = pipeline.predict_proba(X)
    assert_allclose(outputs["probabilities"], expected, rtol=0, atol=TOLERANCE[dtype])
    assert_array_equal(outputs["label"], pipeline.predict(X))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("labels", ["binary", "multiclass", "strings", "multilabel"])
@pytest.mark.parametrize("prepare", [None, "table"])
def test_scaled_columns(labels, prepare, dtype):
    X, y = data("multiclass" if labels == "strings" else labels, dtype)
    if labels == "strings":
        y = np.array(["a", "bc", "def"])[y]
    X = (7 * X + 3).astype(dtype)
    model = MLPClassifier(**PARAMETERS, activation="gelu", batch_norm=True, prepare=prepare)
    assert_same_classes(quietly(make_pipeline(StandardScaler(), model).fit, X, y), X, dtype)


@pytest.mark.parametrize("of", ["names", "id", "name of the step", "class"])
def test_options(of):
    X, y = data("multiclass", "float32")
    pipeline = quietly(make_pipeline(StandardScaler(), MLPClassifier(**PARAMETERS)).fit, X, y)
    keys = {"id": id(pipeline[-1]), "name of the step": "mlpclassifier", "class": MLPClassifier}
    options = {"zipmap": False} if of == "names" else {keys[of]: {"zipmap": False}}
    assert_same_classes(pipeline, X, "float32", options)
    assert_same_classes(pipeline[-1], X, "float32", options if of in ("id", "class") else {"zipmap": False})


@pytest.mark.parametrize("option", [{"zipmap": "columns"}, {"nocl": True}, {"output_class_labels": True}])
def test_options_that_would_change_the_outputs_are_refused(option):
    X, y = data("multiclass", "float32")
    model = quietly(MLPClassifier(**PARAMETERS).fit, X, y)
    with pytest.raises(ValueError, match=r"zipmap=False only"):
        to_onnx(model, X[:1], options={id(model): option})


@pytest.mark.parametrize("network_dtype", DTYPES)
@pytest.mark.parametrize("input_dtype", DTYPES)
def test_the_network_computes_in_its_own_type(input_dtype, network_dtype):
    X, y = data("multiclass", input_dtype)
    model = quietly(MLPClassifier(**PARAMETERS, dtype=network_dtype, prepare="table").fit, X, y)
    outputs = run(to_onnx(model, X[:1]), {"X": X})
    assert outputs["probabilities"].dtype == input_dtype
    tolerance = 1e-12 if input_dtype == network_dtype == "float64" else 2e-6
    assert_allclose(outputs["probabilities"], model.predict_proba(X), rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("task", ["regression", "several outputs"])
@pytest.mark.parametrize("loss", [None, Quantile((0.1, 0.9))])
def test_regression(loss, task, dtype):
    X, y = data(task, dtype)
    model = MLPRegressor(**PARAMETERS, loss=loss, prepare="table")
    pipeline = quietly(make_pipeline(StandardScaler(), model).fit, X, 50 + 9 * y)
    (values,) = run(to_onnx(pipeline, X[:1]), {"X": X}).values()
    expected = pipeline.predict(X)
    assert values.dtype == dtype
    assert values.shape == (expected.shape if expected.ndim > 1 else (len(X), 1))
    tolerance = TOLERANCE[dtype] * np.abs(expected).max()
    assert_allclose(values, expected.reshape(values.shape), rtol=0, atol=tolerance)


def test_columns_of_several_kinds():
    X, y = data("multiclass", "float32")
    frame = pd.DataFrame(X[:, :3], columns=["a", "b", "c"])
    frame["kind"] = np.where(X[:, 3] > 0, "warm", "cold").astype(object)
    columns = ColumnTransformer([
        ("numbers", StandardScaler(), ["a", "b", "c"]), ("kinds", OneHotEncoder(), ["kind"]),
    ])  # fmt: skip
    pipeline = quietly(make_pipeline(columns, MLPClassifier(**PARAMETERS)).fit, frame, y)
    inputs = {name: frame[[name]].to_numpy() for name in frame}
    outputs = run(to_onnx(pipeline, frame[:1]), inputs)
    assert_allclose(outputs["probabilities"], pipeline.predict_proba(frame), rtol=0, atol=2e-5)
    assert_array_equal(outputs["label"], pipeline.predict(frame))


def test_whole_numbers_as_inputs():
    X, y = data("multiclass")
    X = np.round(5 * X).astype(np.int64)
    model = quietly(MLPClassifier(**PARAMETERS).fit, X, y)
    assert_same_classes(model, X, "float32")
