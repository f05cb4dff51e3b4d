"""Tests of the rule by which targets are classified or regressed, and of the line that tells it."""

import datetime
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import coo_array, csc_matrix, csr_matrix
from sklearn.datasets import load_iris

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.tabular.tasks import choose_task


def objects(*values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


COUNTS = np.random.RandomState(0).negative_binomial(3, 0.02, 5000)
EYE = np.eye(3, dtype=int)

#: Targets, whether they are classes, and a part of the reason.
CASES = {
    # Text, booleans, categories, indicators: classes, whatever their number.
    "strings": (["a", "b"], True, "strings"),
    "different strings": ([f"id {i}" for i in range(200)], True, "strings"),
    "strings of numbers": (["1.5", "2.5"], True, "strings"),
    "strings as objects": (objects("a", "b"), True, "strings"),
    "strings of NumPy 2": (np.array(["a", "b"], dtype=np.dtypes.StringDType()), True, "strings"),
    "bytes": (np.array([b"a", b"b"]), True, "strings"),
    "strings, one missing": (objects("a", None, "b"), True, "strings"),
    "strings, one NaN": (objects("a", np.nan, "b"), True, "strings"),
    "pandas strings": (pd.Series(["a", None], dtype="string"), True, "strings"),
    "polars strings": (pl.Series(["a", "b"]), True, "strings"),
    "Arrow strings": (pa.array(["a", "b"]), True, "strings"),
    "booleans": ([True, False, True], True, "booleans"),
    "booleans as objects": (objects(True, False), True, "booleans"),
    "nullable booleans": (pd.Series([True, None], dtype="boolean"), True, "booleans"),
    "categories": (pd.Series(["a", "b"], dtype="category"), True, "categories"),
    "categories of numbers": (pd.Series([0.5, 7, 1e9], dtype="category"), True, "categories"),
    "a categorical": (pd.Categorical([70, 3]), True, "categories"),
    "a frame of categories": (pd.DataFrame({"y": pd.Categorical([70, 3])}), True, "categories"),
    "polars categories": (pl.Series(["a", "b"], dtype=pl.Categorical), True, "categories"),
    "polars enum": (pl.Series(["a", "b"], dtype=pl.Enum(["b", "a"])), True, "categories"),
    "a polars frame": (pl.DataFrame({"y": pl.Series(["a"], dtype=pl.Categorical)}), True, "categories"),
    "an Arrow dictionary": (pa.array(["a", "b"]).dictionary_encode(), True, "categories"),
    "indicators": (EYE, True, "label indicators"),
    "indicators of bytes": (EYE.astype(np.uint8), True, "label indicators"),
    "indicators of floats": (EYE.astype(float), True, "label indicators"),
    "indicators as objects": (EYE.astype(object), True, "label indicators"),
    "indicators, all zero": (np.zeros((4, 2)), True, "label indicators"),
    "boolean indicators": (EYE.astype(bool), True, "booleans"),
    "sparse indicators": (csr_matrix(EYE), True, "label indicators"),
    "sparse floats": (csc_matrix(EYE * 1.0), True, "label indicators"),
    "sparse booleans": (coo_array(EYE.astype(bool)), True, "label indicators"),
    "sparse numbers": (csr_matrix(EYE * 2), False, "sparse"),
    "a sparse column": (csr_matrix(EYE[:, :1]), False, "sparse"),
    # Integers from 0 or 1 up, without gaps, at most 100 of them, each five times on average.
    "digits": (np.tile(np.arange(10), 143), True, "the integers 0 to 9, each about 143 times"),
    "from 1": (np.tile([1, 2, 3], 5), True, "the integers 1 to 3, each about 5 times"),
    "as a list": ([0, 1, 2] * 5, True, "the integers 0 to 2"),
    "unequal": ([0] * 13 + [1, 2], True, "the integers 0 to 2, each about 5 times"),
    "100 classes": (np.tile(np.arange(100), 5), True, "0 to 99"),
    "100 classes from 1": (np.tile(np.arange(1, 101), 5), True, "1 to 100"),
    "101 classes": (np.tile(np.arange(101), 50), False, "up to 100, more than 100 classes"),
    "4.99 times": (np.tile(np.arange(100), 5)[:-1], False, "4.99 times on average, fewer than 5"),
    "four times": ([0, 1, 2] * 4, False, "each 4 times on average"),
    "each once": (np.arange(60), False, "each 1 times"),
    "gaps": (np.tile([0, 1, 3], 20), False, "gaps"),
    "from 2": (np.tile([2, 3, 4], 20), False, "begin at 2"),
    "one class of 3": ([3] * 20, False, "begin at 3"),
    "negative": (np.tile([-1, 1], 20), False, "begin at -1"),
    "from -1": (np.tile([-1, 0, 1], 20), False, "begin at -1"),
    "counts": (COUNTS, False, "begin at 4"),
    "bytes of numbers": (np.tile(np.arange(3, dtype=np.uint8), 5), True, "the integers 0 to 2"),
    "all bytes": (np.arange(256, dtype=np.uint8).repeat(9), False, "up to 255, more than 100 classes"),
    "as 64 bits unsigned": (np.tile(np.uint64([1, 2**64 - 1]), 9), False, "more than 100 classes"),
    "far apart": (np.array([-(2**63), 2**63 - 1, 0]), False, "begin at -9223372036854775808"),
    "beyond 64 bits": (objects(1, 2**70, 2), False, "more than 100 classes"),
    "integers as objects": (objects(0, 1, 2).repeat(5), True, "the integers 0 to 2"),
    "NumPy's integers as objects": (objects(*np.tile(np.arange(3), 5)), True, "the integers 0 to 2"),
    "nullable integers": (pd.Series([0, 1, 2] * 5, dtype="Int64"), True, "the integers 0 to 2"),
    "objects, one missing": (objects(*[0, 1, 2] * 5, None), True, "the integers 0 to 2"),
    "Arrow-backed": (pd.Series([0, 1, 2] * 5, dtype="int64[pyarrow]"), True, "the integers 0 to 2"),
    "Arrow": (pa.chunked_array([[0, 1, 2] * 5]), True, "the integers 0 to 2"),
    "polars": (pl.Series([0, 1, 2] * 5), True, "the integers 0 to 2"),
    "a column": (np.tile([0, 1, 2], 5).reshape(-1, 1), True, "the integers 0 to 2"),
    "a frame of a column": (pd.DataFrame({"y": [0, 1, 2] * 5}), True, "the integers 0 to 2"),
    "a list of columns": ([[0], [1], [2]] * 5, True, "the integers 0 to 2"),
    "several columns": (np.tile([0, 1, 2], (20, 2)), False, "6 columns"),
    # Numbers that are only 0 and 1, whatever their type and count.
    "0 and 1": ([0, 1], True, "only 0 and 1"),
    "floats 0 and 1": ([0.0, 1.0, 0.0], True, "only 0 and 1"),
    "float32": (np.array([0, 1], dtype=np.float32), True, "only 0 and 1"),
    "floats as objects": (objects(0.0, 1.0), True, "only 0 and 1"),
    "decimals 0 and 1": (objects(Decimal(0), Decimal("1.00")), True, "only 0 and 1"),
    "floats, one NaN": ([0.0, 1.0, np.nan], True, "only 0 and 1"),
    "zeros": (np.zeros(7), True, "only 0 and 1"),
    "ones": ([1], True, "only 0 and 1"),
    # All other numbers.
    "whole floats": (np.tile([1.0, 2.0, 3.0], 50), False, "floating-point numbers"),
    "floats 0 to 2": (np.tile([0.0, 1.0, 2.0], 50), False, "floating-point numbers"),
    "fractions": ([0.5, 2.0], False, "fractions"),
    "half precision": (np.array([0.5, 1], dtype=np.float16), False, "fractions"),
    "fractions as objects": (objects(0.5, 1), False, "fractions"),
    "Python's fractions": (objects(Fraction(1, 3), 1), False, "fractions"),
    "decimals": (objects(Decimal("0.10"), Decimal(3)), False, "fractions"),
    "polars decimals": (pl.Series([Decimal("0.10"), Decimal("3")]), False, "fractions"),
    "infinity": ([0.0, 1.0, np.inf], False, "floating-point numbers"),
    "columns of fractions": (np.full((4, 2), 0.5), False, "2 columns"),
    "nothing": ([], False, "empty"),
    "no rows of two": (np.zeros((0, 2)), True, "label indicators"),
    "all missing": (objects(None, None), False, "empty"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_task_follows_from_the_targets(name):
    y, classes, reason = CASES[name]
    task = choose_task(y)
    assert task.is_classification is classes
    assert reason in task.reason
    assert task.reason.startswith("y ")


DATES = pd.date_range("2024-01-01", periods=3)


@pytest.mark.parametrize(
    "y",
    [DATES, DATES - DATES[0], DATES.tz_localize("UTC"), DATES.to_period("D"), pl.Series(DATES),
     list(DATES.date), [datetime.timedelta(1)], pa.array(DATES), pd.Series(DATES).astype(object),
     [datetime.time(12)], objects(pd.NaT, 1.0)],
    ids=lambda y: type(y).__name__,
)  # fmt: skip
@pytest.mark.parametrize("task", ["auto", "regression"])
def test_dates_are_neither(y, task):
    with pytest.raises(ValueError, match=r"y holds dates or times.*total_seconds\(\).*astype\(str\)"):
        choose_task(y, task)


def test_a_task_that_is_given_decides():
    assert choose_task([0.0, 7.0], "classification").is_classification
    assert not choose_task([0, 1, 1, 0], "regression").is_classification
    assert not choose_task([True, False], "regression").is_classification
    assert not choose_task(["1.5", "2"], "regression").is_classification
    assert choose_task(DATES, "classification").is_classification


@pytest.mark.parametrize("task", ["clustering", "Auto", None, 1, ["auto"]])
def test_another_task_is_refused(task):
    with pytest.raises(ValueError, match=r"^task=.* is not known; choose 'auto', 'classification' or 'regr"):
        choose_task([0, 1], task)
    with pytest.raises(ValueError, match="task="):
        fastmlp.fit(np.eye(2), [0, 1], task=task)


@pytest.mark.parametrize(
    ("y", "task", "such_as"),
    [
        ([0.25, 1], "classification", r"0\.25"),
        (objects(Decimal("1.5"), 1), "classification", r"1\.5"),
        (pl.Series([1.0, 2.5]), "classification", r"2\.5"),
        (["1", "a"], "regression", "'a'"),
        (pd.Series(["a", "b"], dtype="category"), "regression", "'a'"),
        (np.array([b"a", b"b"]), "regression", ".*b'a'.*"),
        (objects(1.0, "b"), "regression", "'b'"),
    ],
)
def test_a_task_that_cannot_be_is_refused(y, task, such_as):
    other = {"classification": "regression", "regression": "classification"}[task]
    holds = (
        "classes, and y holds numbers with fractions"
        if other == "regression"
        else "numbers, and y holds strings"
    )
    says = f"needs {holds}, such as {such_as}"
    with pytest.raises(ValueError, match=f"^task='{task}' {says}.*task='{other}'"):
        fastmlp.fit(np.arange(4.0).reshape(2, 2), y, task=task)
    with pytest.raises(ValueError, match=f"^--task {task} {says}.*--task {other}"):
        choose_task(y, task, option="--task")


@pytest.mark.parametrize("y", [["a", "b"], [0, 1], [1.5, 2]])
def test_the_sentence_says_which_why_and_how_to_choose_the_other(y):
    task = choose_task(y)
    this, other = ("classification", "regression")[:: 1 if task.is_classification else -1]
    assert task.sentence() == f"{this.capitalize()}: {task.reason}. For {other} set task={other!r}."
    assert task.sentence("--task").endswith(f" For {other} set --task {other}.")
    assert "\n" not in task.sentence()


# ------------------------------------------------------------------------------------------ where it is used

X, Y = load_iris(return_X_y=True)
FITS = {
    "fit": (lambda y, **kw: fastmlp.fit(X, y, max_iter=2, **kw), "task='{}'"),
    "fit_many": (lambda y, **kw: fastmlp.fit_many([{"max_iter": 2}], X, y, **kw)[0], "estimator=MLP{}()"),
}


@pytest.fixture(params=FITS)
def fit(request):
    return FITS[request.param]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("y", [Y, Y * 1.0, Y == 1, np.array(["a", "b", "c"])[Y]], ids=lambda y: y.dtype.name)
def test_the_line_is_said_with_progress_only(fit, y, capsys, monkeypatch):
    train, _ = fit
    line = choose_task(y).reason
    train(y, progress=False)
    train(y)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    train(y)
    out, err = capsys.readouterr()
    assert out == ""
    assert line in err
    assert len(err.splitlines()) == 1
    train(y, progress=False)
    assert capsys.readouterr() == ("", "")
    monkeypatch.delattr(sys, "ps1")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    train(y)
    assert line in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_line_says_how_to_choose_the_other_here(fit, capsys):
    train, how = fit
    train(Y, progress=True)
    name = "Regressor" if "MLP" in how else "regression"
    assert f"For regression set {how.format(name)}." in capsys.readouterr().err


def test_a_task_or_an_estimator_that_is_given_needs_no_line(capsys):
    fastmlp.fit(X, Y, task="regression", max_iter=2, progress=True)
    with pytest.warns(match="hasn't converged"):
        fastmlp.fit_many([{"max_iter": 1}], X, Y, estimator=MLPRegressor(), progress=True)
    with pytest.warns(match="hasn't converged"):
        fastmlp.fit_many([MLPRegressor(max_iter=1)], X, Y, progress=True)
    assert "set " not in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_counts_make_a_regressor(fit):
    train, _ = fit
    assert isinstance(train(COUNTS[: len(X)]), MLPRegressor)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_floats_that_are_0_and_1_make_a_classifier(fit):
    train, _ = fit
    model = train((Y == 1) * 1.0)
    assert isinstance(model, MLPClassifier)
    assert_array_equal(model.classes_, [0.0, 1.0])
