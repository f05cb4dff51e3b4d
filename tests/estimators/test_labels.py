"""Tests of the labels and targets that the estimators learn and give back."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import DataConversionWarning
from sklearn.neural_network import MLPClassifier as TheirClassifier

from fastmlp import MLPClassifier
from helpers.estimators import N_SAMPLES, PAIRS, data, ignore_convergence, quietly


@ignore_convergence
@pytest.mark.parametrize(
    "labels",
    [
        ["ham", "spam"],
        ["c", "a", "b"],
        [True, False],
        [7, -3],
        [30, 10, 20],
        [1.0, 3.0, 2.0],
        [2**60, 2**60 + 1],
        np.array([3, 1, 2], dtype=np.uint8),
        np.array(["x", "yy", "zzz"], dtype=object),
    ],
    ids=str,
)
def test_labels_of_any_kind_come_back(labels):
    labels = np.asarray(labels)
    X, codes = data("binary" if len(labels) == 2 else "multiclass", n=200)
    y = labels[codes]
    model = MLPClassifier((20,), max_iter=80, learning_rate_init=0.02, random_state=0).fit(X, y)
    assert_array_equal(model.classes_, np.unique(labels))
    assert model.classes_.dtype == TheirClassifier(max_iter=1).fit(X, y).classes_.dtype
    predictions = model.predict(X)
    assert predictions.dtype == model.classes_.dtype
    assert np.mean(predictions == y) > 0.9
    assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert_array_equal(model.classes_[model.predict_proba(X).argmax(axis=1)], predictions)


@ignore_convergence
def test_a_single_class_is_always_predicted():
    X, _ = data("binary")
    y = np.full(N_SAMPLES, "only")
    model = MLPClassifier(max_iter=2).fit(X, y)
    assert_array_equal(model.predict(X), y)


@ignore_convergence
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_column_of_targets_is_flattened_with_a_warning(task):
    X, y = data(task)
    cls = PAIRS[task][0]
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        column = cls(max_iter=2, random_state=0).fit(X, y[:, None])
    row = cls(max_iter=2, random_state=0).fit(X, y)
    assert column.predict(X).shape == (N_SAMPLES,)
    assert_array_equal(column.predict(X), row.predict(X))


@pytest.mark.parametrize("n_labels", [2, 5])
@ignore_convergence
def test_label_indicators_give_one_probability_per_label(n_labels):
    X, _ = data("multilabel", n=200)
    Y = (X[:, :n_labels] > 0).astype(int)
    model = MLPClassifier((30,), max_iter=150, learning_rate_init=0.01, random_state=0).fit(X, Y)
    assert model.predict(X).shape == model.predict_proba(X).shape == (200, n_labels)
    assert_array_equal(model.predict(X), model.predict_proba(X) > 0.5)
    assert np.mean(model.predict(X) == Y) > 0.9


@ignore_convergence
def test_text_columns_of_pandas_are_labels():
    X, y = data("multiclass")
    labels = pd.Series(np.array(["low", "mid", "high"])[y])
    model = MLPClassifier(max_iter=2).fit(X, labels)
    assert_array_equal(model.classes_, ["high", "low", "mid"])
    assert model.score(X, labels) >= 0


def test_validation_data_that_are_refused_leave_the_classes_as_they_were():
    X, y = data("binary")
    model = quietly(MLPClassifier(max_iter=2).fit, X, y)
    for X_val, y_val in ((X, None), (X[:, 1:], y), (X * np.nan, y)):
        with pytest.raises(ValueError, match=r"together|features|NaN"):
            model.fit(X, y + 5, X_val=X_val, y_val=y_val)
        assert_array_equal(model.classes_, [0, 1])
