"""Tests of MLPClassifier and MLPRegressor: what scikit-learn's MLPs do, and what scikit-learn asks.

Without shuffling both packages see the same batches, so in float64 they have to agree to rounding.
"""

import copy
import pickle
import warnings
from functools import partial

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from fastmlp import DivergenceWarning, MLPClassifier, MLPRegressor
from fastmlp.schedules import OneCycle

ignore_convergence = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N_SAMPLES, N_FEATURES = 90, 7
PAIRS = {
    "binary": (MLPClassifier, TheirClassifier),
    "multiclass": (MLPClassifier, TheirClassifier),
    "multilabel": (MLPClassifier, TheirClassifier),
    "regression": (MLPRegressor, TheirRegressor),
}
SOLVERS = {
    "adam": {"solver": "adam", "learning_rate_init": 0.01},
    "adam, other betas": {"solver": "adam", "beta_1": 0.7, "beta_2": 0.95, "epsilon": 1e-4},
    "sgd": {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.1},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.05},
    "nesterov": {"solver": "sgd", "nesterovs_momentum": True, "learning_rate_init": 0.05},
    "nesterov without momentum": {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.3, "learning_rate_init": 0.1},
    "adaptive": {
        "solver": "sgd", "learning_rate": "adaptive", "tol": 0.1, "n_iter_no_change": 1,
        "learning_rate_init": 0.05,
    },
}  # fmt: skip


def data(task, dtype=np.float64, n=N_SAMPLES, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, N_FEATURES))
    signal = X @ np.random.default_rng(1).normal(size=(N_FEATURES, 3))
    if task == "regression":
        y = np.tanh(signal[:, 0]) + 0.1 * signal[:, 1]
    elif task == "several outputs":
        y = signal
    elif task == "multilabel":
        y = (signal > 0.3).astype(int)
    elif task == "binary":
        y = (signal[:, 0] > 0).astype(int)
    else:
        y = signal.argmax(axis=1)
    return X.astype(dtype), y


def assert_same_fit(ours, theirs, tolerance=1e-9):
    assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=tolerance, atol=tolerance)
    for mine, other in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        assert mine.shape == other.shape
        assert_allclose(mine, other, rtol=0, atol=tolerance * np.abs(other).max())


def quietly(call, *args, **kwargs):
    """Call, without the warning that a few epochs are too few."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return call(*args, **kwargs)


# ------------------------------------------------------------------------- the same numbers as scikit-learn


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("task", PAIRS)
def test_initial_weights_are_scikit_learns(task, activation):
    X, y = data(task)
    params = {"hidden_layer_sizes": (9, 4), "activation": activation, "random_state": 3, "max_iter": 1}
    # A rate this small leaves the weights where they began.
    ours, theirs = (quietly(cls(learning_rate_init=1e-300, **params).fit, X, y) for cls in PAIRS[task])
    for mine, other in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        assert_array_equal(mine, other)


def test_initial_weights_from_a_shared_random_state_are_scikit_learns():
    X, y = data("multiclass")
    params = {"hidden_layer_sizes": (9,), "learning_rate_init": 1e-300, "max_iter": 1, "shuffle": False}
    ours, theirs = (
        quietly(cls(random_state=np.random.RandomState(5), **params).fit, X, y) for cls in PAIRS["multiclass"]
    )
    for mine, other in zip(ours.coefs_, theirs.coefs_, strict=True):
        assert_array_equal(mine, other)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("task", PAIRS)
def test_training_gives_scikit_learns_losses_and_weights(task, activation, solver):
    X, y = data(task)
    params = {"activation": activation, "hidden_layer_sizes": (11, 6), "batch_size": 32, "alpha": 0.01}
    params |= {"shuffle": False, "random_state": 0, "max_iter": 12, **SOLVERS[solver]}
    ours, theirs = (quietly(cls(**params).fit, X, y) for cls in PAIRS[task])
    assert_same_fit(ours, theirs)
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.t_ == theirs.t_
    assert_allclose(ours.loss_, theirs.loss_)
    assert_allclose(ours.best_loss_, theirs.best_loss_)


@pytest.mark.parametrize("task", PAIRS)
def test_predictions_are_scikit_learns(task):
    X, y = data(task)
    new_X, new_y = data(task, seed=1)
    params = {"shuffle": False, "random_state": 0, "max_iter": 8, "learning_rate_init": 0.01}
    ours, theirs = (quietly(cls(**params).fit, X, y) for cls in PAIRS[task])
    if task == "regression":
        assert_allclose(ours.predict(new_X), theirs.predict(new_X), atol=1e-9)
    else:
        assert_array_equal(ours.predict(new_X), theirs.predict(new_X))
        assert_allclose(ours.predict_proba(new_X), theirs.predict_proba(new_X), atol=1e-9)
        assert_allclose(ours.predict_log_proba(new_X), theirs.predict_log_proba(new_X), atol=1e-8)
        assert_array_equal(ours.classes_, theirs.classes_)
    assert ours.predict(new_X).dtype == theirs.predict(new_X).dtype
    assert ours.predict(new_X).shape == theirs.predict(new_X).shape
    assert_allclose(ours.score(new_X, new_y), theirs.score(new_X, new_y))
    assert ours.n_layers_ == theirs.n_layers_
    assert ours.n_outputs_ == theirs.n_outputs_
    assert ours.out_activation_ == theirs.out_activation_
    assert ours.n_features_in_ == theirs.n_features_in_


@ignore_convergence
def test_several_outputs_train_as_in_scikit_learn():
    # Their loss is the mean over the outputs and ours the sum; without the penalty they differ by a factor.
    X, y = data("several outputs")
    params = {"shuffle": False, "random_state": 0, "max_iter": 10, "alpha": 0, "batch_size": 20}
    ours, theirs = MLPRegressor(**params).fit(X, y), TheirRegressor(**params).fit(X, y)
    for mine, other in zip(ours.coefs_, theirs.coefs_, strict=True):
        assert_allclose(mine, other, atol=1e-9)
    assert_allclose(ours.loss_curve_, 3 * np.array(theirs.loss_curve_), rtol=1e-9)
    assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-8)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("task", PAIRS)
def test_partial_fit_gives_scikit_learns_losses_and_weights(task, solver):
    X, y = data(task)
    params = {"hidden_layer_sizes": (8,), "batch_size": 16, "shuffle": False, "random_state": 0}
    ours, theirs = (cls(**params, **SOLVERS[solver]) for cls in PAIRS[task])
    classes = {} if task == "regression" else {"classes": np.arange(3) if y.ndim == 2 else np.unique(y)}
    for part in (slice(50), slice(50, 90), slice(20, 71), slice(33, 50)):
        ours.partial_fit(X[part], y[part], **classes)
        theirs.partial_fit(X[part], y[part], **classes)
    assert_same_fit(ours, theirs)
    assert ours.t_ == theirs.t_


@pytest.mark.parametrize("task", PAIRS)
def test_partial_fit_on_the_same_data_lowers_the_adaptive_rate_when_scikit_learn_does(task):
    X, y = data(task)
    params = {"shuffle": False, "random_state": 0, "solver": "sgd", "learning_rate": "adaptive"}
    params |= {"n_iter_no_change": 1, "tol": 0.5, "learning_rate_init": 0.01}
    ours, theirs = (cls(**params) for cls in PAIRS[task])
    classes = {} if task == "regression" else {"classes": np.arange(3) if y.ndim == 2 else np.unique(y)}
    for _ in range(6):
        ours.partial_fit(X, y, **classes)
        theirs.partial_fit(X, y, **classes)
    assert_same_fit(ours, theirs)


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_partial_fit_with_automatic_batches_looks_at_each_calls_size(task):
    X, y = data(task, n=600)
    ours, theirs = (cls(shuffle=False, random_state=0) for cls in PAIRS[task])
    classes = {} if task == "regression" else {"classes": np.unique(y)}
    for part in (slice(10), slice(10, 500), slice(500, 600)):
        ours.partial_fit(X[part], y[part], **classes)
        theirs.partial_fit(X[part], y[part], **classes)
    assert_same_fit(ours, theirs)


@ignore_convergence
@pytest.mark.parametrize("task", PAIRS)
def test_partial_fit_after_fit_goes_on_as_in_scikit_learn(task):
    X, y = data(task)
    params = {"shuffle": False, "random_state": 0, "max_iter": 4, "batch_size": 30}
    ours, theirs = (cls(**params).fit(X, y) for cls in PAIRS[task])
    for _ in range(3):
        ours.partial_fit(X, y)
        theirs.partial_fit(X, y)
    assert_same_fit(ours, theirs)
    assert len(ours.loss_curve_) == 7


@ignore_convergence
def test_fit_after_partial_fit_begins_anew():
    X, y = data("multiclass")
    fresh = MLPClassifier(max_iter=3, random_state=0).fit(X, y)
    used = MLPClassifier(max_iter=3, random_state=0).partial_fit(X + 1, y, classes=[0, 1, 2]).fit(X, y)
    assert fresh.loss_curve_ == used.loss_curve_
    assert_array_equal(fresh.coefs_[0], used.coefs_[0])


@ignore_convergence
@pytest.mark.parametrize("n_calls", [1, 2, 3])
def test_fit_after_partial_fit_learns_the_classes_anew(n_calls):
    X, y = data("multiclass")
    model = MLPClassifier(max_iter=2)
    for _ in range(n_calls):
        model.partial_fit(X, y, classes=[0, 1, 2])
    names = np.array(["a", "b", "c"])
    assert_array_equal(model.fit(X, names[y]).classes_, names)
    assert set(model.predict(X)) <= set(names)


@ignore_convergence
def test_classes_of_a_refused_partial_fit_are_forgotten():
    X, y = data("binary")
    model = MLPClassifier(max_iter=2)
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(np.full_like(X, np.nan), y, classes=[0, 1, 2, 3])
    assert_array_equal(model.fit(X, y).classes_, [0, 1])


@pytest.mark.parametrize(("tol", "n_iter_no_change"), [(1e-4, 10), (1e-3, 2), (0.05, 1), (0, 3)])
@pytest.mark.parametrize("task", PAIRS)
@pytest.mark.parametrize("solver", ["adam", "nesterov", "invscaling", "adaptive"])
def test_training_stops_at_scikit_learns_epoch(task, solver, tol, n_iter_no_change):
    X, y = data(task)
    params = {"hidden_layer_sizes": (5,), "batch_size": 30, "shuffle": False, "random_state": 0}
    params |= {"max_iter": 60, **SOLVERS[solver], "tol": tol, "n_iter_no_change": n_iter_no_change}
    params["learning_rate_init"] = 0.1
    ours, theirs = (quietly(cls(**params).fit, X, y) for cls in PAIRS[task])
    assert ours.n_iter_ == theirs.n_iter_
    assert len(ours.loss_curve_) == ours.n_iter_


def test_training_that_stops_early_does_not_warn():
    X, y = data("regression")
    ours, theirs = (
        cls(tol=10, n_iter_no_change=3, random_state=0, max_iter=50).fit(X, y) for cls in PAIRS["regression"]
    )
    assert ours.n_iter_ == theirs.n_iter_ < 10


@pytest.mark.parametrize("task", PAIRS)
def test_training_that_does_not_converge_warns_as_scikit_learn_does(task):
    X, y = data(task)
    for cls in PAIRS[task]:
        with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(3\) reached"):
            cls(max_iter=3).fit(X, y)


def test_infinite_patience_never_stops():
    X, y = data("binary")
    model = quietly(MLPClassifier(n_iter_no_change=np.inf, tol=10, max_iter=25).fit, X, y)
    assert model.n_iter_ == 25


@pytest.mark.parametrize("task", PAIRS)
def test_a_batch_above_the_number_of_samples_is_clipped_with_scikit_learns_warning(task):
    X, y = data(task)
    params = {"shuffle": False, "random_state": 0, "max_iter": 3, "batch_size": 1000}
    message = "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped"
    fitted = []
    for cls in PAIRS[task]:
        with pytest.warns(UserWarning, match=message):
            fitted.append(quietly(cls(**params).fit, X, y))
    assert_same_fit(*fitted)


def test_partial_fit_warns_too_when_the_batch_is_above_the_number_of_samples():
    X, y = data("regression")
    for cls in PAIRS["regression"]:
        with pytest.warns(UserWarning, match="It is going to be clipped"):
            cls(batch_size=1000).partial_fit(X, y)


@ignore_convergence
def test_verbose_prints_scikit_learns_lines(capsys):
    X, y = data("binary")
    printed = []
    for cls in PAIRS["binary"]:
        cls(verbose=True, shuffle=False, random_state=0, max_iter=3).fit(X, y)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert printed[0].count("Iteration") == 3


def test_defaults_are_scikit_learns():
    for ours, theirs in (PAIRS["binary"], PAIRS["regression"]):
        known = theirs().get_params()
        mine = ours().get_params()
        shared = {name: value for name, value in mine.items() if name in known}
        assert shared == {name: known[name] for name in shared}
        assert set(mine) - set(known) == {"dtype", "engine", "prepare", "callbacks"}


# ---------------------------------------------------------------------------------------- the shuffled fit


@ignore_convergence
@pytest.mark.parametrize("task", PAIRS)
def test_the_same_random_state_gives_the_same_bits(task):
    X, y = data(task)
    a, b, c = (PAIRS[task][0](max_iter=3, random_state=seed, batch_size=20).fit(X, y) for seed in (0, 0, 1))
    assert a.loss_curve_ == b.loss_curve_ != c.loss_curve_
    assert_array_equal(a.network_.parameters, b.network_.parameters)


def test_iris_is_learnt_as_well_as_by_scikit_learn():
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    ours, theirs = (
        quietly(cls(random_state=0, learning_rate_init=0.01, max_iter=60).fit, X, y).score(X, y)
        for cls in PAIRS["multiclass"]
    )
    assert ours >= theirs - 0.02
    assert ours > 0.95


# ---------------------------------------------------------------------------------------------------- labels


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
def test_partial_fit_may_see_the_classes_in_any_order():
    X, y = data("multiclass")
    y = np.array(["b", "c", "a"])[y]
    model = MLPClassifier((20,), learning_rate_init=0.01, random_state=0)
    for part in (y == "b", y == "a", y == "c"):
        model.partial_fit(X[part], y[part], classes=["c", "a", "b"])
    assert_array_equal(model.classes_, ["a", "b", "c"])
    assert model.predict_proba(X).shape == (N_SAMPLES, 3)


def test_partial_fit_needs_the_classes_at_first():
    X, y = data("multiclass")
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        MLPClassifier().partial_fit(X, y)


def test_partial_fit_refuses_other_classes_later():
    X, y = data("binary")
    model = MLPClassifier().partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="classes"):
        model.partial_fit(X, y, classes=[0, 1, 2])


@ignore_convergence
def test_validation_scores_are_the_scores_of_each_epoch():
    for task in ("binary", "multiclass", "regression"):
        X, y = data(task)
        X_val, y_val = data(task, seed=1)
        scores = []

        def keep(event, model, X_val=X_val, y_val=y_val, scores=scores):
            outputs = event.network.predict(X_val)
            if model == "regression":
                residual = ((outputs.ravel() - y_val) ** 2).sum()
                scores.append(1 - residual / ((y_val - y_val.mean()) ** 2).sum())
            else:
                best = outputs.argmax(axis=1) if outputs.shape[1] > 1 else outputs.ravel() > 0.5
                scores.append(np.mean(best == y_val))

        cls = PAIRS[task][0]
        model = cls(max_iter=4, callbacks=[partial(keep, model=task)], random_state=0)
        model.fit(X, y, X_val, y_val)
        assert_allclose(model.validation_scores_, scores)
        assert_allclose(model.validation_scores_[-1], model.score(X_val, y_val))
        assert len(model.validation_loss_curve_) == 4


@ignore_convergence
def test_validation_data_do_not_change_the_training():
    X, y = data("multiclass")
    plain = MLPClassifier(max_iter=3, random_state=0).fit(X, y)
    watched = MLPClassifier(max_iter=3, random_state=0).fit(X, y, *data("multiclass", seed=2))
    assert plain.loss_curve_ == watched.loss_curve_
    assert plain.validation_scores_ is None
    assert_array_equal(plain.network_.parameters, watched.network_.parameters)


@ignore_convergence
def test_multilabel_validation_scores_count_whole_rows_as_score_does():
    X, Y = data("multilabel")
    model = MLPClassifier(max_iter=3, random_state=0).fit(X, Y, X, Y)
    assert_allclose(model.validation_scores_[-1], model.score(X, Y))


# ---------------------------------------------------------------------------------------------------- types


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
        (20,), max_iter=80, learning_rate_init=0.01, prepare=prepare, random_state=0, batch_size=10
    ).fit(X, shifted, X, shifted)
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


# -------------------------------------------------------------------------------------- scikit-learn's rules


def checks():
    """Yield every check that scikit-learn has for these estimators."""
    for estimator in (MLPClassifier(max_iter=20), MLPRegressor(max_iter=20)):
        for checked, check in estimator_checks_generator(estimator):
            name = check.func.__name__
            if name == "check_array_api_input":  # asks for an environment variable, set before SciPy's import
                continue
            yield pytest.param(checked, check, id=f"{type(estimator).__name__}-{name}")


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_scikit_learns_check_passes(estimator, check):
    if check.func.__name__ == "check_classifiers_multilabel_output_format_decision_function":
        assert not hasattr(estimator, "decision_function")  # nor has scikit-learn's own MLP
        return
    check(estimator)


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


@ignore_convergence
@pytest.mark.parametrize("way", ["pickle", "copy", "joblib"])
@pytest.mark.parametrize("task", PAIRS)
def test_a_copy_predicts_and_goes_on_training_the_same(task, way, tmp_path):
    X, y = data(task)
    model = PAIRS[task][0](max_iter=3, random_state=0, batch_size=20).fit(X, y)
    if way == "pickle":
        twin = pickle.loads(pickle.dumps(model))
    elif way == "copy":
        twin = copy.deepcopy(model)
    else:
        joblib.dump(model, tmp_path / "model.joblib")
        twin = joblib.load(tmp_path / "model.joblib")
    assert_array_equal(twin.predict(X), model.predict(X))
    twin.partial_fit(X, y)
    assert not np.array_equal(twin.network_.parameters, model.network_.parameters)
    model.partial_fit(X, y)
    assert_array_equal(twin.network_.parameters, model.network_.parameters)


@ignore_convergence
def test_a_memory_mapped_model_predicts(tmp_path):
    X, y = data("binary")
    model = MLPClassifier(max_iter=3, random_state=0).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert_array_equal(mapped.predict_proba(X), model.predict_proba(X))


@ignore_convergence
def test_grid_search_works():
    X, y = data("multiclass")
    grid = {"hidden_layer_sizes": [(3,), (10, 5)], "learning_rate": ["constant", OneCycle()], "alpha": [0, 1]}
    search = GridSearchCV(MLPClassifier(max_iter=5, random_state=0), grid, cv=3).fit(X, y)
    assert len(search.cv_results_["mean_test_score"]) == 8
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(X).shape == (N_SAMPLES,)


@ignore_convergence
def test_parallel_cross_validation_gives_the_same_scores():
    X, y = data("regression")
    model = MLPRegressor(max_iter=10, random_state=0)
    alone, together = (cross_val_score(model, X, y, cv=3, n_jobs=n, error_score="raise") for n in (1, 2))
    assert_allclose(alone, together)


@ignore_convergence
def test_fits_in_two_threads_give_what_fits_in_turn_give():
    X, y = data("multiclass")
    models = [MLPClassifier(max_iter=10, random_state=seed, batch_size=10) for seed in range(4)]
    in_turn = [clone(model).fit(X, y).loss_curve_ for model in models]
    parallel = joblib.Parallel(n_jobs=2, backend="threading")
    at_once = parallel(joblib.delayed(lambda model: model.fit(X, y).loss_curve_)(model) for model in models)
    assert in_turn == at_once


@ignore_convergence
def test_works_in_a_pipeline():
    X, y = data("multiclass")
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(max_iter=50, random_state=0))
    assert pipeline.fit(100 * X, y).score(100 * X, y) > 0.8
    assert cross_val_score(pipeline, X, y, cv=3).shape == (3,)


@ignore_convergence
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_can_be_calibrated(dtype):
    X, y = data("multiclass", dtype=dtype, n=200)
    model = CalibratedClassifierCV(MLPClassifier(max_iter=10, random_state=0), cv=3).fit(X, y)
    assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-5)


@ignore_convergence
def test_several_classifiers_make_a_multioutput_one():
    X, y = data("multiclass")
    model = MultiOutputClassifier(MLPClassifier(max_iter=2)).fit(X, np.c_[y, y == 1])
    assert model.predict(X).shape == (N_SAMPLES, 2)


@ignore_convergence
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_data_frames_leave_their_column_names(cls):
    X, y = data("binary")
    frame = pd.DataFrame(X, columns=[f"column {i}" for i in range(N_FEATURES)])
    model = cls(max_iter=2, random_state=0).fit(frame, pd.Series(y))
    assert_array_equal(model.feature_names_in_, frame.columns)
    assert_array_equal(model.predict(frame), cls(max_iter=2, random_state=0).fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"column 0": "other"}))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)


@ignore_convergence
def test_text_columns_of_pandas_are_labels():
    X, y = data("multiclass")
    labels = pd.Series(np.array(["low", "mid", "high"])[y])
    model = MLPClassifier(max_iter=2).fit(X, labels)
    assert_array_equal(model.classes_, ["high", "low", "mid"])
    assert model.score(X, labels) >= 0


@ignore_convergence
@pytest.mark.parametrize("task", PAIRS)
def test_lists_do_as_well_as_arrays(task):
    X, y = data(task)
    from_lists, from_arrays = (
        PAIRS[task][0](max_iter=2, random_state=0).fit(*pair) for pair in ((X.tolist(), y.tolist()), (X, y))
    )
    assert_array_equal(from_lists.predict(X.tolist()), from_arrays.predict(X))


@ignore_convergence
def test_the_data_are_left_as_they_were():
    X, y = data("multiclass")
    X.setflags(write=False)
    y.setflags(write=False)
    before = X.copy(), y.copy()
    MLPClassifier(max_iter=2, prepare="table").fit(X, y).predict(X)
    assert_array_equal(X, before[0])
    assert_array_equal(y, before[1])


# -------------------------------------------------------------------------------------- when it breaks off


@pytest.mark.parametrize("task", PAIRS)
def test_an_interrupted_fit_warns_and_keeps_what_it_has(task):
    X, y = data(task)

    def interrupt(event):
        if event.epoch == 3:
            raise KeyboardInterrupt

    model = PAIRS[task][0](callbacks=[interrupt], random_state=0)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) == 3
    same = quietly(PAIRS[task][0](max_iter=3, random_state=0).fit, X, y)
    assert_array_equal(model.predict(X), same.predict(X))


@pytest.mark.parametrize("prepare", [None, "auto"])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("task", PAIRS)
def test_a_diverging_fit_warns_and_leaves_finite_weights_and_predictions(task, solver, prepare):
    X, y = data(task, dtype=np.float32)
    params = {"learning_rate_init": 1e30, "random_state": 0, "max_iter": 5}
    model = PAIRS[task][0](solver=solver, prepare=prepare, **params)
    with pytest.warns(DivergenceWarning, match="epoch"):
        model.fit(X, y)
    assert np.isfinite(model.network_.parameters).all()
    assert np.isfinite(model.loss_curve_).all()
    assert np.isfinite(model.network_.predict(X)).all()
    model.predict(X)


@pytest.mark.parametrize("task", PAIRS)
def test_partial_fit_that_diverges_warns_and_leaves_finite_predictions(task):
    X, y = data(task, dtype=np.float32)
    classes = {} if task == "regression" else {"classes": np.arange(3) if y.ndim == 2 else np.unique(y)}
    model = PAIRS[task][0](solver="sgd", learning_rate_init=1e30, random_state=0)

    def train():
        for _ in range(3):
            model.partial_fit(X, y, **classes)
            assert np.isfinite(model.network_.predict(X)).all()

    with pytest.warns(DivergenceWarning, match="epoch"):
        train()
