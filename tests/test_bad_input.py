"""Tests of what fastmlp refuses: every error names the argument and what is wrong with it.

Where scikit-learn has an error of its own for an estimator's argument, it is that one.
"""

import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import scipy.sparse
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, Network, Trainer
from fastmlp.callbacks import StopAtScore
from fastmlp.layers import Dense
from fastmlp.optimizers import SGD, Adam
from fastmlp.preparation import Preparation
from fastmlp.schedules import Adaptive, InverseScaling, OneCycle

NAN, INF = float("nan"), float("inf")
X = np.random.default_rng(0).normal(size=(30, 4))
LABELS = np.arange(30) % 3
TARGETS = np.c_[X[:, 0], X[:, 1], X[:, 2]]


def make_network(last="softmax", **options):
    return Network([Dense(6), Dense(3, last)], 4, random_state=0, **options)


def with_value(value, at=(3, 2), array=X):
    changed = array.astype(np.float64)
    changed[at] = value
    return changed


def says(*parts):
    """Return a pattern that finds all these texts, in any order."""
    return "(?s)" + "".join(f"(?=.*{re.escape(str(part))})" for part in parts)


# ----------------------------------------------------------------------------------------- layers and network


@pytest.mark.parametrize("units", [0, -1, -(10**9)])
def test_layers_need_units(units):
    with pytest.raises(ValueError, match=says("units", units)):
        Dense(units)


@pytest.mark.parametrize("units", [2.5, "3", None, [3]])
def test_units_are_whole_numbers(units):
    with pytest.raises((TypeError, ValueError), match="units"):
        Dense(units)


@pytest.mark.parametrize("activation", ["", "ReLU", "swish", None, 3])
def test_unknown_activations_are_named(activation):
    with pytest.raises(ValueError, match=says("activation", repr(activation), "relu", "softmax")):
        Network([Dense(3, activation)], 4)


@pytest.mark.parametrize("layers", [[], None, [3], ["relu"], [Dense(3), 10], Dense(3), 7])
def test_a_network_is_made_of_layers(layers):
    with pytest.raises((TypeError, ValueError), match=says("layers", "Dense")):
        Network(layers, 4)


@pytest.mark.parametrize("n_features", [0, -1])
def test_a_network_needs_features(n_features):
    with pytest.raises(ValueError, match=says("n_features", n_features)):
        Network([Dense(3)], n_features)


@pytest.mark.parametrize("n_features", [2.5, "4", None])
def test_the_number_of_features_is_a_whole_number(n_features):
    with pytest.raises((TypeError, ValueError), match="n_features"):
        Network([Dense(3)], n_features)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float99", "int32", "complex64", "", object])
def test_unknown_types_are_named(dtype):
    with pytest.raises(ValueError, match=says("dtype", repr(dtype), "float32", "float64")):
        make_network(dtype=dtype)


@pytest.mark.parametrize("dtype", [">f4", ">f8"])
def test_a_foreign_byte_order_is_refused_or_taken_for_the_native_one(dtype):
    script = f"""
        import numpy as np
        from fastmlp import Network
        from fastmlp.layers import Dense

        X = np.ones((20, 4))
        native = Network([Dense(6), Dense(3, "softmax")], 4, dtype="{dtype[1:]}", random_state=0)
        try:
            foreign = Network([Dense(6), Dense(3, "softmax")], 4, dtype="{dtype}", random_state=0)
        except ValueError as error:
            assert "dtype" in str(error)
        else:
            assert np.array_equal(foreign.predict(X), native.predict(X))
            foreign.gradients(X, np.zeros(20, int), "cross_entropy")
    """
    # In a process of its own: buffers of another size than the engine takes them for end a process.
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, stderr=subprocess.PIPE)


@pytest.mark.parametrize("engine", ["cuda", "BLAS", "", None, 3, ["blas"]])
def test_unknown_engines_are_named(engine):
    with pytest.raises((TypeError, ValueError), match=says("engine", repr(engine), "reference")):
        make_network(engine=engine)


@pytest.mark.parametrize("initializer", ["he", None, 3])
def test_unknown_initializers_are_named(initializer):
    with pytest.raises(ValueError, match=says("initializer", repr(initializer), "glorot_uniform")):
        make_network(initializer=initializer)


def test_layers_too_large_for_blas_are_refused_before_they_are_allocated():
    with pytest.raises(ValueError, match=r"layer 0 has 100000 x 100000 weights"):
        Network([Dense(100_000)], 100_000)


@pytest.mark.parametrize("n", [1, 3, 5])
def test_a_preparation_of_another_width_is_refused(n):
    with pytest.raises(ValueError, match=says("preparation", n, 4)):
        make_network(preparation=Preparation(np.zeros(n), np.ones(n))).predict(X)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_a_target_preparation_of_another_width_is_refused(n):
    preparation = Preparation(np.zeros(n), np.ones(n))
    with pytest.raises(ValueError, match=says("target_preparation", n, 3)):
        Trainer(make_network("identity"), "squared_error", target_preparation=preparation).fit(X, TARGETS)


@pytest.mark.parametrize("kind", ["tabel", "", None, "auto"])
def test_unknown_kinds_of_preparation_are_named(kind):
    with pytest.raises(ValueError, match=says(repr(kind), "image", "table")):
        Preparation.fit(X, kind)


@pytest.mark.parametrize(
    "vector",
    [np.zeros(3, np.float32), np.zeros(10**4, np.float32), np.zeros(64), np.zeros((2, 32), np.float32), None],
    ids=["too short", "too long", "another type", "two dimensions", "None"],
)
def test_parameters_that_do_not_fit_are_refused(vector):
    network = make_network()
    if vector is not None and vector.dtype == np.float64:
        vector = np.zeros(network.parameters.shape)

    def assign_and_predict():
        network.parameters = vector
        return network.predict(X)

    with pytest.raises((TypeError, ValueError), match="parameters"):
        assign_and_predict()


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
    "sparse": (scipy.sparse.csr_matrix(X), "Sparse"),
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
        MLPClassifier(max_iter=1).fit(X, LABELS, other, LABELS)


# ------------------------------------------------------------------------------------------------ the targets


@pytest.mark.parametrize("y", [LABELS[:29], np.r_[LABELS, 0], [], LABELS[:1]], ids=len)
def test_targets_of_another_length_are_refused(y):
    n = len(y)
    with pytest.raises(ValueError, match=says("X has 30", n)):
        Trainer(make_network(), "cross_entropy").fit(X, y)
    with pytest.raises(ValueError, match=says("X has 30", n)):
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
    "one-hot": (np.eye(3, dtype=int)[LABELS], "(30, 3)"),
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
    with pytest.raises(ValueError, match=r"could not convert|numeric"):
        MLPRegressor().fit(X, ["a"] * 30)


def test_labels_that_the_classifier_does_not_know_are_named():
    model = MLPClassifier(max_iter=1, learning_rate="one_cycle")
    with pytest.raises(ValueError, match=says("7", "classes")):
        model.fit(X, LABELS, X, np.full(30, 7))
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
        (TypeError, ValueError), match=r"(?i)label|classif|multioutput|continuous|unknown"
    ) as error:
        MLPClassifier().fit(X, y)
    assert len(str(error.value)) < 600  # it does not print the data


@pytest.mark.parametrize("call", [fastmlp.fit, MLPClassifier().fit, MLPRegressor().fit])
def test_sparse_targets_are_refused_clearly(call):
    Y = scipy.sparse.csr_matrix(np.eye(3, dtype=int)[LABELS])
    with pytest.raises((TypeError, ValueError), match=r"(?i)sparse"):
        call(X, Y)


@pytest.mark.parametrize("given", [{"X_val": X}, {"y_val": LABELS}])
def test_half_of_the_validation_data_is_refused(given):
    for call in (
        Trainer(make_network(), "cross_entropy").fit,
        MLPClassifier().fit,
        fastmlp.fit,
    ):
        with pytest.raises(ValueError, match="X_val and y_val must be given together"):
            call(X, LABELS, **given)


# -------------------------------------------------------------------------------------- solvers and schedules

BAD_NUMBERS = [
    *((cls, "learning_rate", value) for cls in (SGD, Adam) for value in (0, -1, -1e-9, NAN, INF, -INF)),
    *((SGD, "momentum", value) for value in (-0.1, 1.1, NAN, INF)),
    *((Adam, name, value) for name in ("beta_1", "beta_2") for value in (-0.1, 1, 1.5, NAN)),
    *((Adam, "epsilon", value) for value in (0, -1e-8, NAN, INF)),
    *((OneCycle, "warm_up", value) for value in (0, 1, -0.5, 2, NAN)),
    *((OneCycle, name, value) for name in ("start", "end") for value in (-1, -1e-9, NAN, INF)),
    *((OneCycle, "momentum_drop", value) for value in (-0.5, 1.5, NAN)),
    *((InverseScaling, "power_t", value) for value in (-1, NAN)),
    *((Adaptive, "factor", value) for value in (-1, 2, NAN)),
]


@pytest.mark.parametrize(("cls", "name", "value"), BAD_NUMBERS)
def test_numbers_out_of_range_are_named(cls, name, value):
    with pytest.raises(ValueError, match=says(name, value)):
        cls(**{name: value})


@pytest.mark.parametrize("value", ["0.1", None, [0.1]])
@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (SGD, "learning_rate"), (SGD, "momentum"), (Adam, "beta_1"), (Adam, "epsilon"), (OneCycle, "warm_up"),
        (OneCycle, "start"), (InverseScaling, "power_t"), (Adaptive, "factor"),
    ],
)  # fmt: skip
def test_what_is_not_a_number_is_named(cls, name, value):
    with pytest.raises((TypeError, ValueError), match=name):
        cls(**{name: value})


# ---------------------------------------------------------------------------------------------------- trainer


@pytest.mark.parametrize("argument", ["loss", "optimizer", "schedule"])
@pytest.mark.parametrize("value", ["nonsense", None, 3, "", ["sgd"]])
def test_unknown_names_are_named(argument, value):
    arguments = {"loss": "cross_entropy", argument: value}
    with pytest.raises(ValueError, match=says(argument, repr(value))):
        Trainer(make_network(), **arguments)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *(("batch_size", value) for value in (0, -1)),
        *(("alpha", value) for value in (-1, -1e-9, NAN, INF)),
        *(("tol", value) for value in (-1, NAN)),
        *(("n_iter_no_change", value) for value in (-1, NAN)),
    ],
)
def test_trainers_refuse_numbers_out_of_range(argument, value):
    with pytest.raises(ValueError, match=says(argument, value)):
        Trainer(make_network(), "cross_entropy", **{argument: value})


@pytest.mark.parametrize("argument", ["batch_size", "alpha", "tol", "n_iter_no_change"])
@pytest.mark.parametrize("value", ["many", [1]])
def test_trainers_refuse_what_is_not_a_number(argument, value):
    with pytest.raises((TypeError, ValueError), match=argument):
        Trainer(make_network(), "cross_entropy", **{argument: value})


@pytest.mark.parametrize("epochs", [0, -3])
def test_training_takes_at_least_one_epoch(epochs):
    with pytest.raises(ValueError, match=says("epochs", epochs)):
        Trainer(make_network(), "cross_entropy").fit(X, LABELS, epochs=epochs)


@pytest.mark.parametrize("epochs", [2.5, "3", None])
def test_epochs_are_whole_numbers(epochs):
    with pytest.raises(TypeError, match="epochs"):
        Trainer(make_network(), "cross_entropy").fit(X, LABELS, epochs=epochs)


@pytest.mark.parametrize(
    "rows",
    [[], [30], [-1], [0.5], [[0, 1]], 3, ["a"], [True] * 30, [NAN], [2**63]],
    ids=str,
)
def test_rows_are_row_numbers(rows):
    with pytest.raises(ValueError, match=says("rows", "0 to 29")):
        Trainer(make_network(), "cross_entropy").fit(X, LABELS, rows=rows)


def test_stopping_at_a_score_needs_validation_data():
    trainer = Trainer(make_network(), "cross_entropy", callbacks=[StopAtScore(0.9)])
    with pytest.raises(ValueError, match=says("StopAtScore", "X_val")):
        trainer.fit(X, LABELS)


# ------------------------------------------------------------------------------------------------- estimators

BAD_PARAMETERS = [
    *(
        ("hidden_layer_sizes", value)
        for value in (0, -1, (0,), (5, 0), [5, -1], (2.5,), ("a",), None, "10", 2.5)
    ),
    *(
        ("activation", value)
        for value in ("softmax", "swish", None, 3, ["swish"], ["softmax"], ["relu"] * 3, [])
    ),
    *(("solver", value) for value in ("lbfgs", "SGD", None, 3)),
    *(("alpha", value) for value in (-1, NAN, INF, "a", None)),
    *(("batch_size", value) for value in (0, -1, 2.5, "all", None)),
    *(("learning_rate", value) for value in ("fast", None, 0.1)),
    *(("learning_rate_init", value) for value in (0, -1, NAN, INF, "a", None)),
    *(("power_t", value) for value in (-1, NAN, "a")),
    *(("max_iter", value) for value in (0, -1, 2.5, None)),
    *(("shuffle", value) for value in ("yes", 3)),
    *(("random_state", value) for value in ("a", -1)),
    *(("tol", value) for value in (-1, NAN, "a")),
    *(("verbose", value) for value in ("loud", -1)),
    *(("momentum", value) for value in (-0.1, 1.1, NAN)),
    *(("beta_1", value) for value in (-0.1, 1, NAN)),
    *(("beta_2", value) for value in (-0.1, 1, NAN)),
    *(("epsilon", value) for value in (0, -1, NAN)),
    *(("n_iter_no_change", value) for value in (0, -1, 2.5, None)),
    *(("dtype", value) for value in ("float16", "bfloat16", None, 32)),
    *(("engine", value) for value in ("cuda", "BLAS", None)),
    *(("prepare", value) for value in ("tabel", 3, True)),
    *(("callbacks", value) for value in (None, 3)),
]


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize(("name", "value"), BAD_PARAMETERS)
def test_estimators_name_the_parameter_that_is_wrong(cls, name, value):
    model = cls(**{name: value})  # says nothing yet: scikit-learn's rule
    with pytest.raises((InvalidParameterError, ValueError), match=name):
        model.fit(X, LABELS)


@pytest.mark.parametrize(("name", "value"), BAD_PARAMETERS)
def test_fit_names_the_parameter_that_is_wrong(name, value):
    with pytest.raises((InvalidParameterError, ValueError), match=name):
        fastmlp.fit(X, LABELS, **{name: value})


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("name", ["dropout", "hidden", "early_stopping", "n_threads"])
def test_parameters_that_do_not_exist_are_refused(cls, name):
    with pytest.raises(TypeError, match=name):
        cls(**{name: 1})
    with pytest.raises(TypeError, match=name):
        fastmlp.fit(X, LABELS, **{name: 1})
    with pytest.raises(ValueError, match=name):
        cls().set_params(**{name: 1})


@pytest.mark.parametrize("task", ["classify", "", None, 3])
def test_unknown_tasks_are_named(task):
    with pytest.raises(ValueError, match=says("task", repr(task), "classification", "regression")):
        fastmlp.fit(X, LABELS, task=task)


@pytest.mark.parametrize("model", [MLPClassifier(), MLPRegressor()])
def test_estimators_say_that_they_are_not_fitted(model, tmp_path):
    for call in (
        lambda: model.predict(X),
        lambda: model.score(X, LABELS),
        lambda: model.save(tmp_path / "m"),
    ):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            call()
    assert not list(tmp_path.iterdir())


def test_several_errors_of_a_regressors_targets_are_refused():
    with pytest.raises(ValueError, match="dim 3"):
        MLPRegressor().fit(X, np.zeros((30, 2, 2)))
    model = MLPRegressor(max_iter=1, learning_rate="one_cycle").fit(X, TARGETS)
    with pytest.raises(ValueError, match="y"):
        model.partial_fit(X, TARGETS[:, :2])
    with pytest.raises(ValueError, match="y"):
        MLPRegressor(max_iter=1).fit(X, TARGETS, X, TARGETS[:, 0])
