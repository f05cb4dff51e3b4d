"""Tests that dates, times and complex numbers are refused, by column, and the error says what to do."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal
from sklearn.neural_network import MLPClassifier as TheirClassifier

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, Network, Trainer, plots
from fastmlp.layers import Dense
from fastmlp.network.preparation import Preparation
from fastmlp.studies.file.study import Data
from fastmlp.studies.running.study_data import load_data

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 20
X = np.random.RandomState(0).randn(N, 2)
Y = np.arange(N) % 2
DAYS = pd.Series(pd.date_range("2024-01-01", periods=N, unit="us"))
SPANS = DAYS - DAYS[0]


def with_column(column, name="when"):
    """Return a frame of pandas with a column of numbers and this one."""
    return pd.DataFrame({"a": X[:, 0], name: column})


def objects(column):
    return np.c_[X[:, :1].astype(object), np.array(list(column), dtype=object)]


# ------------------------------------------------------------------------------------------------- the inputs

#: Inputs of two columns, and how the message names those that are dates.
DATES = {
    "pandas": (with_column(DAYS), r"column 'when' \(datetime64\[us\]\)"),
    "pandas, with a zone": (with_column(DAYS.dt.tz_localize("Asia/Tokyo")), "column 'when'"),
    "pandas, spans": (with_column(SPANS), "column 'when'"),
    "pandas, periods": (with_column(DAYS.dt.to_period("D")), r"column 'when' \(period\[D\]\)"),
    "pandas, days as objects": (with_column(DAYS.dt.date), r"column 'when' \(date objects\)"),
    "pandas, times as objects": (with_column(DAYS.dt.time), r"column 'when' \(time objects\)"),
    "pandas, stamps as objects": (with_column(DAYS.astype(object)), r"column 'when' \(Timestamp objects\)"),
    "pandas, spans as objects": (with_column(SPANS.astype(object)), r"column 'when' \(Timedelta objects\)"),
    "pandas, one date among numbers": (
        with_column(pd.Series([1.0] * (N - 1) + [DAYS[0]], dtype=object)), "column 'when'",
    ),
    "pandas, categories": (with_column(DAYS.astype("category")), "column 'when'"),
    "pandas, backed by Arrow": (with_column(DAYS.astype("timestamp[us][pyarrow]")), "column 'when'"),
    "pandas, Arrow's days": (with_column(DAYS.astype("date32[day][pyarrow]")), "column 'when'"),
    "pandas, a number for a name": (with_column(DAYS, 7), "column 7"),
    "pandas, all columns": (
        pd.DataFrame({"from": DAYS, "to": DAYS}), r"columns 'from' \(\S+\) and 'to' \(\S+\)"
    ),
    "pandas, two of a name": (
        pd.DataFrame(np.c_[DAYS, DAYS], columns=["when", "when"]), r"columns 'when' \(\S+\) and 'when'"
    ),
    "polars": (pl.DataFrame({"a": X[:, 0], "when": pl.Series(DAYS)}), r"column 'when' \(Datetime"),
    "polars, days": (pl.DataFrame({"a": X[:, 0], "d": pl.Series(DAYS.dt.date)}), r"column 'd' \(Date\)"),
    "polars, times": (pl.DataFrame({"a": X[:, 0], "when": pl.Series(DAYS.dt.time)}), "column 'when'"),
    "polars, spans": (pl.DataFrame({"a": X[:, 0], "when": pl.Series(SPANS)}), r"column 'when' \(Duration"),
    "polars, objects": (
        pl.DataFrame({"a": X[:, 0], "when": pl.Series(list(DAYS), dtype=pl.Object)}), "column 'when'"
    ),
    "Arrow": (pa.table({"a": X[:, 0], "when": pa.array(DAYS)}), r"column 'when' \(timestamp\[us\]\)"),
    "an array": (np.c_[DAYS, DAYS].astype("M8[D]"), r"columns 0 \(datetime64\[D\]\) and 1"),
    "an array of spans": (np.c_[SPANS, SPANS].astype("m8[s]"), r"columns 0 \(timedelta64\[s\]\) and 1"),
    "an array of objects": (objects(DAYS.dt.date), r"column 1 \(date objects\)"),
    "NumPy's dates as objects": (objects(DAYS.to_numpy("M8[D]")), r"column 1 \(datetime64 objects\)"),
    "a list": (objects(DAYS.dt.to_pydatetime()).tolist(), r"column 1 \(datetime objects\)"),
    "a list of NumPy's dates": ([[day, day] for day in DAYS.to_numpy()], "columns 0"),
    "dates that are missing": (objects([pd.NaT] * N), "column 1"),
}  # fmt: skip


def estimator():
    return MLPClassifier((3,), max_iter=2, random_state=0)


def network():
    return Network([Dense(1, "identity")], n_features=2, random_state=0)


#: What is done with inputs, and what they are called there.
USES = {
    "fit": (lambda bad: estimator().fit(bad, Y), "X"),
    "fit of a regressor": (lambda bad: MLPRegressor().fit(bad, X[:, 0]), "X"),
    "X_val": (lambda bad: estimator().fit(X, Y, X_val=bad, y_val=Y), "X_val"),
    "partial_fit": (lambda bad: estimator().partial_fit(bad, Y, classes=[0, 1]), "X"),
    "another partial_fit": (
        lambda bad: estimator().partial_fit(X, Y, classes=[0, 1]).partial_fit(bad, Y), "X"
    ),
    "a warm start": (lambda bad: estimator().set_params(warm_start=True).fit(X, Y).fit(bad, Y), "X"),
    "predict": (lambda bad: estimator().fit(X, Y).predict(bad), "X"),
    "predict_proba": (lambda bad: estimator().fit(X, Y).predict_proba(bad), "X"),
    "score": (lambda bad: estimator().fit(X, Y).score(bad, Y), "X"),
    "hidden_activations": (lambda bad: estimator().fit(X, Y).hidden_activations(bad, 0), "X"),
    "compile": (lambda bad: estimator().fit(X, Y).compile()(bad), "X"),
    "fastmlp.fit": (lambda bad: fastmlp.fit(bad, Y), "X"),
    "fastmlp.fit's X_val": (lambda bad: fastmlp.fit(X, Y, bad, Y), "X_val"),
    "fit_many": (lambda bad: fastmlp.fit_many([{}], bad, Y), "X"),
    "fit_many's X_val": (lambda bad: fastmlp.fit_many([{}], X, Y, bad, Y), "X_val"),
    "Preparation.fit": (lambda bad: Preparation.fit(bad, "table"), "X"),
    "Network.predict": (lambda bad: network().predict(bad), "X"),
    "Network.forward": (lambda bad: network().forward(bad), "X"),
    "Network.evaluate": (lambda bad: network().evaluate(bad, X[:, 0], "squared_error"), "X"),
    "Network.gradients": (lambda bad: network().gradients(bad, X[:, 0], "squared_error"), "X"),
    "Trainer.fit": (lambda bad: Trainer(network(), "squared_error").fit(bad, X[:, 0]), "X"),
    "Trainer.fit's X_val": (
        lambda bad: Trainer(network(), "squared_error").fit(X, X[:, 0], bad, X[:, 0]), "X_val"
    ),
    "a picture": (lambda bad: plots.decision_boundary(estimator().fit(X, Y), bad, Y), "X"),
}  # fmt: skip


#: Every case where columns are looked for in their own way, and every use with what is read in its own way.
PAIRS = [
    (case, use)
    for case in DATES
    for use in USES
    if use in ("fit", "fastmlp.fit", "compile") or case in ("pandas", "polars", "Arrow", "an array", "a list")
]


@pytest.mark.parametrize(("case", "use"), PAIRS)
def test_columns_of_dates_are_refused_by_name(case, use):
    bad, named = DATES[case]
    call, argument = USES[use]
    with pytest.raises(ValueError, match=rf"^{argument} has dates or times in the {named}.*total_seconds"):
        call(bad)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (X + 1j, "[Cc]omplex"),
        ((X + 1j).astype(object), r"Complex data not supported.* 0 and 1"),
        (with_column((X[:, 1] + 1j).astype(object)), r"Complex data not supported.* 'when'"),
        (np.zeros((N, 2), dtype=[("a", float), ("b", float)]), r"array of records with the fields 'a', 'b'"),
        (np.zeros((N, 2), dtype=[("a", float)]), r"array of records with the fields 'a'"),
        (np.zeros((N, 2), dtype="V8"), "array of records"),
    ],
    ids=["complex", "complex objects", "a complex column", "records", "records of one field", "void"],
)
def test_complex_numbers_and_records_are_refused(bad, says, use):
    with pytest.raises(ValueError, match=says):
        USES[use][0](bad)


def test_one_row_is_refused_by_a_compiled_model():
    function = estimator().fit(X, Y).compile()
    for row in (DAYS.to_numpy()[:2], list(DAYS[:2]), DAYS[:2], objects(DAYS)[0]):
        with pytest.raises(ValueError, match="dates or times"):
            function(row)


def test_a_compiled_model_reads_numbers_that_are_objects():
    function = estimator().fit(X, Y).compile()
    assert_array_equal(function(X.astype(object)), function(X))
    assert_array_equal(function(X[0].astype(object)), function(X[0]))


def test_a_study_that_scales_its_data_refuses_dates(tmp_path):
    path = tmp_path / "dates.npz"
    np.savez(path, X=np.c_[DAYS, DAYS].astype("M8[s]"), y=Y)
    data = Data(str(path), "y", center=1, scale=2)
    with pytest.raises(ValueError, match=r"dates.npz: X holds dates"):
        load_data(data, False)


def test_many_columns_are_named_in_short():
    frame = pd.DataFrame({f"day {i}": DAYS for i in range(9)})
    with pytest.raises(ValueError, match=r"'day 4' \(datetime64\[us\]\) and 4 more;"):
        MLPClassifier().fit(frame, Y)


def test_a_model_that_was_fitted_is_left_whole():
    model = estimator().fit(X, Y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="dates"):
        model.fit(with_column(DAYS), Y)
    assert_array_equal(model.predict_proba(X), before)


# ------------------------------------------------------------------------------------------------ the targets

TARGETS = {
    "datetime64": DAYS.to_numpy(), "timedelta64": SPANS.to_numpy(), "days": DAYS.to_numpy("M8[D]"),
    "pandas": DAYS, "pandas, a zone": DAYS.dt.tz_localize("UTC"), "pandas, spans": SPANS,
    "pandas, periods": DAYS.dt.to_period("D"), "an index": pd.DatetimeIndex(DAYS),
    "a frame": DAYS.to_frame(), "a frame with numbers": with_column(DAYS),
    "pandas, Arrow": DAYS.astype("timestamp[us][pyarrow]"), "polars": pl.Series(DAYS),
    "polars, spans": pl.Series(SPANS), "polars, a frame": pl.DataFrame({"y": pl.Series(DAYS)}),
    "polars, with numbers": pl.DataFrame({"a": X[:, 0], "y": pl.Series(DAYS)}),
    "Arrow": pa.array(DAYS), "Arrow, chunked": pa.chunked_array([pa.array(DAYS)]),
    "objects": np.array(list(DAYS.dt.date), dtype=object), "stamps": DAYS.astype(object),
    "a list": list(DAYS.dt.to_pydatetime()), "spans in a list": [datetime.timedelta(i) for i in range(N)],
    "NumPy's as objects": np.array(list(DAYS.to_numpy()), dtype=object),
}  # fmt: skip
FITS = {
    "fit": (lambda y: MLPRegressor().fit(X, y), "y"),
    "partial_fit": (lambda y: MLPRegressor().partial_fit(X, y), "y"),
    "y_val": (lambda y: MLPRegressor().fit(X, X[:, 0], X_val=X, y_val=y), "y_val"),
    "score": (lambda y: MLPRegressor(max_iter=2).fit(X, X[:, 0]).score(X, y), "y"),
    "fastmlp.fit": (lambda y: fastmlp.fit(X, y), "y"),
    "fastmlp.fit, regression": (lambda y: fastmlp.fit(X, y, task="regression"), "y"),
    "fit_many": (lambda y: fastmlp.fit_many([{}], X, y), "y"),
    "fit_many's estimator": (lambda y: fastmlp.fit_many([{}], X, y, estimator=MLPRegressor()), "y"),
    "Network.evaluate": (lambda y: network().evaluate(X, y, "squared_error"), "y"),
    "Trainer.fit": (lambda y: Trainer(network(), "squared_error").fit(X, y), "y"),
}


TARGET_PAIRS = [
    (case, use)
    for case in TARGETS
    for use in FITS
    if use in ("fit", "fastmlp.fit") or case in ("datetime64", "pandas", "polars, with numbers", "objects")
]


@pytest.mark.parametrize(("case", "use"), TARGET_PAIRS)
def test_targets_that_are_dates_are_refused(case, use):
    call, argument = FITS[use]
    with pytest.raises(ValueError, match=rf"^{argument} holds dates or times \(.*total_seconds\(\).*astype"):
        call(TARGETS[case])


@pytest.mark.parametrize("case", ["datetime64", "timedelta64", "days", "pandas", "polars", "polars, spans"])
def test_a_classifier_takes_dates_for_classes_where_scikit_learns_does(case):
    y = TARGETS[case][:N]
    ours, theirs = (cls(max_iter=2).fit(X, y) for cls in (MLPClassifier, TheirClassifier))
    assert_array_equal(ours.classes_, theirs.classes_)
    assert ours.predict(X).dtype == theirs.predict(X).dtype
    assert isinstance(fastmlp.fit(X, y, task="classification", max_iter=2), MLPClassifier)


@pytest.mark.parametrize("case", ["pandas, a zone", "pandas, periods", "objects", "a list", "stamps"])
def test_a_classifier_refuses_other_dates(case):
    for cls in (MLPClassifier, TheirClassifier):
        with pytest.raises(ValueError, match="Unknown label" if cls is TheirClassifier else "dates or times"):
            cls().fit(X, TARGETS[case])


@pytest.mark.parametrize("weights", [DAYS, SPANS.to_numpy(), list(DAYS), X[:, 0] + 1j], ids=type)
def test_weights_that_are_dates_or_complex_are_refused(weights):
    for cls in (MLPClassifier, MLPRegressor):
        with pytest.raises((TypeError, ValueError), match=r"(?i)sample_weight.*(dates|complex)"):
            cls().fit(X, Y, sample_weight=weights)
