"""Tests of the estimators' parameters: dtype, engine, activations, sizes, preparation, clones."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.schedules import OneCycle
from helpers.estimators import N_SAMPLES, PAIRS, assert_same_fit, data, ignore_convergence, quietly

# ----------------------------------------------------------------------- types, engine, layers, preparation


@ignore_convergence
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("float64", "float64"), ("float32", "float32"), ("uint8", "float32"), ("int64", "float32"),
        ("int8", "float32"), ("uint16", "float32"), ("bool", "float32"), ("float16", "float32"),
    ],
)  # fmt: skip
def test_automatic_dtype_is_float64_for_float64_input_and_float32_for_all_else(kind, expected):
    X = np.random.default_rng(0).integers(0, 2, size=(40, 5)).astype(kind)
    y = np.arange(40) % 3
    model = MLPClassifier(max_iter=2).fit(X, y)
    assert model.network_.dtype == expected
    assert model.coefs_[0].dtype == expected
    assert model.predict_proba(X).dtype == expected


@ignore_convergence
@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["float64"] * 7, "float64"),
        (["float32"] * 7, "float32"),
        (["int64"] * 6 + ["float64"], "float64"),
        (["uint8", "bool", "int8", "int16", "int32", "int64", "float32"], "float32"),
        (["Float64"] * 7, "float64"),  # pandas' nullable types
        (["Float32"] * 7, "float32"),
        (["Int64"] * 7, "float32"),
        ([pd.SparseDtype("float64", 0)] * 7, "float64"),
        ([pd.SparseDtype("float32", 0)] * 7, "float32"),
    ],
    ids=str,
)
def test_automatic_dtype_looks_at_every_column_of_a_data_frame(kinds, expected):
    X, y = data("multiclass")
    frame = pd.DataFrame(np.round(X * X), columns=list("abcdefg")).clip(0, 1)
    frame = frame.astype(dict(zip(frame.columns, kinds, strict=True)))
    model = MLPClassifier(max_iter=2).fit(frame, y)
    assert model.network_.dtype == expected
    assert model.predict(frame).shape == (N_SAMPLES,)


@ignore_convergence
@pytest.mark.parametrize("given", ["float32", "float64"])
@pytest.mark.parametrize("asked", ["float32", "float64"])
def test_an_explicit_dtype_decides(given, asked):
    X, y = data("regression", dtype=given)
    model = MLPRegressor(max_iter=2, dtype=asked).fit(X, y)
    assert model.predict(X).dtype == asked


@ignore_convergence
def test_float32_fits_come_close_to_float64_fits():
    X, y = data("multiclass", dtype=np.float32)
    single, double = (
        MLPClassifier(max_iter=10, random_state=0, dtype=dtype).fit(X, y) for dtype in ("float32", "float64")
    )
    assert_allclose(single.loss_curve_, double.loss_curve_, rtol=1e-4)


@ignore_convergence
@pytest.mark.parametrize("task", PAIRS)
def test_the_reference_engine_trains_the_same(task):
    X, y = data(task)
    compiled, reference = (
        PAIRS[task][0](max_iter=3, random_state=0, batch_size=20, engine=engine).fit(X, y)
        for engine in ("blas", "reference")
    )
    assert_allclose(compiled.loss_curve_, reference.loss_curve_, rtol=1e-11)
    assert_allclose(compiled.network_.parameters, reference.network_.parameters, atol=1e-11)


@ignore_convergence
def test_activations_may_differ_by_layer():
    X, y = data("binary")
    model = MLPClassifier((5, 6, 7), activation=["tanh", "relu", "logistic"], max_iter=2).fit(X, y)
    assert [layer.activation for layer in model.network_.layers] == ["tanh", "relu", "logistic", "logistic"]
    assert [coef.shape for coef in model.coefs_] == [(7, 5), (5, 6), (6, 7), (7, 1)]


@ignore_convergence
@pytest.mark.parametrize("sizes", [(), [], 4, (4,), [4, 3], np.array([4, 3]), np.int64(4)], ids=str)
def test_hidden_layer_sizes_may_be_what_scikit_learn_takes(sizes):
    X, y = data("binary")
    params = {"hidden_layer_sizes": sizes, "max_iter": 2, "shuffle": False, "random_state": 0}
    ours = MLPClassifier(**params).fit(X, y)
    assert_same_fit(ours, TheirClassifier(**params).fit(X, y))
    assert ours.n_layers_ == 2 + np.size(sizes)


@ignore_convergence
@pytest.mark.parametrize("prepare", ["table", "auto", "image"])
def test_prepared_targets_come_back_in_their_own_units(prepare):
    X, y = data("regression")
    shifted = 1000 + 50 * y
    model = MLPRegressor(
        hidden_layer_sizes=(20,),
        max_iter=80,
        learning_rate_init=0.01,
        prepare=prepare,
        random_state=0,
        batch_size=10,
    ).fit(X, shifted, X_val=X, y_val=shifted)
    assert model.score(X, shifted) > 0.8
    assert_allclose(model.validation_scores_[-1], model.score(X, shifted), rtol=1e-6)


@ignore_convergence
def test_prepared_fit_equals_a_fit_on_standardised_data():
    X, y = data("multiclass")
    X = 5 + 3 * X
    scaled = StandardScaler().fit(X)
    params = {"max_iter": 5, "random_state": 0}
    inside = MLPClassifier(prepare="table", **params).fit(X, y)
    outside = MLPClassifier(**params).fit(scaled.transform(X), y)
    assert_allclose(inside.loss_curve_, outside.loss_curve_, rtol=1e-10)
    assert_allclose(inside.predict_proba(X), outside.predict_proba(scaled.transform(X)), rtol=1e-8)


@ignore_convergence
def test_unprepared_models_keep_no_preparation():
    X, y = data("regression")
    model = MLPRegressor(max_iter=1).fit(X, y)
    assert model.preparation_ is None
    assert model.target_preparation_ is None


# ------------------------------------------------------------------------------------------- get, set, clone

PARAMETERS = {
    "hidden_layer_sizes": (5, 4),
    "activation": ["tanh", "relu"],
    "learning_rate": OneCycle(warm_up=0.3),
    "random_state": 1,
    "callbacks": (print,),
}


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_parameters_survive_get_set_and_clone(cls):
    model = cls(**PARAMETERS)
    assert {name: model.get_params()[name] for name in PARAMETERS} == PARAMETERS
    assert clone(model).get_params() == model.get_params()
    assert cls().set_params(**PARAMETERS).get_params() == model.get_params()
    assert "hidden_layer_sizes=(5, 4)" in repr(model)
    assert repr(cls()) == f"{cls.__name__}()"
    assert cls.__name__ in model._repr_html_()


def test_clones_are_not_fitted():
    X, y = data("binary")
    model = quietly(MLPClassifier(max_iter=2).fit, X, y)
    with pytest.raises(NotFittedError):
        clone(model).predict(X)


@pytest.mark.parametrize("attribute", ["coefs_", "intercepts_"])
def test_weights_are_missing_before_the_fit(attribute):
    assert not hasattr(MLPClassifier(), attribute)
