"""Tests of what the estimators' parameters may not be: every error names the parameter.

Where scikit-learn has an error of its own for an estimator's argument, it is that one.
"""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from helpers.bad_input import INF, LABELS, NAN, TARGETS, X, says

BAD_PARAMETERS = [
    *(
        ("hidden_layer_sizes", value)
        for value in (0, -1, (0,), (5, 0), [5, -1], (2.5,), ("a",), None, "10", 2.5)
    ),
    *(
        ("activation", value)
        for value in (
            "softmax",
            "swoosh",
            "elu(-1)",
            "relu(1)",
            None,
            3,
            ["swoosh"],
            [3],
            ["softmax"],
            ["relu"] * 3,
            [],
        )
    ),
    *(("solver", value) for value in ("bfgs", "SGD", None, 3)),
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
    *(("dtype", value) for value in ("float16", "half", None, 32)),
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
@pytest.mark.parametrize("name", ["drop_out", "hidden", "early_stop"])
def test_parameters_that_do_not_exist_are_refused(cls, name):
    with pytest.raises(TypeError, match=name):
        cls(**{name: 1})
    with pytest.raises(TypeError, match=name):
        fastmlp.fit(X, LABELS, **{name: 1})
    with pytest.raises(ValueError, match=name):
        cls().set_params(**{name: 1})


FIRST_FITS = {
    "fit": lambda model: model.fit(X, TARGETS),
    "partial_fit": lambda model: model.partial_fit(X, TARGETS),
    "fit_many, a configuration": lambda model: fastmlp.fit_many([model], X, TARGETS),
    "fit_many, the estimator": lambda model: fastmlp.fit_many([{"alpha": 1}], X, TARGETS, estimator=model),
}


@pytest.mark.parametrize("call", FIRST_FITS)
@pytest.mark.parametrize("sizes", [(50,), [50, 20], 50, np.array([50, 20]), ()], ids=str)
def test_sizes_in_the_place_of_a_regressors_loss_are_named(sizes, call):
    model = MLPRegressor(sizes)
    with pytest.raises(TypeError, match=says("loss", f"hidden_layer_sizes={sizes!r}")):
        FIRST_FITS[call](model)
    with pytest.raises(TypeError, match=says("loss", f"hidden_layer_sizes={sizes!r}")):
        FIRST_FITS[call](MLPRegressor(sizes, "tanh"))


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
        MLPRegressor(max_iter=1).fit(X, TARGETS, None, X, TARGETS[:, 0])


@pytest.mark.parametrize("engine", ["tile", "blas", "reference"])
def test_what_is_too_large_for_float32_does_not_become_nan(engine):
    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    model = MLPClassifier(max_iter=2, dtype="float32", engine=engine, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    X[5] = [1e300, -1e300, 1e300]
    with pytest.raises(ValueError, match="too large for float32"), np.errstate(all="ignore"):
        model.predict_proba(X)
    if engine != "reference":
        with pytest.raises(ValueError, match="too large for float32"):
            model.compile()(X)


def test_a_fit_that_is_refused_leaves_the_model_whole():
    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPClassifier(max_iter=2, random_state=0).fit(X, y)
    before = model.predict(X)
    with pytest.raises(ValueError, match="y_val has the class"):
        model.fit(X[:, :2], y + 5, X_val=X[:, :2], y_val=y + 6)
    assert model.n_features_in_ == 3
    np.testing.assert_array_equal(model.predict(X), before)


def test_indicators_for_classes_are_refused():
    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 3
    model = MLPClassifier().partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="y are label indicators"):
        model.partial_fit(X, np.eye(3, dtype=int)[y])
