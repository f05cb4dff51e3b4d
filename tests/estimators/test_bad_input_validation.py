"""Tests of validation data that are refused: every error names X_val or y_val, wherever they are passed."""

import re
from functools import partial

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, Trainer
from helpers.bad_input import INF, LABELS, NAN, TARGETS, X, make_network, says
from helpers.estimators import quietly


def with_value(value):
    changed = X.copy()
    changed[3, 2] = value
    return changed


def broken_matrix():
    matrix = scipy.sparse.csr_matrix(X)
    matrix.indices = matrix.indices + 90
    return matrix


QUICK = {"max_iter": 1, "batch_size": 10, "learning_rate": "one_cycle"}


def fitted(cls, y):
    return quietly(cls(**QUICK, warm_start=True).fit, X, y)


def partly(cls, y, X_val, y_val):
    classes = {"classes": np.unique(y)} if cls is MLPClassifier else {}
    return cls(**QUICK).partial_fit(X, y, X_val=X_val, y_val=y_val, **classes)


ESTIMATORS = {
    "fit": lambda cls, y, *val: cls(**QUICK).fit(X, y, None, *val),
    "a warm start": lambda cls, y, *val: fitted(cls, y).fit(X, y, None, *val),
    "partial_fit, the first": partly,
    "partial_fit, another": lambda cls, y, *val: fitted(cls, y).partial_fit(X, y, X_val=val[0], y_val=val[1]),
    "fastmlp.fit": lambda cls, y, *val: fastmlp.fit(
        X, y, *val, task="classification" if cls is MLPClassifier else "regression", **QUICK
    ),
    "fit_many": lambda cls, y, *val: fastmlp.fit_many([{}, {"alpha": 1}], X, y, *val, estimator=cls(**QUICK)),
}
TRAINER = {
    "Trainer.fit": lambda cls, y, *val: Trainer(
        make_network("softmax" if cls is MLPClassifier else "identity"),
        "cross_entropy" if cls is MLPClassifier else "squared_error",
    ).fit(X, y, *val)
}
CASES = {
    "NaN": (with_value(NAN), LABELS, says("X_val contains NaN")),
    "infinity": (with_value(INF), LABELS, says("X_val contains infinity")),
    "text": (np.full((30, 4), "cat"), LABELS, says("X_val", "cat")),
    "a row": (X[0], LABELS, says("X_val", "2D")),
    "no rows": (X[:0], LABELS[:0], says("X_val", "0 sample")),
    "another width": (X[:, :3], LABELS, says("X_val has 3 features", 4)),
    "a sparse matrix that is broken": (broken_matrix(), LABELS, says("X_val is a broken sparse matrix")),
    "another length": (X, LABELS[:29], says("X_val", "y_val", 30, 29)),
    "NaN in y": (X, np.where(LABELS == 1, NAN, LABELS), says("y_val", "NaN")),
    "text in y": (X, np.full(30, "cat"), says("y_val", "cat")),
}
OF_CLASSES = {
    "a class": (X, np.r_[LABELS[:29], 7], says("y_val has the class 7", "0, 1, 2")),
    "two classes": (X, np.r_[LABELS[:28], 7, 8], says("y_val has the classes 7, 8", "0, 1, 2")),
    "indicators": (X, np.eye(3, dtype=int)[LABELS], says("y_val")),
}
OF_NUMBERS = {
    "less targets": (X, TARGETS[:, 0], says("y_val has 1 target", 3)),
    "more targets": (X, np.c_[TARGETS, TARGETS], says("y_val has 6 targets", 3)),
}
NAMES_OF_TRAINING_DATA = re.compile(r"\bInput [Xy]\b|^[Xy]\b|\b[Xy] (has|contains)\b")


def check_refused(call, cls, y, X_val, y_val, message):
    with pytest.raises((TypeError, ValueError), match=message) as refused:
        call(cls, y, X_val, y_val)
    assert not NAMES_OF_TRAINING_DATA.search(str(refused.value))


@pytest.mark.parametrize("call", [*ESTIMATORS, *TRAINER])
@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_with_validation_data_is_said_of_them(case, call):
    X_val, y_val, message = CASES[case]
    call = (ESTIMATORS | TRAINER)[call]
    if case == "text in y" and call in TRAINER.values():
        message = says("y_val", "<U3")
    check_refused(call, MLPClassifier, LABELS, X_val, y_val, message)


@pytest.mark.parametrize("call", ESTIMATORS)
@pytest.mark.parametrize("case", OF_CLASSES)
def test_classes_of_validation_data_are_named(case, call):
    check_refused(ESTIMATORS[call], MLPClassifier, LABELS, *OF_CLASSES[case])


@pytest.mark.parametrize("call", [*ESTIMATORS, *TRAINER])
@pytest.mark.parametrize("case", OF_NUMBERS)
def test_targets_of_validation_data_are_counted(case, call):
    X_val, y_val, message = OF_NUMBERS[case]
    message = says("y_val has") if call in TRAINER else message
    check_refused((ESTIMATORS | TRAINER)[call], MLPRegressor, TARGETS, X_val, y_val, message)


@pytest.mark.parametrize("call", [call for call in ESTIMATORS if call != "fastmlp.fit"])
def test_targets_that_a_loss_does_not_take_are_named(call):
    counts = np.arange(30.0)
    poisson = partial(MLPRegressor, "poisson")
    check_refused(ESTIMATORS[call], poisson, counts, X, counts - 3, says("y_val goes from", "poisson"))


def test_columns_keep_their_names_in_a_message():
    frame = pd.DataFrame(X, columns=["X", "y", "c", "d"])
    with pytest.raises(ValueError, match=says("X_val and y_val", "- X\n", "- y\n", "- a\n", "- b\n")):
        MLPClassifier(**QUICK).fit(
            frame, LABELS, X_val=frame.rename(columns={"X": "a", "y": "b"}), y_val=LABELS
        )


def test_classes_keep_their_names_in_a_message():
    y = np.array(["X", "y", "z"])[LABELS]
    with pytest.raises(ValueError, match=says("y_val has the class 'a'", "'X', 'y', 'z'")):
        MLPClassifier(**QUICK).fit(X, y, X_val=X, y_val=np.r_[y[:29], ["a"]])


# ---------------------------------------------------------------------------------- arguments in other places

IN_THIRD_PLACE = {
    "rows": X,
    "a frame": pd.DataFrame(X),
    "a sparse matrix": scipy.sparse.csr_matrix(X),
    "lists": X.tolist(),
    "a pair": (X, LABELS),
    "a pair of different lengths": (X[:5], LABELS[:5]),
    "a column": X[:, :1],
}


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("case", IN_THIRD_PLACE)
def test_validation_data_in_the_place_of_weights_are_told_where_they_go(case, cls, method):
    model = fitted(cls, LABELS)
    for arguments in ([IN_THIRD_PLACE[case]], [IN_THIRD_PLACE[case], LABELS]):
        if method == "partial_fit" and cls is MLPClassifier and len(arguments) == 2:
            arguments[1] = [0, 1, 2]
        with pytest.raises(ValueError, match=says("sample_weight", "third argument", "X_val=", "y_val=")):
            getattr(model, method)(X, LABELS, *arguments)


WEIGHTS = np.linspace(1, 2, 30)


@pytest.mark.parametrize(
    "weights", [WEIGHTS, WEIGHTS.tolist(), pd.Series(WEIGHTS)], ids=lambda one: type(one).__name__
)
@pytest.mark.parametrize(
    "call",
    [
        lambda weights: fastmlp.fit(X, LABELS, weights),
        lambda weights: fastmlp.fit_many([QUICK], X, LABELS, weights),
        lambda weights: Trainer(make_network(), "cross_entropy").fit(X, LABELS, weights),
    ],
    ids=["fastmlp.fit", "fit_many", "Trainer.fit"],
)
def test_weights_in_the_place_of_validation_data_are_told_where_they_go(call, weights):
    with pytest.raises(ValueError, match=says("X_val", "y_val is None", "sample_weight=")):
        call(weights)


@pytest.mark.parametrize("call", [*ESTIMATORS, *TRAINER])
def test_one_of_the_two_alone_is_refused(call):
    for X_val, y_val, missing in ((X, None, "y_val is None"), (None, LABELS, "X_val is None")):
        with pytest.raises(ValueError, match=says("X_val and y_val", "together", missing)):
            (ESTIMATORS | TRAINER)[call](MLPClassifier, LABELS, X_val, y_val)


def test_classes_in_the_place_of_weights_are_told_where_they_go():
    with pytest.raises(ValueError, match=says("classes must be passed", "classes=", "third argument")):
        MLPClassifier().partial_fit(X, LABELS, [0, 1, 2])
