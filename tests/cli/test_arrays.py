"""Arrays in NPZ files, from training to predictions; and how rows are set aside."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

import fastmlp
from fastmlp.studies.file.study import Data
from fastmlp.studies.running.study_data import load_data
from fastmlp.tabular.splits import rows_of_parts
from helpers.cli import N, frame, invoke, predicted, refused, trained

X, Y = frame().to_numpy(), np.resize([0, 1, 1], N)
IMAGES = np.random.RandomState(0).randint(0, 256, (N, 4, 3, 2)).astype(np.uint8)
MIXED = np.array([1, "a", None], dtype=object)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arrays", "words", "n_features", "columns"),
    [
        ({"X": X, "y": Y}, "Classification", 3, 1),
        ({"X": X, "y": Y[:, None]}, "Classification", 3, 1),
        ({"X": X, "y": np.array([b"a", "ä".encode()])[Y]}, "Classification", 3, 1),
        ({"X": X, "y": Y > 0, "other": MIXED}, "booleans", 3, 1),
        ({"X": X > 0, "y": Y}, "Classification", 3, 1),
        ({"X": X.astype(np.float16), "y": X[:, 0].astype(np.float16)}, "Regression", 3, 1),
        ({"X": X, "y": np.eye(3, dtype=int)[Y]}, "label indicators", 3, 3),
        ({"X": X, "y": X[:, :2]}, "2 columns of numbers", 3, 2),
        ({"X": IMAGES, "y": Y}, "samples of shape 4 x 3 x 2, which are taken as 24 features", 24, 1),
        ({"X": IMAGES[:, :, :, 0], "y": Y}, "samples of shape 4 x 3, which are taken as 12 features", 12, 1),
    ],
    ids=[
        "usual",
        "column",
        "bytes",
        "booleans",
        "X of booleans",
        "halves",
        "indicators",
        "outputs",
        "colour",
        "grey",
    ],
)
def test_arrays_from_training_to_predictions(arrays, words, n_features, columns):
    np.savez("d.npz", **arrays)
    assert words in trained("d.npz", "--out", "m.st")
    model = fastmlp.load("m.st")
    assert model.n_features_in_ == n_features
    is_image = len({*model.preparation_.center}) == 1  # one mean for all pixels
    assert is_image == (arrays["X"].dtype == np.uint8)
    result = invoke("predict", "m.st", "d.npz")
    assert len(result.stdout.splitlines()) == N + 1
    assert result.stdout.split("\n", 1)[0].count("prediction") == columns
    assert result.stderr.count("which are taken as") == (arrays["X"].ndim > 2)


@pytest.mark.parametrize(
    ("arrays", "words", "also_predict"),
    [
        ({"y": Y}, ["no array 'X'", "'y'"], True),
        ({"X": X}, ["no array 'y'", "'X'"], False),
        ({"X": X[:, 0], "y": Y}, [f"one dimension, ({N},)", "(n_samples, n_features)"], True),
        ({"X": np.float64(3), "y": Y}, ["no dimension", "(n_samples, n_features)"], True),
        ({"X": X[:0], "y": Y[:0]}, ["(0, 3)", "empty"], True),
        ({"X": X[:, :0], "y": Y}, [f"({N}, 0)", "empty"], True),
        ({"X": np.zeros(N, dtype=[("a", "f4"), ("b", "i2")]), "y": Y}, ["X holds records"], True),
        ({"X": np.zeros((N, 2), dtype="V4"), "y": Y}, ["X holds records"], True),
        ({"X": X.astype(object), "y": Y}, ["'X' cannot be read", "Object arrays"], True),
        ({"X": X.astype(str), "y": Y}, ["X holds text"], True),
        ({"X": X.astype(bytes), "y": Y}, ["X holds bytes"], True),
        ({"X": X + 0j, "y": Y}, ["X holds complex"], True),
        ({"X": X.astype("M8[D]"), "y": Y}, ["X holds dates"], True),
        ({"X": np.where(X[7, 2] == X, np.nan, X), "y": Y}, ["missing or infinite", "X[7, 2]"], True),
        ({"X": X, "y": Y.astype(object)}, ["'y' cannot be read"], False),
        ({"X": X, "y": np.int64(1)}, ["y has the shape ()", "(n_samples,)"], False),
        ({"X": X, "y": np.zeros((N, 2, 2))}, [f"({N}, 2, 2)", "(n_samples, n_outputs)"], False),
        ({"X": X, "y": np.zeros(N, dtype=[("a", "f4")])}, ["y holds records"], False),
        ({"X": X, "y": Y + 0j}, ["y holds complex"], False),
        ({"X": X, "y": np.arange(N).astype("M8[D]")}, ["y holds dates"], False),
        ({"X": X, "y": Y[1:]}, [f"X has {N} samples", f"y has {N - 1}"], False),
        ({"X": X, "y": np.where(X[:, 0] == X[4, 0], np.nan, X[:, 0])}, ["1 missing value", "row 5"], False),
        ({"X": X, "y": np.where(X[4, 0] == X, np.inf, X)}, ["1 infinite value", "row 5"], False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_arrays_that_do_not_do_are_refused(arrays, words, also_predict):
    np.savez("d.npz", **arrays)
    message = refused("train", "d.npz")
    assert all(word in message for word in ["d.npz", *words])
    if also_predict:
        np.savez("good.npz", X=X, y=Y)
        trained("good.npz", "--out", "m.st")
        assert refused("predict", "m.st", "d.npz") == message


@pytest.mark.parametrize(("label", "task"), [("s", "auto"), (7, "classification"), (True, "auto")])
def test_a_single_class_has_a_single_probability(label, task):
    np.savez("d.npz", X=X, y=np.full(N, label))
    trained("d.npz", "--task", task, "--out", "m.st")
    lines = predicted("m.st", "d.npz", "--proba")
    assert lines[0] == f"prediction,probability_{label}"
    np.testing.assert_allclose(
        [float(line.split(",")[1]) for line in lines[1:]],
        fastmlp.load("m.st").predict_proba(X)[:, 0], rtol=1e-5,
    )  # fmt: skip


@given(
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=9),
    n_test=st.integers(1, 12), n_validation=st.integers(1, 12), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_every_class_is_trained_on_whatever_the_seed(counts, n_test, n_validation, seed):
    y = np.repeat(np.arange(len(counts)), counts)
    n_train = len(y) - n_test - n_validation
    if n_train < len(counts):
        if n_train > 0:
            with pytest.raises(ValueError, match="classes"):
                rows_of_parts(y, n_test, n_validation, seed, classify=True)
        return
    parts = rows_of_parts(y, n_test, n_validation, seed, classify=True)
    assert [len(part) for part in parts] == [n_train, n_validation, n_test]
    assert sorted(np.concatenate(parts)) == list(range(len(y)))
    assert {*y[parts[0]]} == {*y}


@pytest.mark.parametrize("classify", [True, False])
@pytest.mark.parametrize("y", [Y, Y.astype(str), Y.astype(str).astype(object)], ids=["int", "str", "object"])
def test_rows_are_those_of_scikit_learn(y, classify):
    """Stratified for classes, never for numbers."""
    strata = y if classify else None
    rest, test = train_test_split(np.arange(N), test_size=12, random_state=3, stratify=strata)
    strata = y[rest] if classify else None
    train, validation = train_test_split(rest, test_size=6, random_state=3, stratify=strata)
    for found, expected in zip(rows_of_parts(y, 12, 6, 3, classify), (train, validation, test), strict=True):
        np.testing.assert_array_equal(found, expected)


RARE = ["a"] * 30 + ["b"] * 28 + ["c", "d"]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("y", "options"),
    [
        (RARE, []),
        ([str(i % 20) + "k" for i in range(N)], []),
        (["a"] * (N - 1) + ["b"], ["--test", 0.5]),
        ([*range(N - 5), 1, 1, 1, 1, 1], ["--task", "regression"]),
        ([0] * (N - 1) + [1], []),
    ],
    ids=["rare", "more classes than rows aside", "one row", "integers", "one row of 1"],
)
def test_no_seed_fails(y, options, seed):
    frame(y=y).to_csv("d.csv", index=False)
    trained("d.csv", "--target", "y", "--seed", seed, *options)
    np.savez("d.npz", X=X, y=y)
    trained("d.npz", "--seed", seed, *options)


def test_a_quick_study_trains_on_every_class_too():
    y = np.array(["a"] * 4995 + ["b"] * 5)
    np.savez("d.npz", X=np.arange(5000.0).reshape(-1, 1), y=y)
    for seed in range(3):
        assert {*load_data(Data("d.npz", seed=seed), quick=True).y_train} == {"a", "b"}


@pytest.mark.parametrize(
    ("n_rows", "y", "options", "words"),
    [
        (N, RARE, ["--seed", -1], ["--seed -1", "from 0"]),
        (N, RARE, ["--seed", 2**32], [f"--seed {2**32}", "from 0"]),
        (1, ["a"], [], ["--test 0.2 of 1 row "]),
        (2, ["a"], [], ["--validation 0.1 of 1 row left"]),
        (2, [1.5], [], ["--validation 0.1 of 1 row left"]),
        (3, ["a", "b", "a"], [], ["2 classes", "1 of 2 rows"]),
        (N, [f"{i}" + "k" for i in range(N)], [], ["60 classes", "48 of 60 rows", "test"]),
        (N, RARE, ["--test", 0.99, "--validation", 0.005], ["--validation 0.005 of 1 row left"]),
        (4, ["a"], ["--test", 0.9, "--validation", 0.05], ["--test 0.9 of 4 rows"]),
    ],
    ids=str,
)
def test_what_leaves_nothing_to_train_on_is_said(n_rows, y, options, words):
    frame(y=y)[:n_rows].to_csv("d.csv", index=False)
    message = refused("train", "d.csv", "--target", "y", *options)
    assert all(word in message for word in words)


@pytest.mark.parametrize(
    ("labels", "line"),
    [
        (["a"] * 9 + ["b"], r"the largest class a has 91.7 % of the test rows"),
        ([0] * 2 + [1], r"the largest class 0 has 66.7 % of the test rows"),
        (["k0"] * 10 + [f"k{i}" for i in range(10)], "the largest class k0 has"),
        (["a"] * 11 + ["b"] * 9, None),
        (["a", "b", "c"], None),
        ([0.5, 1.25, 8], None),
    ],
)
def test_an_unbalanced_target_is_said_beside_the_accuracy(labels, line):
    frame(y=labels).to_csv("d.csv", index=False)
    last = trained("d.csv", "--target", "y").splitlines()[-1]
    assert ("balanced accuracy 0." in last) == (line is not None)
    assert line is None or line in last


@pytest.mark.parametrize(
    ("given", "weights"),
    [
        ("balanced", {"01": 60 / (3 * 20), "1": 1, "a=b": 1}),
        ("01=2", {"01": 2, "1": 1, "a=b": 1}),
        ("01=2, 1=0.5 ,a=b=3", {"01": 2, "1": 0.5, "a=b": 3}),
        ('{"a=b": 4, "1": 0}', {"01": 1, "1": 0, "a=b": 4}),
    ],
    ids=str,
)
def test_weights_of_classes(given, weights):
    labels = np.resize(["01", "1", "a=b"], N)
    frame(y=labels).to_csv("d.csv", index=False)
    arguments = ("d.csv", "--target", "y", "--dtype", "float64", "--test", 0.2)
    trained(*arguments, "--class-weight", given, "--out", "m.st")
    split = load_data.__wrapped__(Data("d.csv", "y"), quick=False)
    expected = fastmlp.fit(
        split.X_train, split.y_train, split.X_val, split.y_val, max_iter=1, hidden_layer_sizes=(4,),
        random_state=0, dtype="float64", sample_weight=pd.Series(split.y_train).map(weights).to_numpy(),
    )  # fmt: skip
    found = fastmlp.load("m.st")
    for one, other in zip(found.coefs_, expected.coefs_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize(
    ("given", "y", "words"),
    [
        ("balanced", [0.5, 1.5], ["classification"]),
        ("heavy", ["a", "b"], ["'balanced'", "JSON"]),
        ("a=x", ["a", "b"], ["NAME=WEIGHT"]),
        ("a=-1", ["a", "b"], ["'a'", "-1"]),
        ("a=nan", ["a", "b"], ["'a'", "nan"]),
        ('{"a": "2"}', ["a", "b"], ["'a'", "'2'"]),
        ('{"a": 2', ["a", "b"], ["JSON"]),
        ("c=1", ["a", "b"], ["'c'", "'a', 'b'"]),
        ("1=2", ["01", "02"], ["'1'", "'01', '02'"]),
        ("a=0,b=0", ["a", "b"], ["zero for every sample"]),
    ],
)
def test_weights_that_do_not_do_are_refused(given, y, words):
    frame(y=y).to_csv("d.csv", index=False)
    message = refused("train", "d.csv", "--target", "y", "--class-weight", given)
    assert all(word in message for word in [f"--class-weight {given}", *words])
