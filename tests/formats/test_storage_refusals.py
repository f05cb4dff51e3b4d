"""Tests of what `save` writes of a model that was changed since its fit, and of what it refuses to write."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, initializers, losses, optimizers, schedules
from fastmlp.estimators.inspection import with_model
from fastmlp.estimators.targets import Classes
from helpers.estimators import ignore_convergence

pytestmark = ignore_convergence

N = 24
X = np.random.default_rng(0).normal(size=(N, 4))
CODES = np.arange(N) % 3


def fitted(cls=MLPClassifier, y=CODES, **params):
    return cls(**{"hidden_layer_sizes": (5,), "max_iter": 1, "random_state": 0, **params}).fit(X, y)


def outputs(model):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


class MyClassifier(MLPClassifier):
    pass


class MyRegressor(MLPRegressor):
    """Has the name of the class that it is made of."""


MyRegressor.__name__ = MyRegressor.__qualname__ = "MLPRegressor"


def written_into(model, part, value):
    model.network_.parts()[0][part].flat[0] = value
    return model


def with_changes(**changes):
    model = fitted()
    model = with_model(model, replace(model.model_, **changes))
    return model


def with_classes(labels):
    return with_changes(targets=Classes(np.array(labels)))


def with_names(names):
    return with_changes(feature_names=np.array(names, dtype=object))


# What `save` refuses: the model, the error and a part of its message.
REFUSED = {
    "a subclass": (lambda: fitted(MyClassifier), TypeError, r"MyClassifier.* cannot be saved.* joblib"),
    "a subclass of the same name": (lambda: fitted(MyRegressor, X[:, 0]), TypeError, "pickle or joblib"),
    "not fitted": (MLPClassifier, NotFittedError, "not fitted"),
    "NaN weights": (lambda: written_into(fitted(), "weight", np.nan), ValueError, r"0\.weight holds NaN"),
    "an infinite bias": (lambda: written_into(fitted(), "bias", np.inf), ValueError, r"0\.bias holds NaN"),
    "a negative variance": (
        lambda: written_into(fitted(batch_norm=True), "variance", -1), ValueError, "variance is negative",
    ),
    "alpha": (lambda: fitted().set_params(alpha="x"), ValueError, r"'alpha' parameter .* Got 'x'"),
    "max_iter": (lambda: fitted().set_params(max_iter=-1), ValueError, "'max_iter' parameter"),
    "no such solver": (lambda: fitted().set_params(solver="rprop"), ValueError, "'solver' parameter"),
    "no such score": (lambda: fitted().set_params(scoring="no such score"), ValueError, "no such score"),
    "a schedule of one's own": (
        lambda: fitted(learning_rate=type("Mine", (schedules.Schedule,), {})()), ValueError, "learning_rate=",
    ),
    "decay by L-BFGS": (
        lambda: fitted(weight_decay=0.1).set_params(solver="lbfgs"), ValueError, "weight_decay=0.1",
    ),
    "labels of many digits": (lambda: fitted(y=CODES.astype(np.longdouble)), ValueError, "class labels"),
    "labels that are not in order": (lambda: with_classes([3, 1, 2]), ValueError, "not in order"),
    "labels without an end": (lambda: with_classes([1.0, 2.0, np.inf]), ValueError, "class labels"),
    "labels that are dates": (
        lambda: with_classes(np.array(["2020", "2021", "2022"], "M8[Y]")), ValueError, "class labels",
    ),
    "too few labels": (lambda: with_classes([1, 2]), ValueError, "last layer"),
    "feature names of another kind": (lambda: with_names([1, 2, 3, 4]), ValueError, "feature names"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_file_cannot_hold_is_refused_and_an_earlier_file_stays(case, tmp_path):
    make, error, message = REFUSED[case]
    fitted().save(tmp_path / "model.safetensors")
    before, model = (tmp_path / "model.safetensors").read_bytes(), make()
    for name in ("model.safetensors", "new.safetensors"):
        with pytest.raises(error, match=message):
            model.save(tmp_path / name)
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]
    assert (tmp_path / "model.safetensors").read_bytes() == before


# --------------------------------------------------------------------- what has been set since the training

SET = {
    "hidden_layer_sizes": (9, 9),
    "activation": "tanh",
    "dropout": [0.1, 0.2, 0.3],
    "batch_norm": True,
    "layer_norm": "x",
    "dtype": "float32",
    "engine": "reference",
    "prepare": "image",
    "output_activation": "logistic",
    "loss": "log_likelihood",
    "label_smoothing": 0.3,
}


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("name", SET)
def test_a_file_has_what_the_network_was_made_with(name, warm_start, tmp_path):
    model, fresh = fitted(loss="squared_error"), fitted(loss="squared_error").get_params()
    expected = outputs(model)
    model.set_params(**{name: SET[name]}, alpha=0.5, warm_start=warm_start)
    if warm_start:
        with pytest.raises(ValueError, match=name):
            model.fit(X, CODES)
    assert_array_equal(outputs(model), expected)
    model.save(tmp_path / "model.safetensors")
    loaded = fastmlp.load(tmp_path / "model.safetensors")
    assert_array_equal(outputs(loaded), expected)
    kept = {**fresh, "alpha": 0.5, "warm_start": warm_start, "hidden_layer_sizes": [5], "callbacks": ()}
    assert loaded.get_params() == kept


@pytest.mark.parametrize("way", ["partial_fit", "fit"])
def test_a_file_has_the_loss_that_was_trained_last(way, tmp_path):
    model = fitted().set_params(loss="squared_error", warm_start=True)
    getattr(model, way)(X, CODES)
    model.set_params(loss="log_likelihood").save(tmp_path / "model.safetensors")
    loaded = fastmlp.load(tmp_path / "model.safetensors")
    assert loaded.loss == loaded.model_.loss.name == "squared_error"
    loaded.set_params(loss="cross_entropy").save(
        tmp_path / "again.safetensors"
    )  # nor does a loaded model forget
    assert fastmlp.load(tmp_path / "again.safetensors").loss == "squared_error"
    assert_array_equal(outputs(loaded), outputs(model))


def test_a_model_from_scikit_learn_has_what_it_was_made_with(tmp_path):
    model = fastmlp.from_sklearn(fitted().to_sklearn()).set_params(loss="squared_error", activation="x")
    model.save(tmp_path / "model.safetensors")
    assert fastmlp.load(tmp_path / "model.safetensors").loss is None


# ------------------------------------------------------------------------------ whatever is written is read

TEXT = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=5)
LABELS = st.one_of(
    st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=4, unique=True),
    st.lists(st.booleans(), min_size=1, max_size=2, unique=True),
    st.lists(TEXT, min_size=1, max_size=4, unique=True),
    st.lists(TEXT, min_size=2, max_size=4, unique=True).map(lambda labels: np.array(labels, dtype=object)),
    st.lists(st.integers(0, 255), min_size=1, max_size=4, unique=True).map(lambda ls: np.array(ls, np.uint8)),
    st.lists(st.sampled_from([0.0, -1.0, 2.0, 1e9]), min_size=2, max_size=4, unique=True),
)
VALUES = {
    "hidden_layer_sizes": [(), 3, np.int64(4), [4], (3, 2), np.array([3, 2]), range(2, 4), pd.Series([4])],
    "activation": ["tanh", "leaky_relu(0.2)", "prelu", ["gelu"], ("relu", "tanh"), np.str_("elu"), "no such"],
    "solver": ["sgd", "lbfgs", optimizers.AdamW(0.1), optimizers.LBFGS(tol=1e-9), "no such"],
    "alpha": [0, Fraction(1, 3), np.float32(0.1), np.longdouble(0.1), 1e-300, -1, "x", None],
    "l2": [1, np.float16(0.5)],
    "learning_rate": ["one_cycle", schedules.Step(), schedules.Adaptive(factor=np.float32(0.5)), 3],
    "batch_size": [2, np.int8(5), "auto", 0],
    "dropout": [0.5, [0.5], (0.25, 0), np.array([0.5]), -1],
    "batch_norm": [True, [True], [np.True_, False]],
    "layer_norm": [np.True_],
    "weight_init": ["he_normal", initializers.LecunNormal(), ["zeros"]],
    "output_activation": ["logistic", "softmax", "softplus", "no such"],
    "loss": ["squared_error", "cross_entropy", "binary_cross_entropy", "log_likelihood", losses.Huber(),
             losses.Quantile((0.1, np.float64(0.9))), "poisson", "absolute_error"],
    "label_smoothing": [0.1, np.float32(0.1), 2],
    "class_weight": ["balanced", {0: 2, 1: 0.5}, {"a": 2.0}, {np.int64(1): np.float32(3)}],
    "prepare": ["table", "auto", "image"],
    "dtype": ["float32", "float64"],
    "engine": ["reference", "blas", "tile"],
    "n_iter_no_change": [np.inf, np.int64(3)],
    "random_state": [np.int64(3), np.random.RandomState(0), None],
    "scoring": ["accuracy", "r2", lambda *_: 1.0, "no such"],
    "image_shape": [(2, 2), [2, 2, 1], np.array([2, 2])],
    "augmentation": ["flip", ["flip"]],
    "ema_decay": [0.9, np.float64(0.5)],
    "early_stopping": [True, np.True_],
    "verbose": [0, False],
    "n_threads": [1, 2, "x"],
    "callbacks": [[bool]],
    "warm_start": [True],
}  # fmt: skip
PARAMS = st.dictionaries(st.sampled_from(sorted(VALUES)), st.integers(0, 99), max_size=4).map(
    lambda chosen: {name: VALUES[name][index % len(VALUES[name])] for name, index in chosen.items()}
)
INPUTS = {
    "float64": X,
    "float32": X.astype(np.float32),
    "uint8": (X * 20 + 128).astype(np.uint8),
    "frame": pd.DataFrame(X, columns=["a", "\u00e9", "x y", "\U0001f600"]),
}


def train(model, way, inputs, y):
    """Train by a way that may be refused."""
    try:
        if way == "fit":
            model.fit(inputs, y)
        elif hasattr(model, "partial_fit"):
            model.partial_fit(inputs, y)
    except (TypeError, ValueError):
        pass


def answers(model, inputs):
    found = [model.predict(inputs)]
    if hasattr(model, "predict_proba"):
        found += [model.predict_proba(inputs), model.classes_]
    return [*found, *model.coefs_, *model.intercepts_]


def assert_same_answers(one, other):
    for mine, theirs in zip(one, other, strict=True):
        assert mine.dtype == theirs.dtype
        assert_array_equal(mine, theirs)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    labels=st.one_of(LABELS, st.sampled_from(["indicators", "number", "numbers"])),
    inputs=st.sampled_from(sorted(INPUTS)),
    first=PARAMS,
    then=st.lists(st.tuples(PARAMS, st.sampled_from(["fit", "partial_fit", "nothing"])), max_size=3),
)
def test_whatever_is_written_is_read_to_the_same_predictions(labels, inputs, first, then, tmp_path):
    path, inputs = tmp_path / "model.safetensors", INPUTS[inputs]
    fitted().save(path)
    earlier = path.read_bytes()
    cls = MLPRegressor if isinstance(labels, str) and labels != "indicators" else MLPClassifier
    if isinstance(labels, str):
        y = {"indicators": np.eye(3, dtype=int)[CODES], "number": X[:, 0], "numbers": X[:, :2]}[labels]
    else:
        y = np.asarray(labels)[np.arange(N) % len(labels)]
    first, *others = ({name: one for name, one in params.items() if name in cls().get_params()}
                      for params in (first, *(params for params, _ in then)))  # fmt: skip
    model = cls(**{"hidden_layer_sizes": (4,), "max_iter": 1, "random_state": 0, **first})
    train(model, "fit", inputs, y)
    if not hasattr(model, "network_"):
        model = cls(hidden_layer_sizes=(4,), max_iter=1, random_state=0).fit(inputs, y)
    for params, (_, way) in zip(others, then, strict=True):
        model.set_params(**params)
        train(model, way, inputs, y)
    assume(hasattr(model, "network_"))  # a fit that fails leaves none
    model.set_params(n_threads=None)
    expected = answers(model, inputs)
    try:
        model.save(path)
    except (TypeError, ValueError):
        assert path.read_bytes() == earlier
        return
    loaded = fastmlp.load(path)
    assert_same_answers(answers(loaded, inputs), expected)
    written = path.read_bytes()
    loaded.save(path)
    assert path.read_bytes() == written
    assert_same_answers(answers(fastmlp.load(path), inputs), expected)
