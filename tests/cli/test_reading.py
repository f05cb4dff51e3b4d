"""What files the command line reads: how text is written, Parquet, and what predictions keep of them."""

import bz2
import gzip
import io
import lzma
import os
import threading
import warnings
import zipfile
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import fastmlp
from fastmlp.tabular import text_files
from helpers.cli import N, frame, invoke, predicted, refused, trained

DATA = frame(label=["ä, b", "c;d", "e|f"])


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def zipped(content):
    with zipfile.ZipFile("z", "w") as archive:
        archive.writestr("d.csv", content)
    with open("z", "rb") as file:
        return file.read()


def zstandard(content):
    return pa.compress(content, "zstd", asbytes=True)


@pytest.fixture
def usual():
    """The predictions of m.st, which was trained on a usual CSV file."""
    DATA.to_csv("usual.csv", index=False)
    trained("usual.csv", "--target", "label", "--out", "m.st")
    return predicted("m.st", "usual.csv", "--keep", "label")


@pytest.mark.parametrize(
    ("name", "written", "pack", "found"),
    [
        ("d.CSV", {}, bytes, []),
        ("d.txt", {}, bytes, []),
        ("d.csv", {"encoding": "utf-8-sig"}, bytes, []),
        ("d.tsv", {"sep": "\t"}, bytes, []),
        ("d.tsv", {}, bytes, ["a comma between the columns (--sep)"]),
        ("d.csv", {"sep": "\t"}, bytes, ["a tab between the columns (--sep)"]),
        ("d.csv", {"sep": ";"}, bytes, ["a semicolon between the columns (--sep)"]),
        ("d.csv", {"sep": "|"}, bytes, ["a bar between the columns (--sep)"]),
        ("d.csv", {"sep": ";", "decimal": ","}, bytes, ["a semicolon", "decimal commas (--decimal)"]),
        ("d.Tsv", {"sep": "\t", "decimal": ","}, bytes, ["decimal commas (--decimal)"]),
        ("d.csv", {"encoding": "latin-1"}, bytes, ["the encoding cp1252 (--encoding)"]),
        ("d.csv", {"encoding": "utf-16"}, bytes, ["the encoding utf-16 (--encoding)"]),
        ("d.csv", {"encoding": "utf-32"}, bytes, ["the encoding utf-32 (--encoding)"]),
        ("d.csv.gz", {}, gzip.compress, []),
        ("d.CSV.GZ", {"sep": ";", "encoding": "cp1252"}, gzip.compress, ["a semicolon", "cp1252"]),
        ("d.tsv.bz2", {"sep": "\t"}, bz2.compress, []),
        ("d.csv.xz", {}, lzma.compress, []),
        ("d.csv.zst", {}, zstandard, []),
        ("d.csv.zip", {}, zipped, []),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_text_is_read_as_it_is_written(name, written, pack, found, usual, tmp_path):
    text = DATA.to_csv(index=False, **{key: value for key, value in written.items() if key != "encoding"})
    (tmp_path / name).write_bytes(pack(text.encode(written.get("encoding", "utf-8"))))
    result = invoke("predict", "m.st", name, "--keep", "label")
    assert result.stdout.splitlines() == usual
    assert all(words in result.stderr for words in found)
    assert bool(result.stderr) == bool(found)
    output = trained(name, "--target", "label", "--out", "n.st")
    assert all(words in output for words in found)
    assert predicted("n.st", name, "--keep", "label") == usual


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (lambda: DATA.to_csv(index=False).encode(), []),
        (lambda: gzip.compress(DATA.to_csv(index=False, sep=";").encode("utf-16")), []),
        (lambda: DATA.to_csv(index=False, sep="#").encode(), ["--sep", "#"]),
    ],
    ids=["plain", "compressed UTF-16", "with a separator of its own"],
)
def test_standard_input_is_read(content, options, usual):
    result = invoke("predict", "m.st", "-", "--keep", "label", *options, input=content())
    assert result.stdout.splitlines() == usual
    output = trained("-", "--target", "label", "--out", "n.st", *options, input=content())
    assert "standard input: 42 training" in output
    assert predicted("n.st", "usual.csv", "--keep", "label") == usual


def test_a_pipe_with_a_name_is_read(usual):
    os.mkfifo("pipe")
    writer = threading.Thread(target=lambda: DATA.to_csv("pipe", index=False))
    writer.start()
    assert predicted("m.st", "pipe", "--keep", "label") == usual
    writer.join()


@pytest.mark.parametrize(
    ("written", "options"),
    [
        ({"sep": " "}, ["--sep", "space"]),
        ({"sep": " "}, ["--sep", r"\s+"]),
        ({"sep": "\t"}, ["--sep", r"\t"]),
        ({"sep": "\t"}, ["--sep", "tab"]),
        ({"sep": "~", "decimal": ","}, ["--sep", "~", "--decimal", ","]),
        ({"decimal": ",", "quoting": 1}, ["--sep", ",", "--decimal", ","]),
        ({"encoding": "cp437"}, ["--encoding", "cp437"]),
        ({"encoding": "utf-16-le"}, ["--encoding", "utf-16-le"]),
        ({"encoding": "utf-8-sig"}, ["--encoding", "utf-8"]),
    ],
    ids=str,
)
def test_options_say_how_text_is_written(written, options, usual):
    data = DATA.assign(label=DATA.label.str.replace(" ", "\xa0"))  # \s+ takes no quotes
    data.to_csv("d.csv", index=False, **written)
    expected = pd.read_csv(io.StringIO("\n".join(usual))).prediction.tolist()
    result = invoke("predict", "m.st", "d.csv", *options)
    assert (result.exit_code, result.stderr) == (0, "")
    assert pd.read_csv(io.StringIO(result.stdout)).prediction.tolist() == expected
    assert "read with" not in trained("d.csv", "--target", "label", *options)


@pytest.mark.parametrize(
    ("text", "sep", "decimal"),
    [
        ("a,b\n1,2\n", ",", "."),
        ("a;b\n1;2\n", ";", "."),
        ("a;b\n1,5;2\n", ";", ","),
        ("a;b\n1,5;2,5\n-0,5;1,5e3\n", ";", ","),
        ("a;b\n1,234,567;2\n", ";", "."),
        ("a;b\n1.5;2,5\n", ";", "."),
        ('a,b\n"x;y;z",2\n"u;v;w",3\n', ",", "."),
        ('a;b\n"x, y, z";2\nu;3\n', ";", "."),
        ("a,b;c\n1,2;3\n4,5;6\n", ",", "."),
        ("a;b;c,d\n1;2;3\n4;5;6\n", ";", "."),
        ("a\tb\n1,5\t2\n", "\t", ","),
        ("a|b\n1|2\n", "|", "."),
        ("a,b\n1,5|3\n1,6|3\n", ",", "."),
        ("only\n1\n2\n", ",", "."),
        ("a|b\n1\n2\n", ",", "."),
        ("a,b,c\n", ",", "."),
        ("a;b;c\n", ";", "."),
        ("a,b\n1,2\n1,2,3\n", ",", "."),
        ('a,b\n"1,2\n', ",", "."),
        ("sep=|\na|b\n1|2\n", "|", "."),
        ('"sep=;"\r\na;b\r\n1,5;2\r\n', ";", ","),
        ("\n\na;b\n\n1;2\n", ";", "."),
        ("a;b\n1;\n2;\n", ";", "."),
    ],
)
def test_separators_are_found(text, sep, decimal):
    layout = text_files._layout(text.encode(), text_files.TextFormat(), "utf-8")
    assert (layout.sep, layout.decimal) == (sep, decimal)


def test_a_long_file_is_found_out_by_its_beginning(tmp_path, monkeypatch):
    """The beginning may end within a row, a quoted field or a character."""
    text = "a;label\n" + '1,5;"ä\nü"\n2,5;b\n' * 30
    (tmp_path / "d.csv").write_text(text)
    for n_bytes in range(22, 70):
        monkeypatch.setattr(text_files, "_SAMPLE_BYTES", n_bytes)
        table = text_files.read_text("d.csv", text_files.TextFormat(), ["label"])
        assert table.written.label.tolist() == ["ä\nü", "b"] * 30
        assert table.frame.a.tolist() == [1.5, 2.5] * 30


def test_an_encoding_that_shows_late_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "_SAMPLE_BYTES", 100)
    frame(label=["b"] * (N - 1) + ["ä"]).to_csv("d.csv", index=False, encoding="latin-1")
    assert "the encoding cp1252" in trained("d.csv", "--target", "label", "--seed", 1)


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (b"a;b;y\n1;2;0\n", ["--sep", ","], ["no column 'y'", "there are 'a;b;y'"]),
        (b"a b y\n1 2 0\n", [], ["one column", "spaces", r"--sep '\s+'", "--sep ','"]),
        (b"a b y\n1 1 2 0\n2 1 2 0\n", [], ["one column", "spaces", r"--sep '\s+'"]),
        (b"a;y\n1,5;0\n", ["--decimal", "."], ["'a'", "'1,5'", "--decimal ','"]),
        (b"a,y\n1,0\n", ["--sep", ";;"], ["--sep ';;'", "one character"]),
        (b"a,y\n1,0\n", ["--sep", ""], ["--sep ''", "one character"]),
        (b"a,y\n1,0\n", ["--decimal", "comma"], ["--decimal 'comma'", "'.' or ','"]),
        (b"a,y\n1,0\n", ["--encoding", "utf-9"], ["--encoding 'utf-9'", "utf-8"]),
        (
            b"a,y\n1,\xe4\n",
            ["--encoding", "utf-8"],
            ["d.csv", "not text in the encoding utf-8", "--encoding"],
        ),
        (b"a,y\n1,\x00\n", [], ["d.csv", "null bytes", "--encoding"]),
        (b"a,y\n", [], ["d.csv", "no rows"]),
        (b"", [], ["d.csv", "cannot be read"]),
        (b"\n \n", [], ["d.csv"]),
        (b"a,y\n1,2\n1,2,3\n", [], ["d.csv", "line 3"]),
        (gzip.compress(b"a,y\n1,2\n" * 99, mtime=0)[:-9], [], ["d.csv", "end-of-stream"]),
        (b"PK\x03\x04", [], ["d.csv", "zip"]),
    ],
    ids=str,
)
def test_text_that_cannot_be_read_is_refused_by_name(content, options, words, tmp_path):
    (tmp_path / "d.csv").write_bytes(content)
    message = refused("train", "d.csv", "--target", "y", *options)
    assert all(word in message for word in words)


@pytest.mark.parametrize(
    ("name", "values", "options"),
    [
        ("petal width", [0.5, 1.5], []),
        ("petal|width", [0.5, 1.5], []),
        ("petal width", ["very wide", "not wide"], ["--sep", ","]),
        ("petal;width", [0.5, 1.5], ["--sep", ","]),
    ],
    ids=str,
)
def test_one_column_may_have_a_name_of_several_words(name, values, options):
    """A model of an array has no names, so that it predicts from a table of any one column."""
    np.savez("d.npz", X=np.arange(N)[:, None], y=np.resize([0, 1], N))
    trained("d.npz", "--out", "m.st")
    pd.DataFrame({name: np.resize(values, N)}).to_csv("d.csv", index=False)
    if isinstance(values[0], str):
        assert f"{name!r} are not numbers" in refused("predict", "m.st", "d.csv", *options)
    else:
        assert len(predicted("m.st", "d.csv", *options)) == N + 1


@pytest.mark.parametrize("name", ["d", "d.gz", "d.parquet.gz", "d.json", "d.csv.lz4", "d.npy"])
def test_other_suffixes_are_refused_with_those_that_are_read(name, tmp_path):
    (tmp_path / name).write_text("a,y\n1,2\n")
    for arguments in (["train", name, "--target", "y"], ["predict", "m.st", name]):
        DATA.to_csv("usual.csv", index=False)
        trained("usual.csv", "--target", "label", "--out", "m.st")
        message = refused(*arguments)
        assert all(word in message for word in (repr(name), ".csv", ".tsv", ".parquet", ".npz", "'-'"))


def test_a_folder_is_refused(tmp_path):
    (tmp_path / "d.csv").mkdir()
    assert "is a folder" in refused("train", "d.csv", "--target", "y")


INTEGERS = pd.DataFrame(np.c_[frame().to_numpy(), np.resize([0, 1, 2], N)]).astype({3: int})


@pytest.mark.parametrize(
    ("table", "target", "names", "left_out"),
    [
        (INTEGERS, "3", ["0", "1", "2"], None),
        (INTEGERS, "0", ["1", "2", "3"], None),
        (INTEGERS.rename(columns=float), "3.0", ["0.0", "1.0", "2.0"], None),
        (INTEGERS.rename(columns={0: "a"}), "3", ["a", "1", "2"], None),
        (INTEGERS.rename(columns=str), "3", ["0", "1", "2"], None),
        (INTEGERS.sample(frac=1, random_state=0), "3", ["0", "1", "2"], "'__index_level_0__'"),
        (INTEGERS.set_index(pd.Index(range(N), name="id")).sample(frac=1), "3", ["0", "1", "2"], "'id'"),
        (INTEGERS.set_index([0, 1]), "3", ["2"], "'0', '1'"),
        (INTEGERS.set_index(3), "3", ["0", "1", "2"], None),
        (INTEGERS.iloc[5:45], "3", ["0", "1", "2"], None),
        (INTEGERS.assign(d=1)[["d", *range(4)]].rename(columns={"d": ""}), "3", ["0", "1", "2"], "''"),
        (
            INTEGERS.assign(d=1, e=1)[["d", "e", *range(4)]].rename(
                columns={"d": "Unnamed: 0.1", "e": "Unnamed: 0"}
            ),
            "3",
            ["0", "1", "2"],
            "'Unnamed: 0.1', 'Unnamed: 0'",
        ),
        (INTEGERS.assign(__index_level_1__=1), "3", ["0", "1", "2"], "'__index_level_1__'"),
    ],
    ids=[
        "int",
        "int regression",
        "float",
        "mixed",
        "str",
        "unnamed index",
        "named index",
        "levels",
        "target in index",
        "rows",
        "a CSV file's index without a name",
        "a CSV file's indices as pandas names them",
        "an index as others write it",
    ],
)
def test_parquet_columns_have_names_that_are_text(table, target, names, left_out):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas' own, of mixed names
        table.to_parquet("d.parquet")
    output = trained("d.parquet", "--target", target, "--out", "m.st")
    assert fastmlp.load("m.st").feature_names_in_.tolist() == names
    assert ("left out" in output) == (left_out is not None)
    assert left_out is None or f"d.parquet: an index of the rows is left out: {left_out}." in output
    kept = predicted("m.st", "d.parquet", "--keep", target)
    assert kept[0] == f"{target},prediction"
    assert len(kept) == 1 + len(table)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (INTEGERS.rename(columns={0: "1"}), ["'1'", "several columns"]),
        (
            INTEGERS.set_axis(pd.MultiIndex.from_product([["u", "v"], ["p", "q"]]), axis=1),
            ["2 levels", "'u'"],
        ),
        (INTEGERS.iloc[:0], ["no rows"]),
        (INTEGERS[[3]], ["no column besides the target"]),
        (INTEGERS.assign(d=pd.date_range("2020", periods=N)), ["'d'", "not numbers"]),
        (INTEGERS.assign(d=pd.array([1, None] * (N // 2), dtype="Int64")), ["'d'", "missing"]),
        (INTEGERS.astype({3: "Int64"}).replace({3: {0: pd.NA}}), ["'3'", "20 missing values", "row 1"]),
    ],
    ids=["same name", "levels", "empty", "target only", "dates", "missing", "missing target"],
)
def test_parquet_that_does_not_do_is_refused(table, words):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table.to_parquet("d.parquet")
    message = refused("train", "d.parquet", "--target", "3")
    assert all(word in message for word in ["d.parquet", *words])


def test_categories_of_dates_are_no_target():
    dates = pd.Categorical(np.resize(pd.date_range("2020", periods=2), N))
    frame().assign(y=dates).to_parquet("d.parquet")
    assert "y holds dates" in refused("train", "d.parquet", "--target", "y")


@pytest.mark.parametrize(
    ("column", "task"),
    [
        (pd.array([1, 2] * (N // 2), dtype="Int64"), "Classification"),
        (pd.Categorical(["u", "v"] * (N // 2)), "Classification"),
        (pd.Categorical([5, 9, 1000] * (N // 3)), "Classification"),
        (pd.Categorical([5.0, 9.0] * (N // 2)), "Classification"),
        (pd.Categorical([0.5, 1.5] * (N // 2)), "Regression"),
        (pd.array([True, False] * (N // 2), dtype="boolean"), "Classification"),
        ([Decimal(i) / 4 for i in range(N)], "Regression"),
    ],
    ids=["nullable", "categories", "of integers", "of whole floats", "of fractions", "booleans", "decimals"],
)
def test_parquet_targets_of_other_types(column, task):
    frame(y=[0]).assign(y=column).to_parquet("d.parquet")
    assert task in trained("d.parquet", "--target", "y", "--out", "m.st")
    assert len(predicted("m.st", "d.parquet")) == N + 1


def test_predictions_keep_columns_as_they_are_written():
    data = frame(id=["007", "NA", "", "1e5"], label=["x", "y"])
    data.drop(columns="id").to_csv("d.csv", index=False)
    trained("d.csv", "--target", "label", "--out", "m.st")
    plain = predicted("m.st", "d.csv")
    data.to_csv("with.csv", index=False)
    kept = predicted("m.st", "with.csv", "--keep", "id", "--keep", "a")
    assert kept[0] == "id,a,prediction"
    rows = [line.split(",") for line in kept[1:]]
    assert [row[0] for row in rows] == [*data.id]
    assert [row[1] for row in rows] == [str(a) for a in data.a]
    assert [row[2] for row in rows] == plain[1:]
    predicted("m.st", "with.csv", "--keep", "id", "--proba", "--out", "p.csv")
    assert list(pd.read_csv("p.csv")) == ["id", "prediction", "probability_x", "probability_y"]


def test_predictions_keep_arrays():
    np.savez("d.npz", X=frame().to_numpy(), y=np.resize([0, 1], N), id=np.resize(["007", "x"], N))
    trained("d.npz", "--out", "m.st")
    lines = predicted("m.st", "d.npz", "--keep", "id")
    assert lines[0] == "id,prediction"
    assert lines[1].startswith("007,")


@pytest.mark.parametrize(
    ("data", "keep", "words"),
    [
        ("d.csv", "zip", ["--keep", "'zip'", "'a'"]),
        ("d.csv", "prediction", ["--keep prediction", "the output has"]),
        ("d.npz", "X", ["--keep X", f"({N}, 3)"]),
        ("d.npz", "zip", ["'zip'", "'X'"]),
        ("digits", "X", ["--keep X", "digits"]),
    ],
)
def test_columns_that_cannot_be_kept_are_refused(data, keep, words):
    frame(y=[0, 1], prediction=[1]).to_csv("d.csv", index=False)
    np.savez("d.npz", X=frame().to_numpy(), y=np.resize([0, 1], N))
    frame(y=[0, 1]).to_csv("plain.csv", index=False)
    trained(*(["d.npz"] if "npz" in data else ["plain.csv", "--target", "y"]), "--out", "m.st")
    message = refused("predict", "m.st", data, "--keep", keep)
    assert all(word in message for word in words)
