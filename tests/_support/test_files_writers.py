"""Every function that writes a file: into a FIFO or through a link that is there, whole or not at all."""

import os
import stat
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import fastmlp
from fastmlp import datasets, studies
from fastmlp.callbacks import CSVLog
from fastmlp.cli.commands import app
from helpers.estimators import quietly

sys.path.append(str(Path(__file__).parents[2]))  # benchmarks/ is no part of what is installed

from benchmarks import dropin, picture, report
from benchmarks.results import Results

X = np.random.default_rng(0).normal(size=(40, 3))
STUDY = """
title = "t"
data = {name = "digits", validation = 300}
base = {prepare = "image", max_iter = 1, hidden_layer_sizes = [2]}
[runs.one]
[[tables]]
title = "T"
runs = "one"
[[figures]]
kind = "curves"
title = "C"
runs = "one"
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A model, its file and data, the results of a study and of a benchmark."""
    folder = tmp_path_factory.mktemp("made")
    model = quietly(fastmlp.MLPClassifier((2,), max_iter=2, random_state=0).fit, X, X[:, 0] > 0)
    model.save(folder / "model")
    pd.DataFrame(X).to_csv(folder / "data.csv", index=False)
    (folder / "study.toml").write_text(STUDY)
    study = studies.run_study(studies.load_study(folder / "study.toml"), folder / "study", n_jobs=1)
    return {"model": model, "folder": folder, "study": study, "race": Results("now", "a processor", [])}


def cli(*arguments):
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    if done.exit_code:
        raise OSError(done.output)


def in_folder(made, path):
    """Return the results of the study, to be written around a path."""
    return replace(made["study"], folder=path.parents[1])


#: The paths, in a folder, and what writes there.
WRITERS = {
    "save": ("model", lambda made, path: made["model"].save(path)),
    "to_onnx": ("model", lambda made, path: made["model"].to_onnx(path)),
    "predict": (
        "predictions.csv",
        lambda made, path: cli(
            "predict", made["folder"] / "model", made["folder"] / "data.csv", "--out", path
        ),
    ),
    "train": ("model", lambda made, path: cli("train", "--epochs", 1, "--hidden", 2, "--out", path)),
    "table": ("tables/1-one.csv", lambda made, path: studies.write_tables(in_folder(made, path))),
    "table, Markdown": ("tables/1-one.md", lambda made, path: studies.write_tables(in_folder(made, path))),
    "figure": ("figures/1-curves-c.png", lambda made, path: studies.draw_figures(in_folder(made, path))),
    "figure, SVG": ("figures/1-curves-c.svg", lambda made, path: studies.draw_figures(in_folder(made, path))),
    "page": (
        "report.html",
        lambda made, path: studies.write_report(replace(made["study"], folder=path.parent), []),
    ),
    "data set": ("images.gz", lambda made, path: datasets._keep(bytearray(b"images"), path)),
    "benchmark": ("results.json", lambda made, path: report.write(made["race"], path.parent)),
    "benchmark, Markdown": ("results.md", lambda made, path: report.write(made["race"], path.parent)),
    "benchmark, picture": ("results.svg", lambda made, path: picture.write(made["race"], path.parent)),
    "dropin": ("found.json", lambda made, path: dropin.main(["wine", "--seeds", "2", "--out", str(path)])),
}
every_writer = pytest.mark.parametrize(("name", "write"), WRITERS.values(), ids=WRITERS)


def target(folder, name):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    return path


@every_writer
def test_a_fifo_stays_one_and_its_reader_gets_all(name, write, made, tmp_path):
    path = target(tmp_path, name)
    os.mkfifo(path)
    found = []
    thread = threading.Thread(target=lambda: found.append(path.read_bytes()))
    thread.start()
    write(made, path)
    thread.join()
    assert len(found[0]) > 0
    assert stat.S_ISFIFO(path.stat().st_mode)


@every_writer
def test_a_write_that_fails_keeps_the_old_content(name, write, made, tmp_path, monkeypatch):
    path = target(tmp_path, name)
    path.write_text("old")

    def fail(*args):
        raise OSError("it fails")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="it fails"):
        write(made, path)
    assert path.read_text() == "old"
    assert not list(tmp_path.rglob("*.part"))


def log_epochs(made, path):
    quietly(fastmlp.MLPClassifier((2,), max_iter=2, callbacks=[CSVLog(path)]).fit, X, X[:, 0] > 0)


def run_a_study(made, path):
    studies.run_study(made["study"].study, path.parent, n_jobs=1)


@pytest.mark.parametrize(("name", "write"), [("log.csv", log_epochs), ("runs.jsonl", run_a_study)])
def test_lines_are_added_to_the_target_of_a_link(name, write, made, tmp_path):
    (tmp_path / name).symlink_to("target")
    write(made, tmp_path / name)
    assert (tmp_path / name).is_symlink()
    assert (tmp_path / "target").read_text().endswith("\n")
