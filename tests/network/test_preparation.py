"""Tests of Preparation: the standardisation that a model carries with it."""

import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import StandardScaler

from fastmlp.network.preparation import KINDS, Preparation, kind_for

BYTES = np.random.default_rng(0).integers(0, 256, size=(3000, 20), dtype=np.uint8)


def prepared(preparation, X):
    return (X.astype(np.float64) - preparation.center) * preparation.scale


@pytest.mark.parametrize("kind", ["uint8", "float32", "float64", "int64"])
@pytest.mark.parametrize("n", [1, 2, 1023, 1024, 1025, 3000])
def test_tables_are_standardised_as_scikit_learn_does(n, kind):
    X = (BYTES[:n] * np.arange(1, 21) % 251).astype(kind)
    preparation = Preparation.fit(X, "table")
    scaler = StandardScaler().fit(X.astype(np.float64))
    assert_allclose(preparation.center, scaler.mean_, rtol=1e-10)
    assert_allclose(preparation.scale, 1 / scaler.scale_, rtol=1e-10)
    assert preparation.center.dtype == preparation.scale.dtype == np.float64


@pytest.mark.parametrize("kind", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("n", [1, 1024, 1500, 3000])
def test_images_have_one_mean_and_one_scale(n, kind):
    X = (BYTES[:n] // np.arange(1, 21)).astype(kind)  # each column with a spread of its own
    preparation = Preparation.fit(X, "image")
    assert preparation.center.shape == preparation.scale.shape == (20,)
    assert_allclose(preparation.center, X.astype(np.float64).mean(), rtol=1e-10)
    assert_allclose(preparation.scale, 1 / X.astype(np.float64).std(), rtol=1e-10)


@settings(deadline=None)
@given(X=arrays(np.float64, (30, 3), elements=st.integers(-(10**6), 10**6)))
def test_prepared_columns_have_mean_0_and_deviation_0_or_1(X):
    result = prepared(Preparation.fit(X, "table"), X)
    assert_allclose(result.mean(axis=0), 0, atol=1e-6)
    for column, deviation in zip(X.T, result.std(axis=0), strict=True):
        if column.std() > 1e-6 * np.abs(column).max():
            assert_allclose(deviation, 1, rtol=1e-6)
        assert deviation < 1 + 1e-6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0.0, 5.0, -1e9, 1e-30])
def test_what_does_not_vary_keeps_the_scale_1(value, kind):
    preparation = Preparation.fit(np.full((50, 4), value), kind)
    assert_allclose(preparation.scale, 1)
    assert_allclose(preparation.center, value)


def test_one_constant_column_leaves_the_others_alone():
    X = np.c_[np.arange(10.0), np.full(10, 7.0)]
    preparation = Preparation.fit(X, "table")
    assert_allclose(preparation.scale, [1 / X[:, 0].std(), 1])


@settings(deadline=None)
@given(X=arrays(np.float64, (20, 3), elements=st.floats(-1e9, 1e9)), kind=st.sampled_from(KINDS))
def test_inverting_gives_back_what_was_prepared(X, kind):
    preparation = Preparation.fit(X, kind)
    assert_allclose(preparation.invert(prepared(preparation, X)), X, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inverting_gives_float64(dtype):
    preparation = Preparation.fit(1.7e9 + BYTES.astype(float), "table")
    inverted = preparation.invert(np.zeros((5, 20), dtype=dtype))
    assert inverted.dtype == np.float64
    assert_array_equal(inverted, np.tile(preparation.center, (5, 1)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1000, 3000])
@pytest.mark.parametrize("exponent", [-303, -300, -250, -160, -150, -100, 100, 150, 160, 250, 300, 303])
def test_columns_of_any_magnitude_are_standardised(exponent, n, kind):
    ordinary = (BYTES[:n, :3] - 100.0) / 100 * np.array([1, -1, 1])
    expected = Preparation.fit(ordinary, kind)
    found = Preparation.fit(ordinary * 10.0**exponent, kind)
    assert_allclose(found.center / 10.0**exponent, expected.center, rtol=1e-12)
    assert_allclose(found.scale * 10.0**exponent, expected.scale, rtol=1e-12)
    found.check_scales("X")


def test_a_table_has_columns_of_all_magnitudes():
    factors = 10.0 ** np.array([-300, 300, 0, -160, 12])
    X = BYTES[:, :5] - 100.0
    expected, found = Preparation.fit(X, "table"), Preparation.fit(X * factors, "table")
    assert_allclose(found.scale * factors, expected.scale, rtol=1e-12)
    assert_array_equal(found.scale[2], expected.scale[2])


@pytest.mark.parametrize("kind", KINDS)
def test_the_largest_and_smallest_numbers_are_measured(kind):
    X = np.where(BYTES[:, :2] > 127, 1.0, -1.0)
    largest = np.finfo(float).max
    found = Preparation.fit(X * largest, kind)
    assert_allclose(found.center / largest, Preparation.fit(X, kind).center, rtol=1e-12)
    for value in (largest, 5e-324):
        constant = Preparation.fit(np.full((2000, 2), value), kind)
        assert_array_equal(constant.center, value)
        assert_array_equal(constant.scale, 1)


@pytest.mark.parametrize(("offset", "spread"), [(1.7e9, 60), (1.7e9, 1e-3), (-1e12, 0.1), (1.7e18, 1e6)])
def test_columns_far_from_0_are_not_taken_for_constant(offset, spread):
    """scikit-learn takes them for it where n_samples * mean * 2^-52 exceeds the spread."""
    X = offset + spread * (BYTES - 100.0)
    assert_allclose(prepared(Preparation.fit(X, "table"), X).std(axis=0), 1, rtol=1e-5)


def test_rounding_errors_are_taken_for_a_constant():
    X = np.where(BYTES > 127, 0.1 + 0.2, 0.3)
    assert_array_equal(Preparation.fit(X, "table").scale, 1)
    assert_array_equal(Preparation.fit(X * 1e-300, "table").scale, 1)


@pytest.mark.parametrize(("factor", "words"), [(1e-310, "below 2.3e-305"), (1e305, "above 4.4e\\+304")])
@pytest.mark.parametrize("columns", [None, ["a", "time", "c"]])
def test_what_no_scale_standardises_is_refused_by_its_column(columns, factor, words):
    X = np.c_[BYTES[:, 0], BYTES[:, 1] * factor, BYTES[:, 2]]
    preparation = Preparation.fit(X, "table")
    where = "column 1" if columns is None else r"column 1 \('time'\)"
    with pytest.raises(
        ValueError, match=f"X cannot be standardised: {where} has a standard deviation {words}"
    ):
        preparation.check_scales("X", columns)
    with pytest.raises(ValueError, match=f"y cannot be standardised: it has a standard deviation {words}"):
        Preparation.fit(X[:, [1]], "table").check_scales("y")


@pytest.mark.parametrize(
    ("center", "scale", "prepares", "restores"),
    [
        (0.0, 1.0, True, True),
        (8000.0, 1.0, True, True),
        (8200.0, 1.0, True, False),  # a whole number: float32 has the mean, but not what is near it
        (1.7e9 + 60, 1 / 60, False, False),
        (1.7e9 + 60, 1e-6, True, True),
        (0.0, 1e36, False, False),
        (0.0, 1e-36, False, False),
        (1e39, 1e-30, False, False),
    ],
)
def test_what_float32_can_prepare_and_restore(center, scale, prepares, restores):
    preparation = Preparation(np.array([0.5, center]), np.array([1.0, scale]))
    assert preparation.can_prepare_in("float32") == prepares
    assert preparation.can_restore_in("float32") == restores
    assert preparation.can_prepare_in("float64")
    assert preparation.can_restore_in("float64")


@pytest.mark.parametrize("kind", KINDS)
def test_measuring_does_not_copy_the_data_whole(kind):
    X = np.broadcast_to(BYTES[:1000].repeat(10, axis=1), (1000, 200))
    X = np.ascontiguousarray(np.tile(X, (40, 1)))  # 8 MB of bytes, 64 MB as float64
    tracemalloc.start()
    try:
        Preparation.fit(X, kind)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < X.nbytes


@pytest.mark.parametrize("kind", KINDS)
def test_memory_mapped_and_strided_data_are_measured_the_same(kind, tmp_path):
    np.save(tmp_path / "x.npy", BYTES)
    expected = Preparation.fit(BYTES, kind)
    wide = np.zeros((3000, 40), dtype=np.uint8)
    wide[:, ::2] = BYTES
    for X in (np.load(tmp_path / "x.npy", mmap_mode="r"), wide[:, ::2], np.asfortranarray(BYTES)):
        found = Preparation.fit(X, kind)
        assert_allclose(found.center, expected.center, rtol=1e-12)
        assert_allclose(found.scale, expected.scale, rtol=1e-12)


def test_bytes_are_taken_for_images_and_numbers_for_a_table():
    assert kind_for(BYTES) == "image"
    for dtype in ("int64", "int8", "float32", "float64", "bool"):
        assert kind_for(BYTES.astype(dtype)) == "table"


def test_a_preparation_survives_pickling():
    preparation = Preparation.fit(BYTES, "table")
    twin = pickle.loads(pickle.dumps(preparation))
    assert_array_equal(twin.center, preparation.center)
    assert_array_equal(twin.scale, preparation.scale)


@pytest.mark.parametrize("value", [0.1, 1e20, 1767225600123456789.0, 1e300])
def test_a_column_of_one_value_becomes_zeros(value):
    """Also where NumPy's mean of it is a few roundings off: at 1e20 that is thousands."""
    X = np.full((1000, 1), value)
    prepared = Preparation.fit(X, "table")
    assert (prepared.center[0], prepared.scale[0]) == (value, 1)


def test_a_far_column_is_standardised_if_its_spread_is_large_and_not_magnified_if_it_is_rounding():
    steps = np.random.RandomState(0).randint(0, 20, 200)
    X = np.c_[1767225600123456789.0 + 256 * steps, np.where(steps % 2, 0.3, 0.1 + 0.2)]
    prepared = Preparation.fit(X, "table")
    standardised = (X - prepared.center) * prepared.scale
    assert 0.9 < standardised[:, 0].std() < 1.1
    assert np.abs(standardised[:, 1]).max() < 1e-15
