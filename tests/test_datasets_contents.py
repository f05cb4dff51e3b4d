"""Tests of what the data sets hold: the digits, and the real MNIST and Fashion-MNIST.

The tests of the real data sets run if FASTMLP_DATA names a folder that has them.
"""

import doctest
import os

import numpy as np
import pytest

from fastmlp import datasets
from helpers.datasets import use_stand_in


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    return use_stand_in(tmp_path, monkeypatch)


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    data = datasets.load_digits()
    assert data._fields == ("X_train", "y_train", "X_test", "y_test")
    assert data.X_train.shape == (1437, 64)
    assert data.X_test.shape == (360, 64)
    for X, y in (data.X_train, data.y_train), (data.X_test, data.y_test):
        assert X.dtype == np.uint8
        assert X.flags.c_contiguous
        assert y.dtype == np.int64
    ours = np.vstack([np.c_[data.X_train, data.y_train], np.c_[data.X_test, data.y_test]])
    theirs = np.c_[load_digits(return_X_y=True)]
    assert sorted(ours.tolist()) == sorted(theirs.tolist())


def test_digits_split_is_stratified_and_always_the_same():
    data = datasets.load_digits()
    np.random.seed(1)  # the split has nothing to do with NumPy's global state
    for values, same in zip(data, datasets.load_digits(), strict=True):
        assert np.array_equal(values, same)
    shares = np.bincount(data.y_test) / np.bincount(np.r_[data.y_train, data.y_test])
    assert np.allclose(shares, 0.2, atol=0.005)
    # Pinned: results that were published on this split stay comparable.
    assert data.y_train[:10].tolist() == [3, 9, 1, 3, 1, 9, 4, 4, 2, 8]
    assert data.y_test[:10].tolist() == [7, 6, 3, 7, 7, 3, 2, 8, 9, 3]


def test_examples():
    failed, attempted = doctest.testmod(datasets)
    assert failed == 0
    assert attempted > 0


REAL_DATA = os.environ.get("FASTMLP_DATA")

REAL = {
    "mnist": {
        "load": datasets.load_mnist,
        "first": [5, 0, 4, 1, 9, 2, 1, 3, 1, 4],
        "first_test": [7, 2, 1, 0, 4, 1, 4, 9, 5, 9],
        "counts": [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
        "counts_test": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
        "mean": 0.1307,
    },
    "fashion-mnist": {
        "load": datasets.load_fashion_mnist,
        "first": [9, 0, 0, 3, 0, 2, 7, 2, 5, 5],
        "first_test": [9, 2, 1, 1, 6, 1, 4, 6, 5, 7],
        "counts": [6000] * 10,
        "counts_test": [1000] * 10,
        "mean": 0.2860,
    },
}
REAL_SOURCES = dict(datasets._SOURCES)


@pytest.mark.skipif(
    not REAL_DATA,
    reason="set FASTMLP_DATA to a folder with mnist/ and fashion-mnist/, four IDX files in each",
)
@pytest.mark.parametrize("name", REAL)
def test_real_data(name, monkeypatch):
    monkeypatch.setitem(datasets._SOURCES, name, REAL_SOURCES[name]._replace(urls=()))
    monkeypatch.setenv("FASTMLP_DATA", REAL_DATA)
    real = REAL[name]
    data = real["load"]()
    assert data.X_train.shape == (60000, 784)
    assert data.X_test.shape == (10000, 784)
    for X, y in (data.X_train, data.y_train), (data.X_test, data.y_test):
        assert X.dtype == np.uint8
        assert X.flags.c_contiguous
        assert y.dtype == np.int64
    assert data.y_train[:10].tolist() == real["first"]
    assert data.y_test[:10].tolist() == real["first_test"]
    assert np.bincount(data.y_train).tolist() == real["counts"]
    assert np.bincount(data.y_test).tolist() == real["counts_test"]
    # The mean by which both are standardised everywhere, known to four digits.
    assert data.X_train.mean() / 255 == pytest.approx(real["mean"], abs=5e-5)


def test_a_data_set_shows_its_types_classes_and_arrays():
    data = datasets.load_digits()
    assert repr(data) == "<Dataset of 1,437 + 360 samples, 64 features (uint8), 10 classes>"
    page = data._repr_html_()
    assert "&lt;Dataset of 1,437" in page
    for cells in (
        ("X_train", "1,437 x 64", "uint8", "0 to 16"),
        ("y_test", "360", "int64", "0 to 9"),
    ):
        assert "".join(f"<td>{cell}</td>" for cell in cells) in page
