"""Tests of fastmlp.fit: one line from data to model."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.estimators.recipe import RECIPES

CLASSIFIED = {
    "digits": load_digits,
    "iris": load_iris,
    "breast cancer": load_breast_cancer,
    "wine": load_wine,
}


def split(load):
    return train_test_split(*load(return_X_y=True), test_size=0.3, random_state=0)


def small(n=60, dtype=np.float64):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, size=(n, 6)).astype(dtype)
    return X, (X[:, 0].astype(float) > X[:, 1]).astype(int)


# ------------------------------------------------------------------------------------------------- real data


@pytest.mark.parametrize("name", CLASSIFIED)
def test_classes_are_learnt_at_least_as_well_as_by_a_linear_model(name):
    X, X_test, y, y_test = split(CLASSIFIED[name])
    model = fastmlp.fit(X, y, random_state=0)
    assert isinstance(model, MLPClassifier)
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(X, y)
    assert model.score(X_test, y_test) >= linear.score(X_test, y_test) - 0.02


def test_numbers_are_learnt_about_as_well_as_by_a_linear_model():
    X, y = load_diabetes(return_X_y=True)
    assert isinstance(fastmlp.fit(X, y, max_iter=1), MLPRegressor)

    def mean_score(fit):
        folds = KFold(5, shuffle=True, random_state=0).split(X)
        return np.mean([fit(X[train], y[train]).score(X[test], y[test]) for train, test in folds])

    ours, linear = mean_score(lambda X, y: fastmlp.fit(X, y, random_state=0)), mean_score(Ridge(0.1).fit)
    assert ours > linear - 0.06


def test_bent_relations_are_learnt_better_than_by_a_linear_model():
    rng = np.random.default_rng(0)
    X = rng.uniform(-3, 3, size=(600, 2))
    y = 1e4 + 1e3 * np.sin(X[:, 0]) * X[:, 1]
    model = fastmlp.fit(X[:400], y[:400], random_state=0)
    assert model.score(X[400:], y[400:]) > 0.9


def test_images_of_bytes_are_learnt():
    data = fastmlp.datasets.load_digits()
    model = fastmlp.fit(data.X_train, data.y_train, data.X_test, data.y_test, random_state=0)
    assert model.score(data.X_test, data.y_test) > 0.96
    assert model.network_.dtype == "float32"
    assert len(model.validation_scores_) == model.n_iter_
    assert_allclose(model.validation_scores_[-1], model.score(data.X_test, data.y_test))


# ------------------------------------------------------------------------------------------------------ task


@pytest.mark.parametrize("wrap", [list, np.asarray, pd.Series], ids=["list", "array", "series"])
@pytest.mark.parametrize("y", [["a", "b"] * 30, [True, False] * 30, [1, 2, 3] * 20])
def test_classes_make_a_classifier_whatever_holds_them(y, wrap):
    X, _ = small()
    model = fastmlp.fit(X, wrap(y), max_iter=2)
    assert isinstance(model, MLPClassifier)
    assert_array_equal(model.classes_, np.unique(y))


def test_integers_that_mostly_differ_make_a_regressor():
    X, _ = small()
    assert isinstance(fastmlp.fit(X, np.arange(60), max_iter=2), MLPRegressor)
    assert isinstance(fastmlp.fit(X, np.arange(60) // 5, max_iter=2), MLPClassifier)


@pytest.mark.parametrize(("task", "cls"), [("classification", MLPClassifier), ("regression", MLPRegressor)])
def test_a_task_that_is_given_decides(task, cls):
    X, y = small()
    for targets in (y, y.astype(float), np.arange(60) // 2):
        assert isinstance(fastmlp.fit(X, targets, task=task, max_iter=2), cls)


def test_label_indicators_make_a_multilabel_classifier():
    X, y = small()
    model = fastmlp.fit(X, np.c_[y, 1 - y, y], max_iter=2)
    assert model.predict(X).shape == (60, 3)


def test_several_numbers_make_a_regressor_of_several_outputs():
    X, _ = small()
    assert fastmlp.fit(X, X[:, :2] / 7, max_iter=2).predict(X).shape == (60, 2)


# ------------------------------------------------------------------------------------------------- parameters


@pytest.mark.parametrize(("dtype", "kind"), [(np.uint8, "image"), (np.float64, "table"), (np.int64, "table")])
def test_the_recipe_follows_from_the_inputs(dtype, kind):
    X, y = small(dtype=dtype)
    model = fastmlp.fit(X, y, max_iter=2)
    expected = RECIPES[kind] | {"max_iter": 2, "batch_size": min(60, RECIPES[kind]["batch_size"])}
    assert {name: model.get_params()[name] for name in expected} == expected
    assert model.prepare == "auto"
    assert (model.preparation_.center == model.preparation_.center[0]).all() == (kind == "image")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_layer_sizes", (7,)), ("max_iter", 3), ("solver", "sgd"), ("batch_size", 5), ("alpha", 0.5),
        ("learning_rate", "constant"), ("learning_rate_init", 0.01), ("prepare", None), ("dtype", "float32"),
        ("engine", "reference"), ("activation", "tanh"), ("shuffle", False), ("tol", 0.1),
        ("prepare", "image"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_parameters_that_are_given_take_precedence(name, value):
    X, y = small()
    model = fastmlp.fit(X, y, **{"max_iter": 2, name: value})
    assert model.get_params()[name] == value
    if name == "prepare" and value is None:
        assert model.preparation_ is None
    if name == "max_iter":
        assert model.n_iter_ == 3
    if name == "hidden_layer_sizes":
        assert model.coefs_[0].shape == (6, 7)


@pytest.mark.parametrize("n", [1, 2, 5, 31, 63])
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_few_samples_need_no_smaller_batch(n, dtype):
    X, y = small(n, dtype)
    fastmlp.fit(X, y, task="classification", max_iter=2).predict(X)
    fastmlp.fit(X, y, task="regression", max_iter=2).predict(X)


def test_a_batch_that_is_given_too_large_is_clipped_with_scikit_learns_warning():
    X, y = small()
    with pytest.warns(UserWarning, match="It is going to be clipped"):
        fastmlp.fit(X, y, batch_size=61, max_iter=2)


def test_the_recipe_does_not_complain_about_itself():
    X, y = small()
    fastmlp.fit(X, y)  # a ConvergenceWarning would be an error here
    fastmlp.fit(X.astype(np.uint8), y)
    fastmlp.fit(X, X[:, 0])


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_same_random_state_gives_the_same_model(task):
    X, y = small()
    first, second, other = (fastmlp.fit(X, y, task=task, max_iter=3, random_state=seed) for seed in (0, 0, 1))
    assert_array_equal(first.network_.parameters, second.network_.parameters)
    assert not np.array_equal(first.network_.parameters, other.network_.parameters)


def test_fit_is_the_class_with_the_recipe():
    X, y = small()
    model = fastmlp.fit(X, y, max_iter=3, random_state=0)
    same = MLPClassifier(**(RECIPES["table"] | {"max_iter": 3}), prepare="auto", random_state=0).fit(X, y)
    assert_array_equal(model.network_.parameters, same.network_.parameters)


# -------------------------------------------------------------------------------------------- standardisation


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_raw_data_are_predicted_from(task):
    X, y = small()
    model = fastmlp.fit(1e3 + 1e2 * X, y, task=task, random_state=0)
    scaler = StandardScaler().fit(1e3 + 1e2 * X)
    assert_allclose(model.preparation_.center, scaler.mean_)
    assert_allclose(model.preparation_.scale, 1 / scaler.scale_)
    assert model.score(1e3 + 1e2 * X, y) > 0.6


def test_columns_of_any_scale_and_shift_make_the_same_model():
    X, y = small()
    plain, moved = (
        fastmlp.fit(inputs, y, max_iter=5, random_state=0)
        for inputs in (X, X * [1e-6, 1e6, 3, 1, -2, 7] + 5e3)
    )
    assert_allclose(plain.loss_curve_, fastmlp.fit(X, y, max_iter=5, random_state=0).loss_curve_)
    scaled = X * [1e-6, 1e6, 3, 1, 2, 7] + 5e3
    assert_allclose(
        fastmlp.fit(scaled, y, max_iter=5, random_state=0).loss_curve_, plain.loss_curve_, rtol=1e-6
    )
    assert moved.n_iter_ == 5


def test_targets_of_any_scale_make_the_same_model():
    X, _ = small()
    y = np.sin(X[:, 0] / 50)
    plain = fastmlp.fit(X, y, max_iter=5, random_state=0)
    moved = fastmlp.fit(X, 1e6 * y - 3e7, max_iter=5, random_state=0)
    assert_allclose(moved.loss_curve_, plain.loss_curve_, rtol=1e-5)
    assert_allclose(moved.predict(X), 1e6 * plain.predict(X) - 3e7, rtol=1e-6)


def test_validation_targets_are_in_their_own_units():
    X, _ = small()
    y = 1e6 * np.sin(X[:, 0] / 50)
    model = fastmlp.fit(X, y, X, y, max_iter=5, random_state=0)
    assert_allclose(model.validation_scores_[-1], model.score(X, y), rtol=1e-6)
    assert model.validation_loss_curve_[-1] < 10  # in the units of the training loss


def test_a_constant_column_and_a_constant_target_do_no_harm():
    X, y = small()
    X[:, 2] = 7
    assert np.isfinite(fastmlp.fit(X, y, max_iter=3).predict_proba(X)).all()
    constant = fastmlp.fit(X, np.full(60, 3.5), max_iter=3)
    assert_allclose(constant.predict(X), 3.5, atol=1.5)


def test_data_frames_leave_their_column_names():
    X, y = small()
    frame = pd.DataFrame(X, columns=list("abcdef"))
    model = fastmlp.fit(frame, y, frame, y, max_iter=2)
    assert_array_equal(model.feature_names_in_, list("abcdef"))
    model.predict(frame)


# ----------------------------------------------------------------------------------------------------- memory

MEMORY = r"""
    import re, sys
    import numpy as np
    import fastmlp

    def peak():
        status = open("/proc/self/status").read()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024

    def forget_the_peak():
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")

    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, size=(60_000, 784), dtype=np.uint8)
    y = rng.integers(0, 10, size=60_000)
    fastmlp.fit(X[:100], y[:100], X[:100], y[:100], max_iter=1)  # loads what is loaded when first needed
    forget_the_peak()
    before = peak()
    model = fastmlp.fit(X, y, X[:10_000], y[:10_000], max_iter=1, batch_size=512)
    model.predict(X)
    print(peak() - before)
"""


def test_training_on_images_adds_at_most_60_megabytes():
    # One BLAS thread: two that wait for each other's core would take many times as long, not more memory.
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MEMORY)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 60
