"""Studies of files: the same reading rules as in training, and what is said of them."""

import pytest

from fastmlp import studies
from helpers.cli import frame, invoke, refused


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def written(tmp_path, data):
    """Write s.toml with these keys of its data."""
    text = f"title = 's'\n[data]\n{data}\n[runs.one]\nset = {{ max_iter = 1, hidden_layer_sizes = 3 }}\n"
    (tmp_path / "s.toml").write_text(text)


def test_a_study_warns_of_what_it_left_out_and_how_it_read_a_file(tmp_path):
    frame(y=["01", "02"]).to_csv("d.csv", sep=";", decimal=",")
    written(tmp_path, "name = 'd.csv'\ntarget = 'y'")
    with pytest.warns(UserWarning, match=r"^d\.csv: ") as caught:
        results = studies.run_study(studies.load_study("s.toml"), "out", n_jobs=1)
    assert [str(one.message) for one in caught] == [
        "d.csv: read with a semicolon between the columns (--sep), decimal commas (--decimal)",
        "d.csv: an index of the rows is left out: the first column, which has no name",
    ]
    assert results.model(results.records[0]).classes_.tolist() == ["01", "02"]


def test_a_study_can_say_how_text_is_written(tmp_path):
    frame(y=["ä", "b"]).to_csv("d.csv", sep="#", decimal=",", index=False, encoding="cp437")
    written(tmp_path, "name = 'd.csv'\ntarget = 'y'\nsep = '#'\ndecimal = ','\nencoding = 'cp437'")
    results = studies.run_study(studies.load_study("s.toml"), "out", n_jobs=1)
    assert results.model(results.records[0]).classes_.tolist() == ["b", "ä"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("name = '-'\ntarget = 'y'", ["data.name", "a file"]),
        ("name = 'd.csv'\ntarget = 'y'\nsep = '##'", ["data", "'##'", "one character"]),
        ("name = 'd.csv'\ntarget = 'y'\nencoding = 'utf-9'", ["data", "'utf-9'"]),
        ("name = 'd.CSV.gz'", ["data.target", "missing"]),
        ("name = 'digits'\nsep = ';'", ["data.sep", "is for files"]),
        ("name = 'd.csv'\ntarget = 'y'\nestimator = 'MLPClassifier'", ["0.5", "classification"]),
        ("name = 'd.csv'\ntarget = 'a'\ntest = 60", ["test=60 of 60 rows"]),
    ],
    ids=str,
)
def test_data_that_a_study_cannot_have_are_refused(data, words, tmp_path):
    frame(y=[0.5, 1.5]).to_csv("d.csv", index=False)
    written(tmp_path, data)
    message = refused("study", "run", "s.toml", "--out", "out")
    assert all(word in message for word in words)


def test_options_of_a_study_are_named(tmp_path):
    frame(y=[0.5, 1.5]).to_csv("d.csv", index=False)
    written(tmp_path, "name = 'd.csv'\ntarget = 'y'")
    assert "--jobs 0" in refused("study", "run", "s.toml", "--out", "out", "--jobs", 0)
    assert "--out d.csv" in refused("study", "run", "s.toml", "--out", "d.csv")
    assert invoke("study", "run", "s.toml", "--out", "out", "--jobs", 1).exit_code == 0
