"""Tests of the inputs and targets that are refused: every error says what is wrong with them.

Where scikit-learn has an error of its own for an estimator's argument, it is that one.
"""

import numpy as np
import pytest

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, Trainer
from helpers.bad_input import INF, LABELS, NAN, TARGETS, X, make_network, says


def with_value(value, at=(3, 2), array=X):
    changed = array.astype(np.float64)
    changed[at] = value
    return changed


# ------------------------------------------------------------------------------------------------- the inputs

BAD_INPUTS = {
    "NaN": (with_value(NAN), "NaN"),
    "infinity": (with_value(INF), "infinity"),
    "minus infinity": (with_value(-INF), "infinity"),
    "NaN in float32": (with_value(NAN).astype(np.float32), "NaN"),
    "one dimension": (X[0], "2D array"),
    "three dimensions": (X[None], "dim 3"),
    "a number": (3.0, "2D array"),
    "no samples": (X[:0], "0 sample"),
    "no features": (X[:, :0], "0 feature"),
    "text": (np.array([["a"] * 4] * 30), "a"),
    "None": (None, "None|NaN|2D array|together"),
    "ragged": ([[1.0] * 4, [1.0] * 3], "inhomogeneous"),
    "complex": (X + 1j, "Complex"),
}
USES = {
    "predict": lambda network, bad: network.predict(bad),
    "forward": lambda network, bad: network.forward(bad),
    "evaluate": lambda network, bad: network.evaluate(bad, LABELS, "cross_entropy"),
    "gradients": lambda network, bad: network.gradients(bad, LABELS, "cross_entropy"),
    "Trainer.fit": lambda network, bad: Trainer(network, "cross_entropy").fit(bad, LABELS),
    "X_val": lambda network, bad: Trainer(network, "cross_entropy").fit(X, LABELS, bad, LABELS),
}


@pytest.mark.parametrize("engine", ["blas", "reference"])
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("case", BAD_INPUTS)
def test_networks_refuse_inputs_that_are_not_fit(case, use, engine):
    bad, message = BAD_INPUTS[case]
    network = make_network(engine=engine)
    before = network.parameters.copy()
    with pytest.raises((TypeError, ValueError), match=message):
        USES[use](network, bad)
    assert np.array_equal(network.parameters, before)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("width", [1, 3, 5])
def test_networks_refuse_inputs_of_another_width(width, use):
    with pytest.raises(ValueError, match=says("X", width, 4, "features")):
        USES[use](make_network(), np.ones((30, width)))


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("case", BAD_INPUTS)
def test_estimators_refuse_inputs_that_are_not_fit(case, cls):
    bad, message = BAD_INPUTS[case]
    model = cls(max_iter=1, batch_size=10, learning_rate="one_cycle")
    with pytest.raises((TypeError, ValueError), match=message):
        model.fit(bad, LABELS)
    model.fit(X, LABELS)
    for call in (
        model.predict,
        lambda bad: model.partial_fit(bad, LABELS),
        lambda bad: model.score(bad, LABELS),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            call(bad)


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_fit_refuses_inputs_that_are_not_fit(case):
    bad, message = BAD_INPUTS[case]
    with pytest.raises((TypeError, ValueError), match=message):
        fastmlp.fit(bad, LABELS)


@pytest.mark.parametrize("make_empty", [lambda: X[:0], lambda: np.zeros((0, 0)), list, lambda: [[]]])
def test_fit_says_that_the_data_are_empty(make_empty):
    with pytest.raises(ValueError, match=r"0 sample|0 feature|[Ee]mpty|Expected 2D array"):
        fastmlp.fit(make_empty(), [])


@pytest.mark.parametrize("width", [1, 3, 5])
def test_estimators_refuse_inputs_of_another_width(width):
    model = MLPClassifier(max_iter=1, learning_rate="one_cycle").fit(X, LABELS)
    other = np.ones((30, width))
    for call in (model.predict, model.predict_proba, lambda X: model.partial_fit(X, LABELS)):
        with pytest.raises(ValueError, match=says(f"X has {width} features", 4)):
            call(other)
    with pytest.raises(ValueError, match=says(f"{width} features", 4)):
        MLPClassifier(max_iter=1).fit(X, LABELS, None, other, LABELS)


# ------------------------------------------------------------------------------------------------ the targets


@pytest.mark.parametrize("y", [LABELS[:29], np.r_[LABELS, 0], [], LABELS[:1]], ids=len)
def test_targets_of_another_length_are_refused(y):
    n = len(y)
    with pytest.raises(ValueError, match=says("X has 30", n)):
        Trainer(make_network(), "cross_entropy").fit(X, y)
    with pytest.raises(ValueError, match=says("X_val has 30", n)):
        Trainer(make_network(), "cross_entropy").fit(X, LABELS, X, y)
    for call in (MLPClassifier().fit, MLPRegressor().fit, fastmlp.fit):
        with pytest.raises(ValueError, match=says(30, n) if n else "0 sample"):
            call(X, y)


@pytest.mark.parametrize("y", [3.0, None, np.float64(1)])
@pytest.mark.parametrize("last", ["softmax", "identity"])
def test_a_single_number_is_not_a_target(y, last):
    loss = "cross_entropy" if last == "softmax" else "squared_error"
    with pytest.raises((TypeError, ValueError), match=r"\by\b"):
        Trainer(make_network(last), loss).fit(X, y)


BAD_LABELS = {
    "too large": (np.where(LABELS == 2, 3, LABELS), "3"),
    "negative": (np.where(LABELS == 2, -1, LABELS), "-1"),
    "floats": (LABELS.astype(float), "float64"),
    "two dimensions": (LABELS[:, None], "(30, 1)"),
    "two columns": (np.eye(2, dtype=int)[LABELS % 2], "(30, 2)"),
    "text": (np.array(list("abc"))[LABELS], "U1"),
    "huge": (LABELS.astype(np.int64) + 2**32, "4294967296"),
}


@pytest.mark.parametrize("case", BAD_LABELS)
def test_labels_out_of_range_or_of_another_kind_are_refused(case):
    bad, message = BAD_LABELS[case]
    network = make_network()
    for call in (
        lambda: network.gradients(X, bad, "cross_entropy"),
        lambda: network.evaluate(X, bad, "cross_entropy"),
        lambda: Trainer(network, "cross_entropy").fit(X, bad),
        lambda: Trainer(network, "cross_entropy").fit(X, LABELS, X, bad),
    ):
        with pytest.raises(ValueError, match=says("cross_entropy", "from 0 to 2", message)):
            call()


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("last", ["identity", "logistic"])
def test_targets_that_are_not_finite_are_refused(bad, last):
    loss = "squared_error" if last == "identity" else "binary_cross_entropy"
    with pytest.raises(ValueError, match=r"(?i)y contains (nan|infinity)"):
        Trainer(make_network(last), loss).fit(X, with_value(bad, (3, 2), np.abs(TARGETS) / 9))
    for model in (MLPRegressor(), MLPClassifier()):
        with pytest.raises(ValueError, match=r"(?i)y contains (nan|infinity)"):
            model.fit(X, with_value(bad, 3, LABELS))


@pytest.mark.parametrize("shape", [(30,), (30, 1), (30, 2), (30, 4), (30, 3, 1), (1, 30)])
def test_targets_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match="y"):
        Trainer(make_network("identity"), "squared_error").fit(X, np.zeros(shape))


@pytest.mark.parametrize("value", [-0.1, 1.1, 2])
def test_binary_targets_lie_between_0_and_1(value):
    with pytest.raises(ValueError, match=says("binary_cross_entropy", "from 0 to 1", value)):
        Trainer(make_network("logistic"), "binary_cross_entropy").fit(X, np.full((30, 3), value))


@pytest.mark.parametrize(
    ("loss", "last"),
    [("cross_entropy", "logistic"), ("cross_entropy", "identity"), ("binary_cross_entropy", "softmax")],
)
def test_a_loss_that_does_not_go_with_the_last_layer_is_refused(loss, last):
    network = make_network(last)
    for call in (
        lambda: Trainer(network, loss),
        lambda: network.gradients(X, LABELS, loss),
        lambda: network.evaluate(X, LABELS, loss),
    ):
        with pytest.raises(ValueError, match=says("loss", loss, last)):
            call()


@pytest.mark.parametrize("last", ["softmax", "identity"])
def test_text_is_not_a_target(last):
    loss = "cross_entropy" if last == "softmax" else "squared_error"
    with pytest.raises(ValueError, match=r"class labels|could not convert|numeric"):
        Trainer(make_network(last), loss).fit(X, np.array([["a", "b", "c"]] * 30))
    with pytest.raises(ValueError, match=r"that are not numbers"):
        MLPRegressor().fit(X, ["a"] * 30)


def test_labels_that_the_classifier_does_not_know_are_named():
    model = MLPClassifier(max_iter=1, learning_rate="one_cycle")
    with pytest.raises(ValueError, match=says("7", "classes")):
        model.fit(X, LABELS, None, X, np.full(30, 7))
    model.fit(X, LABELS)
    with pytest.raises(ValueError, match=says("9", "classes")):
        model.partial_fit(X, np.full(30, 9))
    with pytest.raises(ValueError, match=says("'dog'", "classes")):
        MLPClassifier().partial_fit(X, ["dog"] * 30, classes=["cat", "hen"])


@pytest.mark.parametrize(
    "y",
    [np.linspace(0, 1, 30), np.c_[LABELS, LABELS], np.c_[X, X], [None] * 30],
    ids=["continuous", "several outputs", "several numbers", "None"],
)
def test_targets_that_are_not_classes_are_refused_by_the_classifier(y):
    with pytest.raises(
        (TypeError, ValueError), match=r"(?i)label|classif|multioutput|continuous|unknown|missing values"
    ) as error:
        MLPClassifier().fit(X, y)
    assert len(str(error.value)) < 600  # it does not print the data


@pytest.mark.parametrize("given", [{"X_val": X}, {"y_val": LABELS}])
def test_half_of_the_validation_data_is_refused(given):
    for call in (
        Trainer(make_network(), "cross_entropy").fit,
        MLPClassifier().fit,
        fastmlp.fit,
    ):
        with pytest.raises(ValueError, match="X_val and y_val must be given together"):
            call(X, LABELS, **given)
