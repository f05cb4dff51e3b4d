"""Tests of `output_activation`: an output for each class, and predictions within a range."""

import numpy as np
import onnxruntime
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, Network, Trainer
from fastmlp.layers import Dense
from fastmlp.losses import LogLikelihood
from helpers.estimators import data, ignore_convergence, quietly

pytestmark = ignore_convergence

PARAMS = {"hidden_layer_sizes": (9,), "max_iter": 4, "batch_size": 30, "random_state": 0}


@pytest.mark.parametrize(
    "loss", [None, "binary_cross_entropy", "log_likelihood", LogLikelihood(), "squared_error"]
)
@pytest.mark.parametrize("engine", ["tile", "blas", "reference"])
def test_each_class_has_a_logistic_output(loss, engine):
    X, y = data("multiclass")
    names = np.array(["c", "a", "b"])[y]
    model = MLPClassifier(
        **PARAMS, output_activation="logistic", loss=loss, engine=engine, shuffle=False, alpha=0
    )
    model.fit(X, names)
    assert (model.out_activation_, model.n_outputs_) == ("logistic", 3)
    # The same by layers and one-hot targets.
    network = Network(
        [Dense(9), Dense(3, "logistic")], X.shape[1], dtype="float64", engine=engine, random_state=0,
        initializer=fastmlp.initializers.GlorotUniform(6.0),
    )  # fmt: skip
    trainer = Trainer(network, loss or "binary_cross_entropy", batch_size=30, shuffle=False)
    trainer.fit(X, np.eye(3)[np.searchsorted(["a", "b", "c"], names)], epochs=4)
    assert_allclose(model.network_.parameters, network.parameters, rtol=1e-12)
    outputs = network.predict(X)
    assert_allclose(model.predict_proba(X), outputs / outputs.sum(axis=1, keepdims=True))
    assert_array_equal(model.predict(X), np.array(["a", "b", "c"])[outputs.argmax(axis=1)])


@pytest.mark.parametrize("loss", [None, "squared_error"])
def test_it_learns_scores_and_stops_by_the_accuracy(loss):
    X, y = load_digits(return_X_y=True)
    model = MLPClassifier(
        (32,), output_activation="sigmoid", loss=loss, early_stopping=True, max_iter=60, random_state=0,
        prepare="image", learning_rate_init=0.01,
    )  # fmt: skip
    model.fit(X[:1200], y[:1200])
    assert model.best_validation_score_ > 0.9
    assert model.score(X[1200:], y[1200:]) > 0.88


def test_a_compiled_model_divides_as_well():
    X, y = data("multiclass")
    model = MLPClassifier(**PARAMS, output_activation="logistic").fit(X, y)
    function, expected = model.compile(), model.predict_proba(X)
    assert_array_equal(function(X), expected)
    assert_array_equal(function(X[3]), expected[3])
    flat = np.empty(expected.size)
    function(X, out=flat)
    assert_array_equal(flat, expected.ravel())
    assert_allclose(expected.sum(axis=1), 1)


def test_outputs_that_are_all_zero_are_shared_evenly():
    X, y = data("multiclass")
    model = MLPClassifier(**PARAMS, output_activation="logistic").fit(X, y)
    model.coefs_[-1][:], model.intercepts_[-1][:] = 0, -1e4
    assert_array_equal(model.predict_proba(X), np.full((len(X), 3), 1 / 3))


def test_label_smoothing_goes_to_yes_and_no():
    X, y = data("multiclass")
    smoothed = MLPClassifier(**PARAMS, output_activation="logistic", label_smoothing=0.5).fit(X, y)
    plain = MLPClassifier(**PARAMS, output_activation="logistic").fit(X, y)
    assert smoothed.loss_ != plain.loss_


def test_two_classes_and_indicators_may_name_what_they_have_anyway():
    for task in ("binary", "multilabel"):
        X, y = data(task)
        named = MLPClassifier(**PARAMS, output_activation="logistic").fit(X, y)
        assert_array_equal(named.predict_proba(X), MLPClassifier(**PARAMS).fit(X, y).predict_proba(X))
    X, y = data("binary")
    softmax = MLPClassifier(**PARAMS, output_activation="softmax").fit(X, y)
    assert_array_equal(
        softmax.predict_proba(X), MLPClassifier(**PARAMS, loss="cross_entropy").fit(X, y).predict_proba(X)
    )


def test_a_saved_model_has_its_outputs(tmp_path):
    X, y = data("multiclass")
    model = MLPClassifier(**PARAMS, output_activation="logistic").fit(X, y)
    model.save(tmp_path / "model.safetensors")
    loaded = fastmlp.load(tmp_path / "model.safetensors")
    assert loaded.output_activation == "logistic"
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert_array_equal(loaded.partial_fit(X, y).predict(X).shape, (len(X),))


@pytest.mark.parametrize(
    ("activation", "lowest"), [("softplus", 0), ("relu", 0), ("logistic", 0), ("tanh", -1)]
)
def test_predictions_stay_in_range(activation, lowest, tmp_path):
    X, y = data("regression")
    y = np.abs(y) if lowest == 0 else y
    model = MLPRegressor(**PARAMS, output_activation=activation, prepare="table").fit(X, y)
    assert model.out_activation_ == activation
    assert model.target_preparation_ is None
    predictions = model.predict(50 * X)
    assert predictions.min() >= lowest
    assert_array_equal(model.compile()(X), model.predict(X))
    model.save(tmp_path / "model.safetensors")
    assert_array_equal(fastmlp.load(tmp_path / "model.safetensors").predict(X), model.predict(X))
    with pytest.raises(ValueError, match=f"output_activation={activation!r}"):
        model.to_sklearn()


@pytest.mark.parametrize(
    ("task", "params", "message"),
    [
        ("multiclass", {"output_activation": "tanh"}, "output_activation"),
        ("regression", {"output_activation": "prelu"}, "output_activation"),
        ("regression", {"output_activation": "softplus", "loss": "poisson"}, "loss='poisson' goes with"),
        ("multilabel", {"output_activation": "softmax"}, "output_activation='softmax' is for one class each"),
        ("binary", {"loss": "log_likelihood"}, "loss='log_likelihood' is for three and more classes"),
        ("multiclass", {"loss": "binary_cross_entropy"}, "With output_activation='logistic' each of them"),
        (
            "multiclass",
            {"output_activation": "logistic", "loss": "cross_entropy"},
            "goes with an output activation",
        ),
        (
            "multiclass",
            {"output_activation": "softmax", "loss": "log_likelihood"},
            "goes with an output activation",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(task, params, message):
    X, y = data(task)
    with pytest.raises(ValueError, match=message):
        (MLPRegressor if task == "regression" else MLPClassifier)(**params).fit(X, y)


def test_a_warm_start_keeps_the_outputs():
    X, y = data("multiclass")
    model = quietly(MLPClassifier(**PARAMS, warm_start=True).fit, X, y)
    with pytest.raises(ValueError, match="cannot be changed with warm_start=True"):
        model.set_params(output_activation="logistic").fit(X, y)


@pytest.mark.parametrize(("task", "activation"), [("multiclass", "logistic"), ("regression", "softplus")])
def test_onnx_has_the_outputs_too(task, activation):
    X, y = data(task)
    cls = MLPRegressor if task == "regression" else MLPClassifier
    model = cls(**PARAMS, output_activation=activation).fit(X, y)
    session = onnxruntime.InferenceSession(model.to_onnx().SerializeToString())
    *_, given = session.run(None, {"X": X})
    expected = model.predict(X)[:, None] if task == "regression" else model.predict_proba(X)
    assert_allclose(given, expected, rtol=1e-10)
