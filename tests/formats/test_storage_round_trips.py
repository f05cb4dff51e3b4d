"""Tests of model files: what is saved comes back bit for bit."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from safetensors import safe_open
from scipy.special import softmax
from sklearn.base import clone

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.callbacks import PrintEpoch
from fastmlp.schedules import Adaptive, InverseScaling, OneCycle
from helpers.storage import CODES, N, X, fitted, save_classifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def path(tmp_path):
    return save_classifier(tmp_path)


def saved_and_loaded(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    return fastmlp.load(tmp_path / "model.safetensors")


MODELS = {
    "multiclass": lambda: fitted(),
    "binary": lambda: fitted(y=CODES == 1),
    "multilabel": lambda: fitted(y=np.eye(3, dtype=int)[CODES]),
    "one class": lambda: fitted(y=np.zeros(N)),
    "regression": lambda: fitted(MLPRegressor, X[:, 0]),
    "several outputs": lambda: fitted(MLPRegressor, X[:, :2] * 50 + 3),
    "prepared targets": lambda: fitted(MLPRegressor, X[:, :2] * 50 + 3, prepare="table"),
    "one prepared target": lambda: fitted(MLPRegressor, X[:, 0] * 50 + 3, prepare="auto"),
    "prepared images": lambda: fitted(X=(X * 20 + 128).astype(np.uint8), prepare="image"),
    "float32": lambda: fitted(X=X.astype(np.float32)),
    "float32 asked for": lambda: fitted(dtype="float32"),
    "no hidden layer": lambda: fitted(hidden_layer_sizes=()),
    "several activations": lambda: fitted(activation=["tanh", "logistic"]),
    "reference engine": lambda: fitted(engine="reference"),
    "sgd": lambda: fitted(solver="sgd", learning_rate="invscaling", momentum=0.5),
    "validation data": lambda: MLPClassifier((5,), max_iter=2).fit(X, CODES, None, X, CODES),
    "fit's recipe": lambda: fastmlp.fit(X, CODES, max_iter=2),
    "fit's recipe for numbers": lambda: fastmlp.fit(X, X[:, 0], max_iter=2),
    "partial_fit": lambda: MLPClassifier((5,)).partial_fit(X, CODES, classes=[0, 1, 2, 5]),
    "after pickling": lambda: pickle.loads(pickle.dumps(fitted())),
}


def comparable(value):
    """Return a value in which NaN is itself and a tuple is a list, as JSON has them."""
    if isinstance(value, list | tuple | np.ndarray):
        return [comparable(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_comes_back_bit_for_bit(kind, tmp_path):
    model = MODELS[kind]()
    loaded = saved_and_loaded(model, tmp_path)
    assert type(loaded) is type(model)
    inputs = (X * 20 + 128).astype(np.uint8) if kind == "prepared images" else X
    assert_array_equal(loaded.predict(inputs), model.predict(inputs))
    assert loaded.predict(inputs).dtype == model.predict(inputs).dtype
    if isinstance(model, MLPClassifier):
        assert_array_equal(loaded.predict_proba(inputs), model.predict_proba(inputs))
        assert_array_equal(loaded.classes_, model.classes_)
        assert loaded.classes_.dtype == model.classes_.dtype
    for mine, other in zip(loaded.coefs_ + loaded.intercepts_, model.coefs_ + model.intercepts_, strict=True):
        assert mine.dtype == other.dtype
        assert_array_equal(mine, other)
    assert comparable(list(loaded.get_params().items())) == comparable(list(model.get_params().items()))


@pytest.mark.parametrize("kind", MODELS)
def test_fitted_attributes_come_back(kind, tmp_path):
    model = MODELS[kind]()
    loaded = saved_and_loaded(model, tmp_path)
    for name in (
        "n_features_in_", "n_layers_", "n_outputs_", "out_activation_", "n_iter_", "t_", "loss_",
        "best_loss_", "loss_curve_", "validation_scores_", "validation_loss_curve_", "validation_score_",
        "best_validation_score_",
    ):  # fmt: skip
        assert comparable(getattr(loaded, name)) == comparable(getattr(model, name)), name
    for name in ("preparation_", "target_preparation_"):
        mine, other = getattr(loaded, name), getattr(model, name)
        assert (mine is None) == (other is None)
        if mine is not None:
            assert_array_equal(mine.center, other.center)
            assert_array_equal(mine.scale, other.scale)


def content(path):
    """Return the description and the tensors' bytes of a file."""
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    return metadata, {name: array.tobytes() for name, array in safetensors.numpy.load_file(path).items()}


@pytest.mark.parametrize("kind", MODELS)
def test_saving_what_was_loaded_gives_the_same_content(kind, tmp_path):
    MODELS[kind]().save(tmp_path / "first")
    fastmlp.load(tmp_path / "first").save(tmp_path / "second")
    assert content(tmp_path / "first") == content(tmp_path / "second")


@pytest.mark.parametrize(
    "labels",
    [
        np.array([False, True]),
        np.array([0, 1, 255], dtype=np.uint8),
        np.array([-5, 0, 7], dtype=np.int16),
        np.array([-(2**62), 0, 2**62 + 1]),
        np.array([1, 2**64 - 1], dtype=np.uint64),
        np.array([-1.0, 2.0, 1e9]),
        np.array([1.0, 2.0], dtype=np.float32),
        np.array([1, 2, 3], dtype=">i4"),
        np.array(["a", "b", "a longer one"]),
        np.array(["ä", "日本", '\U0001f600 " \\ \n \x00x', ""]),
        np.array(["x", "y"], dtype=object),
    ],
    ids=lambda labels: f"{labels.dtype}-{len(labels)}",
)
def test_class_labels_come_back_in_their_type(labels, tmp_path):
    model = fitted(y=labels[np.arange(N) % len(labels)])
    loaded = saved_and_loaded(model, tmp_path)
    assert_array_equal(loaded.classes_, model.classes_)
    assert loaded.classes_.dtype == model.classes_.dtype
    assert loaded.predict(X).tolist() == model.predict(X).tolist()


@settings(max_examples=30, deadline=None)
@given(
    labels=st.lists(
        st.text(max_size=20).filter(lambda text: not text.endswith("\0")), min_size=2, max_size=4, unique=True
    )
)
def test_any_text_may_be_a_label(labels, tmp_path_factory):
    model = fitted(y=np.array(labels)[np.arange(N) % len(labels)], max_iter=1)
    loaded = saved_and_loaded(model, tmp_path_factory.mktemp("labels"))
    assert loaded.classes_.tolist() == model.classes_.tolist()


def test_feature_names_come_back(path):
    loaded = fastmlp.load(path)
    assert_array_equal(loaded.feature_names_in_, list("abcd"))
    assert loaded.feature_names_in_.dtype == object
    loaded.predict(pd.DataFrame(X, columns=list("abcd")))
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(pd.DataFrame(X, columns=list("abcx")))


@pytest.mark.parametrize(
    "schedule", ["constant", "one_cycle", OneCycle(warm_up=0.4, end=0.01), Adaptive(0.5), InverseScaling(0.3)]
)
def test_schedules_come_back(schedule, tmp_path):
    assert saved_and_loaded(fitted(learning_rate=schedule), tmp_path).learning_rate == schedule


def test_infinite_patience_comes_back(tmp_path):
    loaded = saved_and_loaded(fitted(n_iter_no_change=np.inf), tmp_path)
    assert loaded.n_iter_no_change == np.inf
    clone(loaded).fit(X, CODES)


def test_parameters_of_numpys_types_come_back(tmp_path):
    model = fitted(
        hidden_layer_sizes=np.array([4, 3]), alpha=np.float32(0.5), max_iter=np.int64(2), shuffle=np.True_
    )
    loaded = saved_and_loaded(model, tmp_path)
    assert list(loaded.hidden_layer_sizes) == [4, 3]
    assert (loaded.alpha, loaded.max_iter, loaded.shuffle) == (0.5, 2, True)
    clone(loaded).fit(X, CODES)


def test_a_diverged_model_comes_back(tmp_path):
    model = MLPRegressor(
        hidden_layer_sizes=(5,), learning_rate_init=1e30, batch_size=10, dtype="float32", early_stopping=True
    )
    with pytest.warns(fastmlp.DivergenceWarning):  # `fit` would refuse it
        model.partial_fit(X, 1e3 * X[:, 0], X_val=X, y_val=1e3 * X[:, 0])
    loaded = saved_and_loaded(model, tmp_path)
    assert np.isnan(loaded.validation_scores_).all()
    assert_array_equal(loaded.predict(X), model.predict(X))
    assert comparable(loaded.loss_) == comparable(model.loss_)


def test_callbacks_and_generators_are_left_out(tmp_path):
    model = fitted(callbacks=[PrintEpoch()], random_state=np.random.RandomState(0))
    loaded = saved_and_loaded(model, tmp_path)
    assert loaded.callbacks == ()
    assert loaded.random_state is None


def test_a_loaded_model_is_fitted_again_and_cloned(path):
    loaded = fastmlp.load(path)
    again = clone(loaded).fit(X, CODES)
    assert_array_equal(again.classes_, [0, 1, 2])
    assert_array_equal(loaded.fit(X, CODES).predict(X), again.predict(X))


@pytest.mark.parametrize("kind", ["multiclass", "binary", "multilabel", "regression", "prepared targets"])
def test_partial_fit_goes_on_from_what_was_loaded(kind, tmp_path):
    model = MODELS[kind]()
    model.set_params(learning_rate_init=1e-9)
    loaded = saved_and_loaded(model, tmp_path)
    y = {"multiclass": CODES, "binary": CODES == 1, "multilabel": np.eye(3, dtype=int)[CODES]}.get(
        kind, X[:, 0]
    )
    if kind == "prepared targets":
        y = X[:, :2] * 50 + 3
    before = model.network_.parameters
    # At this rate three epochs hardly move the weights; new ones would be far off.
    for _ in range(3):
        loaded.partial_fit(X[:20], y[:20])
    assert_allclose(loaded.network_.parameters, before, atol=1e-6)
    assert not np.array_equal(loaded.network_.parameters, before)


def test_partial_fit_of_a_loaded_classifier_keeps_the_classes(path):
    loaded = fastmlp.load(path)
    frame = pd.DataFrame(X[:10], columns=list("abcd"))
    loaded.partial_fit(frame, np.full(10, "yy"))
    assert_array_equal(loaded.classes_, ["x", "yy", "zzz"])
    assert loaded.predict_proba(frame).shape == (10, 3)
    with pytest.raises(ValueError, match="other"):
        loaded.partial_fit(frame, np.full(10, "other"))


def test_files_are_plain_safetensors(path):
    tensors = safetensors.numpy.load_file(path)
    assert set(tensors) == {
        *(f"layers.{i}.{part}" for i in range(3) for part in ("weight", "bias")),
        "preparation.center", "preparation.scale",
    }  # fmt: skip
    x = (X - tensors["preparation.center"]) * tensors["preparation.scale"]
    for i in range(2):
        x = np.maximum(x @ tensors[f"layers.{i}.weight"].T + tensors[f"layers.{i}.bias"], 0)
    probabilities = softmax(x @ tensors["layers.2.weight"].T + tensors["layers.2.bias"], axis=1)
    model = fastmlp.load(path)
    assert_allclose(model.predict_proba(pd.DataFrame(X, columns=list("abcd"))), probabilities, atol=1e-12)
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    header = json.loads(metadata["fastmlp"])
    assert header["format"] == "fastmlp"
    assert header["format_version"] == 1
    assert header["classes"]["values"] == ["x", "yy", "zzz"]
