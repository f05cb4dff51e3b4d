"""The target of a table, its index and its features: as they are written in the file."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.exceptions import ConvergenceWarning

import fastmlp
from fastmlp.studies.file.study import Data
from fastmlp.studies.running.study_data import identified, load_data
from helpers.cli import N, frame, predicted, refused, trained


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def study_data(target, estimator=None):
    """Return the parts of d.csv as a study has them."""
    return load_data(identified(Data("d.csv", target, estimator)), quick=False)


@pytest.mark.parametrize(
    ("labels", "options", "classes"),
    [
        (["01", "02", "10"], [], ["01", "02", "10"]),
        (["1", "01"], [], ["01", "1"]),
        (["+1", "-1"], [], ["+1", "-1"]),
        (["NA", "None", "null", "nan", "N/A"], [], ["N/A", "NA", "None", "nan", "null"]),
        (["NA", "EU"], [], ["EU", "NA"]),
        (["1", "2", "n/a or 3"], [], ["1", "2", "n/a or 3"]),
        (["TRUE", "FALSE"], [], ["FALSE", "TRUE"]),
        (["0.00", "1.00"], [], ["0.00", "1.00"]),
        (["2.0", "3.00"], ["--task", "classification"], ["2.0", "3.00"]),
        (["a, b", 'c "d"', "e\nf"], [], ["a, b", 'c "d"', "e\nf"]),
        (["99999999999999999999", "1"], [], ["1", "99999999999999999999"]),
        (["18446744073709551615", "-1"], [], ["-1", "18446744073709551615"]),
        (["0", "1", "2"], [], [0, 1, 2]),
        (["0.0", "1.0"], [], [0.0, 1.0]),
        (["7", "-7"], ["--task", "classification"], [-7, 7]),
    ],
    ids=lambda value: " ".join(map(repr, value)),
)
def test_labels_are_as_they_are_written(labels, options, classes):
    frame(y=labels).to_csv("d.csv", index=False)
    trained("d.csv", "--target", "y", "--out", "m.st", *options)
    model = fastmlp.load("m.st")
    assert model.classes_.tolist() == classes
    assert [type(one) for one in model.classes_.tolist()] == [type(one) for one in classes]
    predicted("m.st", "d.csv", "--out", "p.csv")
    written = pd.read_csv("p.csv", dtype=str, keep_default_na=False).prediction
    assert {*written} <= {*labels}
    estimator = "MLPClassifier" if options else None
    split = study_data("y", estimator)
    assert np.unique(split.y_train).tolist() == classes


@pytest.mark.parametrize(
    ("values", "options"),
    [
        (["1.5", "2", "1e3"], []),
        (["12", "7"], []),
        (["10000000000000000000000000", "1.5"], []),
        (["+1.5", "-0.25"], []),
        (["01", "02", "10"], ["--task", "regression"]),
        (["0", "1"], ["--task", "regression"]),
        ([" 3", "4.5 "], []),
    ],
    ids=lambda value: " ".join(value),
)
def test_numbers_of_a_regression_are_numbers(values, options):
    frame(y=values).to_csv("d.csv", index=False)
    assert "validation R^2" in trained("d.csv", "--target", "y", *options)
    split = study_data("y", "MLPRegressor" if options else None)
    assert {*split.y_train} == {*map(float, values)}


@pytest.mark.parametrize("task", ["auto", "classification", "regression"])
@pytest.mark.parametrize(
    ("values", "bad", "words"),
    [
        (["1.5", "2.5"], {3: "NA"}, "1 missing value, in row 4 below the header"),
        (["1", "2"], {3: "nan", 5: ""}, "1 missing value, in row 6"),
        (["1", "2"], {3: "nan", 5: "None"}, "2 missing values, the first in row 4"),
        (["a", "b"], {0: "", 7: "  "}, "2 missing values, the first in row 1"),
        (["1.5", "2.5"], {9: "-inf"}, "1 infinite value, in row 10"),
        (["NA"], {}, f"{N} missing values, the first in row 1"),
    ],
    ids=str,
)
def test_what_is_missing_is_refused_with_its_row(values, bad, words, task):
    data = frame(y=values)
    for row, value in bad.items():
        data.loc[row, "y"] = value
    data.to_csv("d.csv", index=False)
    message = refused("train", "d.csv", "--target", "y", "--task", task)
    assert "column 'y'" in message
    assert words in message


@pytest.mark.parametrize(
    ("values", "task", "words"),
    [
        (["a", "b"], "regression", ["--task regression", "'a'"]),
        (["1.5", "2.5"], "classification", ["--task classification", "1.5"]),
    ],
)
def test_a_target_that_cannot_be_what_the_task_says_is_refused(values, task, words):
    frame(y=values).to_csv("d.csv", index=False)
    message = refused("train", "d.csv", "--target", "y", "--task", task)
    assert all(word in message for word in words)


def test_the_task_is_said_with_its_reason_and_how_to_choose_the_other():
    frame(y=["a", "b"]).to_csv("d.csv", index=False)
    line = "Classification: y holds strings. For regression set --task regression."
    assert line in trained("d.csv", "--target", "y")
    frame(y=[5, 9, 1000]).to_csv("d.csv", index=False)
    assert "For classification set --task classification." in trained("d.csv", "--target", "y")
    assert "Regression" not in trained("d.csv", "--target", "y", "--task", "regression")
    assert "Classification" in trained("digits")


def _as_r_does(data, path):
    data.to_csv(path)
    header, rest = path.read_text().split("\n", 1)
    path.write_text(f"{header.removeprefix(',')}\n{rest}")


LABELLED = frame(y=["u", "v"])
INDICES = {
    "from 0": lambda path: LABELLED.to_csv(path),
    "from 1": lambda path: LABELLED.set_axis(range(1, N + 1)).to_csv(path),
    "shuffled": lambda path: LABELLED.sample(frac=1, random_state=0).to_csv(path),
    "rows of a larger table": lambda path: LABELLED.set_axis(range(5, 5 + 3 * N, 3)).to_csv(path),
    "two tables, one below the other": lambda path: pd.concat([LABELLED, LABELLED]).to_csv(path),
    "names": lambda path: LABELLED.set_axis([f"row {i}" for i in range(N)]).to_csv(path),
    "a sample with repeated rows": lambda path: LABELLED.set_axis(np.resize([3, 1, 2, 3], N)).to_csv(path),
    "floats": lambda path: LABELLED.set_axis(np.linspace(0, 1, N)).to_csv(path),
    "names of groups": lambda path: LABELLED.set_axis(np.resize(["g", "h"], N)).to_csv(path),
    "under the name that pandas gave it": lambda path: LABELLED.rename_axis("Unnamed: 0").to_csv(path),
    "R's row names, without a place in the header": lambda path: _as_r_does(LABELLED, path),
    "R's row names that are text": lambda path: _as_r_does(
        LABELLED.set_axis([f"Mazda {i}" for i in range(N)]), path
    ),
}


@pytest.mark.parametrize("write", INDICES.values(), ids=INDICES)
def test_an_index_is_left_out_and_that_is_said(write, tmp_path):
    write(tmp_path / "d.csv")
    note = "d.csv: an index of the rows is left out: the first column, which has no name."
    assert note in trained("d.csv", "--target", "y", "--out", "m.st")
    assert fastmlp.load("m.st").feature_names_in_.tolist() == ["a", "b", "c"]
    split = study_data("y")
    assert list(split.X_train) == ["a", "b", "c"]
    assert split.notes == (note.removesuffix("."),)
    with_index = predicted("m.st", "d.csv")
    pd.read_csv("d.csv")[["y", "c", "b", "a"]].to_csv("without.csv", index=False)
    assert predicted("m.st", "without.csv") == with_index


def test_a_model_without_names_predicts_a_table_with_an_index():
    data = frame()
    np.savez("d.npz", X=data.to_numpy(), y=np.resize([0, 1], N))
    trained("d.npz", "--out", "m.st")
    data.to_csv("d.csv")
    assert predicted("m.st", "d.csv") == predicted("m.st", "d.npz")


@pytest.mark.parametrize(
    ("begins", "index"),
    [
        (",Unnamed: 0", "'Unnamed: 0.1', 'Unnamed: 0'"),
        (",Unnamed: 0.1,Unnamed: 0", "'Unnamed: 0.2', 'Unnamed: 0.1', 'Unnamed: 0'"),
        (",", "'Unnamed: 0', 'Unnamed: 1'"),
        ("Unnamed: 0.1", "'Unnamed: 0.1'"),
        ("R Unnamed: 0", "'Unnamed: 0.1', 'Unnamed: 0'"),
    ],
)
def test_several_indices_are_left_out_by_their_names(begins, index, tmp_path):
    n = begins.count(",") + 1 + begins.startswith("R")
    header, *rows = LABELLED.to_csv(index=False).splitlines()
    lines = [f"{begins.removeprefix('R ')},{header}", *(f"{'3,' * n}{row}" for row in rows)]
    (tmp_path / "d.csv").write_text("\n".join(lines))
    output = trained("d.csv", "--target", "y", "--out", "m.st")
    assert f"d.csv: an index of the rows is left out: {index}." in output
    assert fastmlp.load("m.st").feature_names_in_.tolist() == ["a", "b", "c"]
    assert len(predicted("m.st", "d.csv")) == N + 1


def test_a_column_without_a_name_behind_others_is_a_feature():
    LABELLED.rename(columns={"b": ""}).to_csv("d.csv", index=False)
    assert "left out" not in trained("d.csv", "--target", "y", "--out", "m.st")
    assert fastmlp.load("m.st").feature_names_in_.tolist() == ["a", "Unnamed: 1", "c"]


def test_a_model_that_was_trained_on_an_index_finds_it():
    data = LABELLED.rename_axis("Unnamed: 0").reset_index()
    with pytest.warns(ConvergenceWarning):
        fastmlp.MLPClassifier((4,), max_iter=1).fit(data.drop(columns="y"), data.y).save("m.st")
    LABELLED.to_csv("d.csv")
    assert len(predicted("m.st", "d.csv", "--keep", "Unnamed: 0")) == N + 1


def test_an_index_that_is_asked_for_is_the_target():
    LABELLED.drop(columns="y").to_csv("d.csv")
    assert "left out" not in trained("d.csv", "--target", "Unnamed: 0")


def test_a_target_that_stands_twice_in_the_header_is_refused(tmp_path):
    (tmp_path / "d.csv").write_text("y,a,y\n0,1,0\n1,2,1\n")
    assert "'y' 2 times" in refused("train", "d.csv", "--target", "y")


def test_separators_at_the_end_of_the_rows_are_no_column(tmp_path):
    text = LABELLED.to_csv(index=False)
    header, rest = text.split("\n", 1)
    (tmp_path / "d.csv").write_text(f"{header}\n" + rest.replace("\n", ",\n"))
    assert "left out" not in trained("d.csv", "--target", "y", "--out", "m.st")
    assert fastmlp.load("m.st").feature_names_in_.tolist() == ["a", "b", "c"]
    (tmp_path / "plain.csv").write_text(text)
    assert predicted("m.st", "d.csv", "--keep", "y") == predicted("m.st", "plain.csv", "--keep", "y")


BIG = 10**25  # more than 64 bits hold


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("d.parquet", [Decimal("0.25"), Decimal("-1.50")]),
        ("d.parquet", [Decimal(BIG), Decimal("-1.50")]),
        ("d.csv", [BIG, -3]),
        ("d.csv", [str(BIG), "1.5"]),
        ("d.csv", [str(BIG), "1e26"]),
        ("d.csv", [2**64 - 1, -1]),
    ],
    ids=str,
)
def test_features_that_are_numbers_of_other_types(name, values, tmp_path):
    data = frame(b=values, y=["u", "v"])
    data.to_parquet(name) if "parquet" in name else data.to_csv(name, index=False)
    trained(name, "--target", "y", "--out", "m.st")
    data.assign(b=data.b.astype(float)).to_csv("floats.csv", index=False)
    assert predicted("m.st", name) == predicted("m.st", "floats.csv")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([Decimal("0.25"), None], "'b' have missing or infinite values"),
        (pa.nulls(N).to_pylist(), "'b' have missing or infinite values"),
        ([b"0", b"1"], "'b' are not numbers (\"b'0'\")"),
        (["0", "1"], "'b' are not numbers ('0')"),
        (["0", "1_000", "x"], "'b' are not numbers ('x')"),
    ],
    ids=["missing", "null", "bytes", "text", "text with a number"],
)
def test_features_that_are_no_numbers_are_refused_with_one(values, words):
    frame(b=values, y=["u", "v"]).to_parquet("d.parquet")
    assert words in refused("train", "d.parquet", "--target", "y")
