"""Tests of the estimators among scikit-learn's tools, joblib, pandas and polars, with real data."""

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.ensemble import BaggingClassifier, BaggingRegressor, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_predict, train_test_split
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import _get_feature_names

from fastmlp import MLPClassifier, MLPRegressor
from helpers.estimators import ignore_convergence

pytestmark = ignore_convergence

FAST = {"max_iter": 20, "learning_rate_init": 0.01, "batch_size": 32, "prepare": "table", "random_state": 0}


def split(loader):
    """Return X_train, X_test, y_train, y_test."""
    return train_test_split(*loader(return_X_y=True), random_state=0)


# ----------------------------------------------------------------------------------------- meta-estimators


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_bags_of_classifiers(n_jobs):
    X, X_test, y, y_test = split(load_digits)
    bag = BaggingClassifier(MLPClassifier((16,), **FAST), 4, max_features=0.7, n_jobs=n_jobs, random_state=0)
    assert bag.fit(X, y).score(X_test, y_test) > 0.93
    assert len({model.coefs_[0].tobytes() for model in bag.estimators_}) == 4


def test_bags_of_regressors():
    X, X_test, y, y_test = split(load_diabetes)
    bag = BaggingRegressor(MLPRegressor(hidden_layer_sizes=(8,), **FAST), 4, random_state=0).fit(X, y)
    assert bag.score(X_test, y_test) > 0.3


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("loader", [load_breast_cancer, load_wine])
def test_calibration(loader, method):
    X, X_test, y, y_test = split(loader)
    model = CalibratedClassifierCV(MLPClassifier((16,), **FAST), method=method, cv=3).fit(X, y)
    p = model.predict_proba(X_test)
    assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    assert log_loss(y_test, p) < 0.6
    assert model.score(X_test, y_test) > 0.9


def test_votes_stacks_and_one_against_the_rest():
    X, X_test, y, y_test = split(load_wine)
    models = [
        ("mlp", MLPClassifier((16,), **FAST)),
        ("line", make_pipeline(StandardScaler(), LogisticRegression())),
    ]
    for ensemble in (
        VotingClassifier(models, voting="soft"),
        StackingClassifier(models, cv=3),
        OneVsRestClassifier(models[0][1]),
    ):
        assert ensemble.fit(X, y).score(X_test, y_test) > 0.9


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize(("cls", "loader"), [(MLPClassifier, load_digits), (MLPRegressor, load_diabetes)])
def test_two_jobs_give_what_one_gives(cls, loader, backend):
    X, y = loader(return_X_y=True)
    model = cls(hidden_layer_sizes=(16,), **{**FAST, "max_iter": 3})
    alone = cross_val_predict(model, X, y, cv=3)
    with joblib.parallel_config(backend, n_jobs=2):
        assert_array_equal(cross_val_predict(model, X, y, cv=3), alone)


def test_the_html_of_a_pipeline_names_the_model_and_what_was_set():
    pipeline = make_pipeline(StandardScaler(), MLPClassifier((16,), solver="sgd", warm_start=True))
    for model in (pipeline, pipeline.fit(*load_wine(return_X_y=True))):
        html = model._repr_html_()
        for word in ("MLPClassifier", "sgd", "warm_start"):
            assert word in html


# -------------------------------------------------------------------------------------------- data frames


of_polars = pytest.mark.skipif(
    _get_feature_names(pl.DataFrame({"a": [1]})) is None,
    reason="this scikit-learn is too old for this polars",
)


@pytest.mark.parametrize("kind", ["pandas", pytest.param("polars", marks=of_polars)])
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_pipelines_of_data_frames(cls, kind):
    bunch = load_wine(as_frame=True) if cls is MLPClassifier else load_diabetes(as_frame=True)
    X, y = bunch.data, bunch.target
    if kind == "polars":
        X, y = pl.DataFrame(bunch.data.to_dict("list")), pl.Series(bunch.target.to_numpy())
    columns = list(bunch.data.columns)
    model = cls(hidden_layer_sizes=(16,), max_iter=5, random_state=0)
    scaler = make_column_transformer((StandardScaler(), columns), verbose_feature_names_out=False)
    pipeline = make_pipeline(scaler, model).set_output(transform=kind).fit(X, y)
    assert_array_equal(model.feature_names_in_, columns)
    alone = cls(hidden_layer_sizes=(16,), max_iter=5, random_state=0).fit(
        StandardScaler().fit_transform(bunch.data.to_numpy()), bunch.target
    )
    assert model.network_.dtype == alone.network_.dtype == np.float64
    assert_allclose(pipeline.predict(X), alone.predict(StandardScaler().fit_transform(bunch.data.to_numpy())))


@of_polars
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_polars_frames_leave_their_column_names(cls):
    bunch = load_breast_cancer(as_frame=True)
    frame, y = pl.DataFrame(bunch.data.to_dict("list")), pl.Series(bunch.target.to_numpy())
    model = cls(hidden_layer_sizes=(8,), **{**FAST, "max_iter": 2}).fit(
        frame, y, X_val=frame[:50], y_val=y[:50]
    )
    assert_array_equal(model.feature_names_in_, frame.columns)
    assert model.feature_names_in_.dtype == object
    from_arrays = cls(hidden_layer_sizes=(8,), **{**FAST, "max_iter": 2}).fit(
        bunch.data.to_numpy(), bunch.target.to_numpy()
    )
    # The array is in another order, in which the mean of a column is summed up otherwise.
    assert_allclose(model.predict(frame), from_arrays.predict(bunch.data.to_numpy()), atol=1e-9)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename({frame.columns[0]: "other"}))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(bunch.data.to_numpy())
    model.partial_fit(frame, y)


@pytest.mark.parametrize(
    ("kind", "expected"), [(pl.Float64, "float64"), (pl.Float32, "float32"), (pl.Int16, "float32")]
)
def test_automatic_dtype_looks_at_the_columns_of_a_polars_frame(kind, expected):
    X, y = load_digits(return_X_y=True)
    frame = pl.DataFrame(X, schema=[f"pixel {i}" for i in range(64)]).cast(kind)
    assert MLPClassifier((8,), max_iter=1).fit(frame, y).network_.dtype == expected


# -------------------------------------------------------------------------------------------------- labels

NAMES = {
    "strings": ["barbera", "barolo", "grignolino"],
    "objects": np.array(["barbera", "barolo", "grignolino"], dtype=object),
    "floats": [-1.0, 0.0, 2.0],
    "large integers": [-(2**40), 3, 2**40],
    "booleans": [False, True],
    "dates": np.array(["1990-01-01", "1995-06-01", "2001-12-31"], dtype="datetime64[D]"),
}


@pytest.mark.parametrize("container", [np.asarray, pd.Series, list])
@pytest.mark.parametrize("kind", NAMES)
def test_any_labels_that_can_be_sorted(kind, container):
    X, y = load_wine(return_X_y=True)
    names = np.asarray(NAMES[kind])
    y = names[np.minimum(y, len(names) - 1)]
    model = MLPClassifier((16,), early_stopping=True, **FAST).fit(X, container(y))
    theirs = TheirClassifier((4,), max_iter=1).fit(X, container(y))
    assert model.classes_.dtype == model.predict(X).dtype == theirs.predict(X).dtype
    assert_array_equal(model.classes_, theirs.classes_)
    assert model.score(X, container(y)) > 0.8


def test_labels_of_a_polars_series_and_of_a_categorical():
    bunch = load_wine(as_frame=True)
    names = np.asarray(NAMES["strings"])[bunch.target]
    plain = MLPClassifier((16,), **FAST).fit(bunch.data, names)
    for y in (pl.Series(names), pd.Series(names, dtype="category"), pd.Series(names, dtype="string")):
        model = MLPClassifier((16,), **FAST).fit(bunch.data, y)
        assert_array_equal(model.classes_.astype(str), NAMES["strings"])
        assert_array_equal(model.predict(bunch.data), plain.predict(bunch.data))
