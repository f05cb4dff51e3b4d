"""Tests of pictures of the wrong kind of object: every error names the argument and what it must be."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

import fastmlp
from fastmlp import MLPClassifier, Network, Trainer, plots
from fastmlp.layers import Dense
from helpers.bad_input import says
from helpers.estimators import quietly

X = np.random.default_rng(0).random((40, 4))
y = np.arange(40) % 2
PLANE = X[:, :2]
FITTED = quietly(MLPClassifier(4, max_iter=1).fit, PLANE, y)
NETWORK = Network([Dense(4), Dense(2, "softmax")], 2, random_state=0)

PICTURES = {
    "decision_boundary": ("model", lambda wrong: plots.decision_boundary(wrong, PLANE, y)),
    "confusion_matrix": ("model", lambda wrong: plots.confusion_matrix(wrong, PLANE, y)),
    "misclassified": ("model", lambda wrong: plots.misclassified(wrong, X, y)),
    "first_layer": ("model", plots.first_layer),
    "first_layer, a list": ("model", lambda wrong: plots.first_layer([X[:16], wrong])),
    "curves": ("runs", plots.curves),
    "curves, by name": ("runs", lambda wrong: plots.curves({"a": [wrong]})),
    "comparison": ("scores", plots.comparison),
    "comparison, references": ("references", lambda wrong: plots.comparison({"a": 1.0}, references=wrong)),
    "heat_map": ("results", lambda wrong: plots.heat_map(wrong, "a", "b")),
    "gradient_check_table": ("check", plots.gradient_check_table),
    "gradient_check_errors": ("check", plots.gradient_check_errors),
    "ax": ("ax", lambda wrong: plots.decision_boundary(FITTED, PLANE, y, ax=wrong)),
    "figure": ("figure", lambda wrong: plots.curves(FITTED, figure=wrong)),
}
WRONG = {
    "a Network": NETWORK,
    "a Trainer": Trainer(NETWORK, "cross_entropy"),
    "a transformer": StandardScaler().fit(X),
    "a class": MLPClassifier,
    "a class of mappings": dict,
    "a class of frames": pd.DataFrame,
    "a text": "model.safetensors",
    "a number": 3,
    "a function": FITTED.predict,
    "a compiled model": FITTED.compile(),
    "an array": np.ones(3),
    "a History": fastmlp.History(),
    "None": None,
}
# What these pictures take, or refuse for another reason than its kind.
TAKEN = {
    "first_layer": ("a Network", "an array"),
    "first_layer, a list": ("a Network", "an array"),
    "curves": ("a Trainer", "a History"),
    "curves, by name": ("a Trainer", "a History"),
    "comparison, references": ("None",),
    "ax": ("None",),
    "figure": ("None",),
}


@pytest.mark.parametrize(
    ("picture", "wrong"),
    [(picture, wrong) for picture in PICTURES for wrong in WRONG if wrong not in TAKEN.get(picture, ())],
)
def test_an_object_of_the_wrong_kind_is_refused_by_the_arguments_name(picture, wrong):
    argument, draw = PICTURES[picture]
    expected = ValueError if wrong == "a transformer" and argument in ("model", "runs") else TypeError
    with pytest.raises((expected, TypeError), match=says(argument)) as refused:
        draw(WRONG[wrong])
    assert expected is ValueError or "must" in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("picture", [name for name, (argument, _) in PICTURES.items() if argument == "model"])
def test_a_model_that_is_not_fitted_is_refused(picture):
    with pytest.raises(NotFittedError, match="MLPClassifier"):
        PICTURES[picture][1](MLPClassifier())
