"""Models as ONNX: what ONNX Runtime makes of the graph is what the estimators predict."""

import sys
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, activations
from fastmlp.estimators.inspection import with_model
from fastmlp.estimators.targets import Classes
from fastmlp.losses import Quantile
from helpers.bfloat16 import needs_bfloat16
from helpers.estimators import data, quietly

HIDDEN = [name for name in activations.NAMES if name != "softmax"]
DTYPES = ["float32", "float64"]
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


def fitted(cls, X, y, **parameters):
    defaults = {"hidden_layer_sizes": (9, 6), "max_iter": 15, "learning_rate_init": 0.02, "random_state": 0}
    return quietly(cls(**{**defaults, **parameters}).fit, X, y)


def run(model, X):
    """Check the model as onnx sees it; return the outputs by their names."""
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    outputs = dict(zip(names, session.run(None, {"X": X}), strict=True))
    for one in session.get_outputs():  # the shapes that the graph promises are those that come
        assert len(one.shape) == outputs[one.name].ndim
        assert tuple(one.shape[1:]) == outputs[one.name].shape[1:]
    return outputs


def assert_same_classes(classifier, X, model=None):
    outputs = run(model or classifier.to_onnx(), X)
    dtype = classifier.network_.dtype
    assert list(outputs) == ["label", "probabilities"]
    assert outputs["probabilities"].dtype == dtype
    tolerance = TOLERANCE[dtype.name]
    assert_allclose(outputs["probabilities"], classifier.predict_proba(X), rtol=0, atol=tolerance)
    expected = classifier.predict(X)
    assert outputs["label"].shape == expected.shape
    assert_array_equal(outputs["label"], expected)


def assert_same_values(regressor, X, shape):
    outputs = run(regressor.to_onnx(), X)
    expected = regressor.predict(X)
    assert list(outputs) == ["variable"]
    assert outputs["variable"].dtype == expected.dtype
    assert outputs["variable"].shape == (len(X), *shape)
    tolerance = TOLERANCE[regressor.network_.dtype.name] * np.abs(expected).max()
    assert_allclose(outputs["variable"], expected.reshape(len(X), *shape), rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", [*HIDDEN, "leaky_relu(0.2)", "elu(0.5)", "prelu(0.1)"])
def test_every_activation(activation, dtype):
    X, y = data("multiclass", dtype)
    model = fitted(MLPClassifier, X, y, activation=activation)
    assert_same_classes(model, (5 * data("multiclass", dtype, seed=3)[0]).astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", HIDDEN)
def test_activations_far_out_are_finite_and_the_same(activation, dtype):
    X, y = data("regression", dtype)
    model = fitted(MLPRegressor, X, y, hidden_layer_sizes=4, activation=activation)
    assert_same_values(model, (X * 300).astype(dtype), (1,))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("norm", ["batch_norm", "layer_norm"])
@pytest.mark.parametrize("activation", ["relu", "prelu", "gelu"])
def test_normalisations(norm, activation, dtype):
    X, y = data("multiclass", dtype)
    model = fitted(MLPClassifier, X, y, activation=activation, dropout=0.1, **{norm: [True, True]})
    # Statistics and scales that are far from where they begin
    for parts in model.network_.parts()[:2]:
        parts["scale"] *= np.linspace(-2, 2, len(parts["scale"]), dtype=dtype)
        if norm == "batch_norm":
            parts["variance"] *= np.linspace(0.5, 3, len(parts["variance"]), dtype=dtype)
    assert_same_classes(model, X)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("labels", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("prepare", [None, "table"])
def test_labels(labels, prepare, dtype):
    X, y = data(labels, dtype)
    X = (X * 30 + 1000).astype(dtype) if prepare else X
    assert_same_classes(fitted(MLPClassifier, X, y, prepare=prepare), X)


@pytest.mark.parametrize("labels", ["binary", "multiclass"])
@pytest.mark.parametrize(
    "names",
    [np.array(["a", "bc", "déf"]), np.array(["x", "y", "z"], dtype=object), np.array([-7, 3, 1 << 40]),
     np.array([1.0, 2.0, 5.0])],
    ids=["strings", "objects", "integers", "floats"],
)  # fmt: skip
def test_names_of_classes(labels, names):
    X, y = data(labels, "float32")
    assert_same_classes(fitted(MLPClassifier, X, names[y]), X)


def test_bools_are_integers():
    X, y = data("binary", "float32")
    assert_same_classes(fitted(MLPClassifier, X, y == 1), X)


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "squared_error"])
def test_two_classes_by_every_loss(loss):
    X, y = data("binary", "float32")
    assert_same_classes(fitted(MLPClassifier, X, y, loss=loss), X)


def test_one_class():
    X = data("binary", "float32")[0]
    outputs = run(fitted(MLPClassifier, X, np.full(len(X), 4)).to_onnx(), X)
    assert set(outputs["label"].tolist()) == {4}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("prepare", [None, "table"])
@pytest.mark.parametrize("task", ["regression", "several outputs"])
@pytest.mark.parametrize("loss", ["squared_error", "huber", Quantile(0.3), Quantile((0.1, 0.5, 0.9))])
def test_regression(loss, task, prepare, dtype):
    X, y = data(task, dtype)
    n_targets = 1 if task == "regression" else 3
    n_quantiles = getattr(loss, "outputs_per_target", 1)
    both = n_targets > 1 and n_quantiles > 1
    model = fitted(MLPRegressor, X, 50 + 9 * y, loss=loss, prepare=prepare)
    assert_same_values(model, X, (n_targets, n_quantiles) if both else (n_targets * n_quantiles,))


@pytest.mark.parametrize("dtype", DTYPES)
def test_counts(dtype):
    X, y = data("regression", dtype)
    assert_same_values(fitted(MLPRegressor, X, np.round(np.exp(y)), loss="poisson"), X, (1,))


@pytest.mark.parametrize("input_dtype", ["uint8", "float32", "float64"])
def test_images_as_bytes_and_as_floats(input_dtype):
    digits = fastmlp.datasets.load_digits()
    model = fastmlp.fit(digits.X_train, digits.y_train, max_iter=3, random_state=0)
    X = digits.X_test.astype(input_dtype)
    assert_same_classes(model, X, model.to_onnx(input_dtype=input_dtype))


def test_float64_is_prepared_before_it_is_rounded():
    X, y = data("multiclass")
    X = X + 1e6  # float32 tells nothing of these apart
    model = fitted(MLPClassifier, X, y, prepare="table", dtype="float32")
    assert_same_classes(model, X, model.to_onnx(input_dtype="float64"))


@needs_bfloat16
def test_bfloat16_predicts_in_float32():
    X, y = data("multiclass", "float32")
    assert_same_classes(fitted(MLPClassifier, X, y, dtype="bfloat16"), X)


def test_the_file_is_the_model(tmp_path):
    X, y = data("multiclass", "float32")
    model = fitted(MLPClassifier, X, y)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"what was there before")
    returned = model.to_onnx(path)
    assert onnx.load(path) == returned
    assert [one.name for one in tmp_path.iterdir()] == ["model.onnx"]


def test_a_loaded_model_exports_the_same(tmp_path):
    X, y = data("regression")
    model = fitted(MLPRegressor, X, y, prepare="table", batch_norm=True)
    model.save(tmp_path / "model.safetensors")
    assert fastmlp.load(tmp_path / "model.safetensors").to_onnx() == model.to_onnx()


def test_refusals(monkeypatch, tmp_path):
    X, y = data("multiclass", "float32")
    model = fitted(MLPClassifier, X, y)
    with pytest.raises(ValueError, match=r"input_dtype='int8' .* 'uint8', 'float32', 'float64' or None"):
        model.to_onnx(input_dtype="int8")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        model.to_onnx(tmp_path / "nowhere" / "model.onnx")
    with pytest.raises(ValueError, match="not fitted"):
        MLPClassifier().to_onnx()
    mixed = fitted(MLPClassifier, X, y)
    mixed = with_model(
        mixed, replace(mixed.model_, targets=Classes(np.array([1, "two", None], dtype=object)))
    )
    with pytest.raises(ValueError, match="integers and strings"):
        mixed.to_onnx()
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"to_onnx needs onnx.*pip install 'fastmlp\[onnx\]'"):
        model.to_onnx()
