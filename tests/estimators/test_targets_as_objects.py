"""Tests of targets and weights that are Python objects: numbers, decimals, text, and what is missing."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import cross_val_score
from sklearn.neural_network import MLPRegressor as TheirRegressor

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, Network, Trainer
from fastmlp.layers import Dense

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 40
X = np.random.RandomState(0).randn(N, 3)
CODES = np.arange(N) % 3
REALS = np.round(X[:, 0], 3)


def objects(values):
    array = np.empty(len(values), dtype=object)
    array[:] = list(values)
    return array


DECIMALS = [Decimal(str(value)) for value in REALS]
#: Numbers in other forms, and the plain array that they are.
NUMBERS = {
    "objects": (objects(REALS.tolist()), REALS),
    "NumPy's numbers": (objects(REALS), REALS),
    "decimals": (objects(DECIMALS), REALS),
    "decimals in a list": (DECIMALS, REALS),
    "decimals of pandas": (pd.Series(DECIMALS), REALS),
    "decimals of polars": (pl.Series(DECIMALS), REALS),
    "decimals of Arrow": (pa.array(DECIMALS), REALS),
    "decimals in a column": (objects(DECIMALS).reshape(-1, 1)[:, 0], REALS),
    "mixed": (objects([Decimal("0.5"), 2, True, 0.25, np.float32(3)] * 8), np.tile([0.5, 2, 1, 0.25, 3], 8)),
    "fractions": (objects([Fraction(1, 3), 2] * 20), np.tile([1 / 3, 2], 20)),
    "integers": (objects(CODES.tolist()), CODES),
    "integers, gaps": (objects((7 * CODES).tolist()), 7 * CODES),
    "booleans": (objects((CODES == 1).tolist()), CODES == 1),
    "beyond 64 bits": (objects([2**70, 1] * 20), np.tile([2.0**70, 1], 20)),
    "two columns": (np.c_[objects(DECIMALS), objects(DECIMALS)], np.c_[REALS, REALS]),
}
REGRESSIONS = {
    "fit": lambda y: MLPRegressor(max_iter=2, random_state=0).fit(X, y),
    "partial_fit": lambda y: MLPRegressor(random_state=0).partial_fit(X, y),
    "fit_many": lambda y: fastmlp.fit_many(
        [{"max_iter": 2, "random_state": 0}], X, y, estimator=MLPRegressor()
    )[0],
    "fastmlp.fit": lambda y: fastmlp.fit(X, y, task="regression", max_iter=2, random_state=0),
    "y_val": lambda y: MLPRegressor(max_iter=2, random_state=0).fit(
        X, np.asarray(y, float), X_val=X, y_val=y
    ),
}


@pytest.mark.parametrize("use", REGRESSIONS)
@pytest.mark.parametrize("case", NUMBERS)
def test_a_regressor_trains_on_them_as_on_plain_numbers(case, use):
    y, plain = NUMBERS[case]
    model, expected = REGRESSIONS[use](y), REGRESSIONS[use](plain)
    assert isinstance(model, MLPRegressor)
    assert_array_equal(model.predict(X), expected.predict(X))
    assert model.validation_scores_ == expected.validation_scores_
    assert model.score(X, y) == expected.score(X, plain)


@pytest.mark.parametrize("case", [case for case in NUMBERS if "Arrow" not in case])
def test_scikit_learns_regressor_takes_them_too(case):
    y, plain = NUMBERS[case]
    assert_allclose(
        TheirRegressor(max_iter=2, random_state=0).fit(X, y).predict(X),
        TheirRegressor(max_iter=2, random_state=0).fit(X, plain).predict(X),
    )


CLASSES = {
    "integers": (objects(CODES.tolist()), CODES),
    "NumPy's integers": (objects(CODES), CODES),
    "booleans": (objects((CODES == 1).tolist()), CODES == 1),
    "whole floats": (objects((CODES == 1).astype(float)), (CODES == 1) * 1.0),
    "decimals": (objects([Decimal(int(code == 1)) for code in CODES]), (CODES == 1) * 1.0),
    "decimals of polars": (pl.Series([Decimal(int(code == 1)) for code in CODES]), (CODES == 1) * 1.0),
    "beyond 63 bits": (objects([2**64 - 1, 1] * 20), np.array([2**64 - 1, 1] * 20, dtype=np.uint64)),
    "indicators": (np.eye(3, dtype=int)[CODES].astype(object), np.eye(3, dtype=int)[CODES]),
}
CLASSIFICATIONS = {
    "fit": lambda y, _: MLPClassifier(max_iter=2, random_state=0).fit(X, y),
    "fit_many": lambda y, _: fastmlp.fit_many(
        [{"max_iter": 2, "random_state": 0}], X, y, estimator=MLPClassifier()
    )[0],
    "fastmlp.fit": lambda y, _: fastmlp.fit(X, y, task="classification", max_iter=2, random_state=0),
    "X_val": lambda y, plain: MLPClassifier(max_iter=2, random_state=0).fit(X, plain, X_val=X, y_val=y),
    "early stopping": lambda y, _: MLPClassifier(max_iter=2, random_state=0, early_stopping=True).fit(X, y),
}


@pytest.mark.parametrize("use", CLASSIFICATIONS)
@pytest.mark.parametrize("case", CLASSES)
def test_a_classifier_trains_on_them_as_on_plain_numbers(case, use):
    y, plain = CLASSES[case]
    model, expected = CLASSIFICATIONS[use](y, plain), CLASSIFICATIONS[use](plain, plain)
    assert isinstance(model, MLPClassifier)
    assert model.classes_.dtype == expected.classes_.dtype
    assert_array_equal(model.classes_, expected.classes_)
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert model.validation_scores_ == expected.validation_scores_
    assert model.score(X, y) == expected.score(X, plain)


@pytest.mark.parametrize("case", [case for case in CLASSES if case not in ("indicators", "beyond 63 bits")])
def test_partial_fit_takes_them_also_for_its_classes(case):
    y, plain = CLASSES[case]
    model = MLPClassifier(random_state=0).partial_fit(X, y, classes=np.unique(np.asarray(y)))
    expected = MLPClassifier(random_state=0).partial_fit(X, plain, classes=np.unique(plain))
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    model.partial_fit(X[:5], y[:5])


def test_numpys_strings_of_any_length_are_classes():
    y = np.array(["a", "b"])[CODES % 2]
    model = fastmlp.fit(X, y.astype(np.dtypes.StringDType()), max_iter=2, random_state=0)
    assert_array_equal(model.classes_, ["a", "b"])
    assert_array_equal(model.predict(X), fastmlp.fit(X, y, max_iter=2, random_state=0).predict(X))


def test_the_task_follows_from_their_values():
    assert isinstance(fastmlp.fit(X, objects(CODES.tolist()), max_iter=2), MLPClassifier)
    assert isinstance(fastmlp.fit(X, pl.Series(DECIMALS), max_iter=2), MLPRegressor)
    assert isinstance(fastmlp.fit_many([{"max_iter": 2}], X, pl.Series(DECIMALS))[0], MLPRegressor)


def test_a_classifier_refuses_fractions_of_any_kind():
    for y in (objects(DECIMALS), pl.Series(DECIMALS), objects([2**70, 1] * 20)):
        with pytest.raises(ValueError, match="Unknown label type"):
            MLPClassifier().fit(X, y)


def test_models_of_objects_are_cross_validated_and_saved(tmp_path):
    y = objects(CODES.tolist())
    assert np.isfinite(cross_val_score(MLPClassifier(max_iter=2), X, y, cv=3)).all()
    model = MLPClassifier(max_iter=2).fit(X, y)
    model.save(tmp_path / "model.safetensors")
    loaded = fastmlp.load(tmp_path / "model.safetensors")
    assert_array_equal(loaded.predict(X), model.predict(X))


def test_networks_read_them():
    network = Network([Dense(3, "softmax")], n_features=3, random_state=0)
    labels = objects(CODES.tolist())
    expected, _ = network.evaluate(X, CODES, "cross_entropy")
    assert network.evaluate(X, labels, "cross_entropy")[0] == expected
    Trainer(network, "cross_entropy").fit(X, labels, X, labels)
    network = Network([Dense(1, "identity")], n_features=3, random_state=0)
    expected, _ = network.evaluate(X, REALS, "squared_error")
    assert network.evaluate(X, objects(DECIMALS), "squared_error")[0] == expected


# ---------------------------------------------------------------------------------- text and what is missing

TEXT = np.array(["a", "b"])[CODES % 2]
NO_CLASSES = {
    "None": objects(["a", None, *TEXT[2:]]),
    "NaN": objects(["a", np.nan, *TEXT[2:]]),
    "NumPy's NaN": objects(["a", np.float32("nan"), *TEXT[2:]]),
    "a list": ["a", None, *TEXT[2:]],
    "NumPy's strings": np.array(["a", None, *TEXT[2:]], dtype=np.dtypes.StringDType(na_object=None)),
    "pandas": pd.Series(["a", None, *TEXT[2:]], dtype="string"),
    "pandas, objects": pd.Series(["a", None, *TEXT[2:]], dtype=object),
    "pandas, Arrow": pd.Series(["a", None, *TEXT[2:]], dtype="string[pyarrow]"),
    "categories": pd.Series(["a", None, *TEXT[2:]], dtype="category"),
    "polars": pl.Series(["a", None, *TEXT[2:]]),
    "polars, categories": pl.Series(["a", None, *TEXT[2:]], dtype=pl.Categorical),
    "Arrow": pa.array(["a", None, *TEXT[2:]]),
    "booleans": pl.Series([True, None] * 20),
    "nullable booleans": objects([True, pd.NA] * 20),
    "integers": objects([1, None] * 20),
    "a column": objects(["a", None, *TEXT[2:]]).reshape(-1, 1),
}
FITS = {
    "fit": lambda y: MLPClassifier().fit(X, y),
    "partial_fit": lambda y: MLPClassifier().partial_fit(X, y, classes=["a", "b"]),
    "fit_many": lambda y: fastmlp.fit_many([{}], X, y),
    "fastmlp.fit": lambda y: fastmlp.fit(X, y),
    "y_val": lambda y: MLPClassifier().fit(X, TEXT, X_val=X, y_val=y),
    "score": lambda y: MLPClassifier(max_iter=1).fit(X, TEXT).score(X, y),
}


@pytest.mark.parametrize("use", FITS)
@pytest.mark.parametrize("case", NO_CLASSES)
def test_missing_classes_are_refused_with_their_row(case, use):
    argument = "y_val" if use == "y_val" else "y"
    says = f"^{argument} has missing values, the first in row 1: drop these rows or give them a class.$"
    with pytest.raises(ValueError, match=says):
        FITS[use](NO_CLASSES[case])


@pytest.mark.parametrize(
    "y", [objects([0.5, None] * 20), objects([0.5, pd.NA] * 20), objects(["1", None] * 20)]
)
def test_missing_numbers_are_refused_with_their_row(y):
    for cls in (MLPRegressor, MLPClassifier):
        with pytest.raises(ValueError, match="y has missing values, the first in row 1: drop these rows"):
            cls().fit(X, y)


@pytest.mark.parametrize("use", FITS)
def test_strings_among_numbers_are_no_classes(use):
    argument = "y_val" if use == "y_val" else "y"
    says = f"^{argument} has strings and numbers for classes, such as 'b' in row 1 and 7 in row 0; make all"
    with pytest.raises(ValueError, match=says):
        FITS[use](objects([7, "b"] * 20))


@pytest.mark.parametrize("y", [["a", "1"] * 20, objects(["1", "a"] * 20), objects([1, "a"] * 20)])
def test_a_regressor_refuses_text(y):
    with pytest.raises(
        ValueError, match=r"^y holds strings that are not numbers, such as 'a' in row [01]; a reg"
    ):
        MLPRegressor().fit(X, y)
    with pytest.raises(
        ValueError, match=r"^task='regression' needs numbers, and y holds strings, such as 'a'"
    ):
        fastmlp.fit(X, y, task="regression")


@pytest.mark.parametrize("kind", [list, np.array, objects, pd.Series, pl.Series])
def test_a_regressor_reads_numbers_that_are_text(kind):
    y = kind([str(value) for value in REALS])
    expected = MLPRegressor(max_iter=2, random_state=0).fit(X, REALS).predict(X)
    assert_array_equal(MLPRegressor(max_iter=2, random_state=0).fit(X, y).predict(X), expected)


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_indicators_of_other_numbers_are_refused_by_the_classifier_alone(cls):
    ones = np.eye(2, dtype=int)[CODES % 2]
    for Y, value in ((2.0 * ones, "2.0"), (2 * ones - 1, "-1"), ((2 * ones).astype(object), "2")):
        if cls is MLPRegressor:
            cls(max_iter=1).fit(X, Y)
        else:
            with pytest.raises(ValueError, match=f"must be label indicators of 0 and 1; it holds {value}"):
                cls().fit(X, Y)


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize(
    "as_objects", [lambda x: x.astype(object), np.vectorize(lambda x: Decimal(repr(float(x))))]
)
def test_inputs_and_weights_may_be_objects(cls, as_objects):
    weight = 1 + np.arange(N) % 3
    model = cls(max_iter=2, random_state=0, dtype="float64").fit(X, CODES, sample_weight=weight)
    other = cls(max_iter=2, random_state=0, dtype="float64").fit(
        as_objects(X), CODES, sample_weight=as_objects(weight)
    )
    assert_array_equal(other.predict(as_objects(X)), model.predict(X))
    assert other.loss_curve_ == model.loss_curve_


def test_a_date_that_is_missing_among_classes_is_named():
    with pytest.raises(ValueError, match=r"y has missing values, the first in row 1"):
        MLPClassifier().fit(np.zeros((4, 2)), np.array(["2020", "NaT"] * 2, "M8[D]"))
