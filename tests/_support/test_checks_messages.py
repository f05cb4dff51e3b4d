"""Tests that no message prints a whole array or list: the first few elements and how many more there are."""

import numpy as np
import pandas as pd
import pytest

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, Network, Trainer, plots
from fastmlp.layers import Dense
from fastmlp.losses import Quantile
from helpers.bad_input import LABELS, X, make_network, says
from helpers.estimators import quietly

MANY = np.arange(600) % 300
ROWS = np.random.default_rng(0).random((600, 4))
NAMES = [f"a rather long name {i}" for i in range(300)]
QUICK = {"max_iter": 1, "batch_size": 10, "learning_rate": "one_cycle"}


@pytest.fixture(scope="module")
def model():
    """Return a classifier of 300 classes."""
    return MLPClassifier(2, **QUICK).fit(ROWS, MANY)


OF_CLASSES = {
    "y_val": lambda model: model.fit(ROWS, MANY, X_val=ROWS, y_val=MANY + 5),
    "partial_fit": lambda model: model.partial_fit(ROWS, MANY + 300),
    "classes": lambda model: model.partial_fit(ROWS, MANY, classes=np.arange(301)),
    "a plot": lambda model: plots.confusion_matrix(model, ROWS, MANY + 5),
    "class_names": lambda model: plots.confusion_matrix(model, ROWS, MANY, class_names=NAMES[1:]),
}


@pytest.mark.parametrize("case", OF_CLASSES)
def test_classes_are_shown_in_part(case, model):
    with pytest.raises(ValueError, match=r"more|\.\.\.") as refused:
        OF_CLASSES[case](model)
    assert len(str(refused.value)) < 400


def test_classes_of_a_warm_start_are_shown_in_part(model):
    again = MLPClassifier(2, warm_start=True, **QUICK).fit(ROWS, MANY)
    with pytest.raises(ValueError, match=says("Previously got [", "298 299]", "...")) as refused:
        again.fit(ROWS, MANY + 1)
    assert len(str(refused.value)) < 400


def test_few_classes_are_shown_in_full():
    model = MLPClassifier(2, **QUICK).fit(X, LABELS)
    with pytest.raises(ValueError, match="y has the classes 7, 8, which are not among classes_: 0, 1, 2"):
        model.partial_fit(X, np.r_[LABELS[:28], 7, 8])


LONG = ["relu"] * 1000
SEARCHED = pd.DataFrame({name: [0.5] for name in NAMES})
CALLS = {
    "activation": lambda: MLPClassifier(activation=LONG).fit(X, LABELS),
    "dropout": lambda: MLPClassifier(dropout=[0.1] * 1000).fit(X, LABELS),
    "weight_init": lambda: MLPClassifier(weight_init=["zeros"] * 1000).fit(X, LABELS),
    "hidden_layer_sizes": lambda: MLPClassifier([4] * 1000 + [0]).fit(X, LABELS),
    "class_weight": lambda: MLPClassifier(class_weight=[{0: 1}] * 1000).fit(X, LABELS),
    "image_shape": lambda: MLPClassifier(augmentation="flip", image_shape=[1] * 1000).fit(X, LABELS),
    "augmentation": lambda: MLPClassifier(augmentation=["flip"] * 1000).fit(X, LABELS),
    "loss=": lambda: MLPRegressor([4] * 1000).fit(X, X[:, 0]),
    "predicts no intervals": lambda: (
        MLPRegressor(Quantile([0.5] * 1000), 2, **QUICK).fit(X, X[:, 0]).predict_interval(X)
    ),
    "layers": lambda: Network([Dense(3)] * 1000 + [None], 4),
    "batch_size": lambda: Trainer(make_network(), "cross_entropy", batch_size=LONG),
    "optimizer": lambda: Trainer(make_network(), "cross_entropy", optimizer=np.ones((900, 900))),
    "configurations": lambda: fastmlp.fit_many({"alpha": [0.1] * 1000}, X, LABELS),
    "configurations[0]": lambda: fastmlp.fit_many([LONG], X, LABELS),
    "estimator": lambda: fastmlp.fit_many([{}], X, LABELS, estimator=pd.DataFrame(ROWS)),
    "model": lambda: fastmlp.from_sklearn(pd.DataFrame(ROWS)),
    "parameters": lambda: fastmlp.gradient_check(make_network(), X, LABELS, parameters=[LONG]),
    "labels": lambda: plots.curves({"a": []}, labels=LONG),
    "labels=": lambda: plots.first_layer(np.ones((9, 9)), labels=LONG),
    "rows": lambda: plots.heat_map(SEARCHED, "b", "c"),
    "references": lambda: plots.comparison(dict.fromkeys(NAMES, 1.0), references={"b": 1.0}),
    "scores": lambda: plots.comparison({"a": np.ones((900, 900))}),
    "feature_names": lambda: plots.decision_boundary(
        quietly(MLPClassifier(2, **QUICK).fit, X[:, :2], LABELS), X[:, :2], LABELS, feature_names=NAMES
    ),
    "ax": lambda: plots.comparison({"a": 1.0}, ax=pd.DataFrame(ROWS)),
    "units": lambda: Dense(LONG),
    "quantiles": lambda: Quantile([0.1] * 1000 + [LONG]),
}


@pytest.mark.parametrize("argument", CALLS)
def test_values_are_shown_in_part_and_on_one_line(argument):
    with pytest.raises((TypeError, ValueError), match=says(argument)) as refused:
        CALLS[argument]()
    assert len(str(refused.value)) < 700
    assert "\n" not in str(refused.value)
