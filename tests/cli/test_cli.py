"""The command line as its users run it: real processes, real files."""

import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.metrics import accuracy_score
from typer.testing import CliRunner

import fastmlp
from fastmlp.cli.commands import app

ROW = re.compile(r"^ +(\d+) +([\d.]+) +(-?[\d.]+) +([\d,]+)$", re.MULTILINE)


def run(*arguments, cwd=None, check=True, **environment):
    """Run `fastmlp` and return the finished process."""
    process = subprocess.run(
        [sys.executable, "-m", "fastmlp", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "80", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert not check or process.returncode == 0, process.stderr
    return process


@pytest.fixture
def iris(tmp_path):
    data = load_iris(as_frame=True)
    frame = data.data.assign(label=data.target_names[data.target])
    frame.to_csv(tmp_path / "iris.csv", index=False)
    return tmp_path / "iris.csv"


def test_train_digits_tells_every_epoch_and_the_test_accuracy(tmp_path):
    output = run("train", "--epochs", 5, "--out", "digits.safetensors", cwd=tmp_path).stdout
    rows = ROW.findall(output)
    assert [int(row[0]) for row in rows] == [1, 2, 3, 4, 5]
    losses = [float(row[1]) for row in rows]
    assert losses[-1] < losses[0] / 5
    assert all(0 < float(row[2]) <= 1 for row in rows)
    accuracy, seconds = re.search(
        r"^test accuracy ([\d.]+), trained in ([\d.]+) s$", output, re.MULTILINE
    ).groups()
    assert float(accuracy) > 0.93
    assert float(seconds) > 0
    assert "model written to digits.safetensors" in output
    data = fastmlp.datasets.load_digits()
    model = fastmlp.load(tmp_path / "digits.safetensors")
    assert f"{model.score(data.X_test, data.y_test):.4f}" == accuracy


def test_what_goes_into_a_pipe_is_plain(tmp_path):
    process = run("train", "--epochs", 2, cwd=tmp_path)
    assert process.stderr == ""
    assert "\x1b" not in process.stdout


def test_options_reach_the_network():
    output = run(
        "train", "digits", "--hidden", "12,7", "--activation", "tanh", "--solver", "adam",
        "--dtype", "float64", "--engine", "reference", "--epochs", 1, "--batch-size", 100,
        "--learning-rate", 0.01, "--alpha", 0,
    ).stdout  # fmt: skip
    assert "network 64-12-7-10, float64" in output


def test_the_same_seed_gives_the_same_numbers():
    first, second, other = (run("train", "--epochs", 2, "--seed", seed).stdout for seed in (3, 3, 4))
    numbers = [[row[:3] for row in ROW.findall(output)] for output in (first, second, other)]
    assert numbers[0] == numbers[1] != numbers[2]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_of_classes_from_training_to_predictions(suffix, tmp_path):
    data = load_breast_cancer(as_frame=True)
    frame = data.data.assign(diagnosis=data.target_names[data.target])
    path = tmp_path / f"cancer.{suffix}"
    frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
    output = run("train", path, "--target", "diagnosis", "--out", tmp_path / "m.safetensors").stdout
    assert float(re.search(r"test accuracy ([\d.]+)", output)[1]) > 0.9
    run("predict", tmp_path / "m.safetensors", path, "--proba", "--out", tmp_path / "p.csv")
    predictions = pd.read_csv(tmp_path / "p.csv")
    assert list(predictions) == ["prediction", "probability_benign", "probability_malignant"]
    assert accuracy_score(frame.diagnosis, predictions.prediction) > 0.95
    np.testing.assert_allclose(predictions.iloc[:, 1:].sum(axis=1), 1, atol=1e-6)


def test_a_table_of_numbers(tmp_path):
    data = load_diabetes(as_frame=True)
    data.frame.to_csv(tmp_path / "diabetes.csv", index=False)
    output = run("train", "diabetes.csv", "--target", "target", "--out", "m.safetensors", cwd=tmp_path).stdout
    assert "validation R^2" in output
    assert re.search(r"test R\^2 -?[\d.]+", output)
    lines = run("predict", "m.safetensors", "diabetes.csv", cwd=tmp_path).stdout.splitlines()
    assert lines[0] == "prediction"
    assert len(lines) == 443
    assert 50 < np.mean([float(line) for line in lines[1:]]) < 300


def test_arrays_in_an_npz_file(tmp_path):
    data = fastmlp.datasets.load_digits()
    np.savez(tmp_path / "d.npz", X=data.X_train, y=data.y_train)
    run("train", "d.npz", "--epochs", 3, "--out", "m.safetensors", cwd=tmp_path)
    lines = run("predict", "m.safetensors", "d.npz", cwd=tmp_path).stdout.splitlines()
    assert len(lines) == 1 + len(data.X_train)


def test_predict_takes_the_models_columns_by_name(iris, tmp_path):
    run("train", iris, "--target", "label", "--out", tmp_path / "m.safetensors")
    frame = pd.read_csv(iris)
    frame[frame.columns[::-1]].assign(more=1).to_csv(tmp_path / "shuffled.csv", index=False)
    straight, reordered = (
        run("predict", tmp_path / "m.safetensors", path).stdout for path in (iris, tmp_path / "shuffled.csv")
    )
    assert straight == reordered
    frame.drop(columns=["sepal width (cm)"]).to_csv(tmp_path / "less.csv", index=False)
    process = run("predict", tmp_path / "m.safetensors", tmp_path / "less.csv", check=False)
    assert process.returncode == 1
    assert "'sepal width (cm)'" in process.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "iris.csv"], ["--target", "'label'"]),
        (["train", "iris.csv", "--target", "lable"], ["'lable'", "'label'"]),
        (["train", "nothing.csv", "--target", "y"], ["nothing.csv", "no such file"]),
        (["train", "cifar"], ["'cifar'", "digits", "fashion-mnist", ".csv"]),
        (["train", "text.csv", "--target", "y"], ["'colour'", "not numbers"]),
        (["train", "gaps.csv", "--target", "y"], ["'a'", "missing"]),
        (["train", "gaps.csv", "--target", "a"], ["'a'", "missing"]),
        (["train", "empty.csv", "--target", "y"], ["empty.csv"]),
        (["train", "broken.npz"], ["broken.npz", "npz"]),
        (["train", "--hidden", "12,x"], ["--hidden 12,x", "whole numbers"]),
        (["train", "--hidden", ""], ["--hidden", "whole numbers"]),
        (["train", "--solver", "fast"], ["--solver fast", "adam"]),
        (["train", "digits", "--target", "label"], ["digits", "built-in", "target"]),
        (["train", "digits", "--sep", ";"], ["digits", "built-in", "sep"]),
        (["train", "--hidden", "12,0"], ["--hidden 12,0", "> 0"]),
        (["train", "--activation", "swash"], ["--activation swash", "relu"]),
        (["train", "--activation", "elu(x)"], ["--activation elu(x)", "alpha"]),
        (["train", "--solver", "sdg"], ["--solver sdg", "adam"]),
        (["train", "--learning-rate", "-1"], ["--learning-rate -1", "(0.0, inf)"]),
        (["train", "--learning-rate", "0"], ["--learning-rate 0 must", "(0.0, inf)"]),
        (["train", "--epochs", "0"], ["--epochs 0 must", "[1, inf)"]),
        (["train", "--batch-size", "0"], ["--batch-size 0 must", "[1, inf)"]),
        (["train", "--alpha", "-0.5"], ["--alpha -0.5 must", "[0.0, inf)"]),
        (["train", "--engine", "warp"], ["--engine warp", "reference"]),
        (["train", "--dtype", "float16"], ["--dtype float16", "float32"]),
        (["train", "--task", "clustering"], ["--task clustering", "regression"]),
        (["train", "--validation", "1"], ["--validation", "1"]),
        (["train", "--validation", "0.6", "--test", "0.5"], ["nothing to train on"]),
        (["train", "--seed", "-1"], ["--seed -1", "2**32"]),
        (["train", "--out", "nowhere/m.safetensors"], ["--out nowhere", "does not exist"]),
        (["train", "--out", "."], ["--out .", "folder"]),
        (["train", "--out", "folder"], ["--out folder", "is a folder"]),
        (["train", "--out", "folder/"], ["--out folder/", "is a folder"]),
        (["train", "--out", "new/"], ["--out new/", "is a folder"]),
        (["train", "--out", ""], ["--out", "empty"]),
        (["train", "--out", "iris.csv/m.st"], ["--out iris.csv/m.st", "not a folder"]),
        (["train", "--out", "loop"], ["--out loop", "symbolic links"]),
        (
            ["train", "iris.csv", "--target", "label", "--out", "iris.csv"],
            ["--out iris.csv", "over iris.csv"],
        ),
        (["train", "iris.csv", "--target", "label", "--out", "link"], ["--out link", "over iris.csv"]),
        (["predict", "m.st", "iris.csv", "--out", "./iris.csv"], ["--out ./iris.csv", "over iris.csv"]),
        (["predict", "text.csv", "iris.csv", "--out", "text.csv"], ["--out text.csv", "over text.csv"]),
        (["predict", "m.st", "iris.csv", "--out", "folder"], ["--out folder", "is a folder"]),
        (["predict", "nothing.safetensors", "digits"], ["nothing.safetensors", "no such file"]),
        (["predict", "iris.csv", "digits"], ["iris.csv", "safetensors"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_sentence_without_a_traceback(arguments, words, iris, tmp_path, monkeypatch):
    (tmp_path / "text.csv").write_text("a,colour,y\n1,red,0\n2,blue,1\n")
    (tmp_path / "gaps.csv").write_text("a,b,y\n1,2,0\n,3,1\n3,3,1\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("iris.csv")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 nothing")
    before = sorted(os.listdir(tmp_path))
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, arguments)  # in this process: starting another takes two seconds
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    for word in words:
        assert word in result.stderr
    assert sorted(os.listdir(tmp_path)) == before


def test_help_names_every_command():
    text = run("--help").stdout
    for command in ("train", "predict", "info"):
        assert command in text
    assert "--target" in run("train", "--help").stdout


def test_info_tells_the_build():
    text = run("info").stdout
    for word in (fastmlp.__version__, "compiler", "portable", "blas", "BLAS", "threads"):
        assert word in text
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_without_the_extra_it_says_which_one_to_install(tmp_path):
    (tmp_path / "typer.py").write_text("raise ImportError('no typer', name='typer')")
    process = run("info", check=False, PYTHONPATH=str(tmp_path))
    assert process.returncode == 1
    assert process.stderr.strip() == "fastmlp: the command line needs typer: pip install 'fastmlp[cli]'"


def test_control_c_keeps_the_model_so_far(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "fastmlp", "train", "--epochs", "100000", "--out", "m.safetensors"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for line in process.stdout:
        if line.lstrip().startswith("3 "):
            break
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    output, problems = process.communicate(timeout=60)
    assert time.monotonic() - asked < 30  # it ended because of the signal: the training itself takes minutes
    assert process.returncode == 0
    assert "Training interrupted by user." in problems
    assert "test accuracy" in output
    assert fastmlp.load(tmp_path / "m.safetensors").n_iter_ >= 3
