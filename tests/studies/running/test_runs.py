"""Tests of studies: files of experiments, run, resumed and tabulated."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

import fastmlp
from fastmlp.cli.commands import app
from fastmlp.studies import StudyError, load_study, readable, table_frame, write_report
from fastmlp.studies import run_study as run
from helpers.estimators import quietly

STUDY = """
title = "How wide?"

[data]
name = "digits"
validation = 300

[base]
prepare = "image"
max_iter = 3
batch_size = 32
learning_rate_init = 0.01

[runs.width]
seeds = 2
grid.hidden_layer_sizes = [[4], [16]]

[runs.rules]
set.hidden_layer_sizes = [8]
grid.solver = ["sgd", {name = "rmsprop", learning_rate = 0.003}]
grid.weight_init = [{name = "normal", scale = 0.1}]

[[tables]]
title = "Width"
runs = "width"
show = ["train", "validation", "test", "train loss", "epochs", "seconds"]
published.test = {"hidden_layer_sizes=[16]" = 0.9}
"""


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a study, some of its text replaced."""

    def writer(*changes):
        text = STUDY
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "my.toml").write_text(text)
        return tmp_path / "my.toml"

    return writer


def test_every_point_is_run_with_every_seed(write, tmp_path):
    study = load_study(write())
    records = run_study(study, tmp_path / "out", n_jobs=2)
    assert [record.key for record in records] == [
        "width/hidden_layer_sizes=[4]/seed 0",
        "width/hidden_layer_sizes=[4]/seed 1",
        "width/hidden_layer_sizes=[16]/seed 0",
        "width/hidden_layer_sizes=[16]/seed 1",
        'rules/solver="sgd", weight_init={"name": "normal", "scale": 0.1}/seed 0',
        'rules/solver={"name": "rmsprop", "learning_rate": 0.003}, '
        'weight_init={"name": "normal", "scale": 0.1}/seed 0',
    ]
    X, y, X_test, y_test = fastmlp.datasets.load_digits()
    n = len(X) - 300
    alone = fastmlp.MLPClassifier(
        (16,), prepare="image", max_iter=3, batch_size=32, learning_rate_init=0.01, random_state=1
    )
    quietly(alone.fit, X[:n], y[:n], X_val=X[n:], y_val=y[n:])
    record = records[3]
    assert record.scores["test"] == alone.score(X_test, y_test)
    assert record.curves["val_score"] == alone.validation_scores_
    assert record.epochs == 3
    model = fastmlp.load(tmp_path / "out" / record.model)
    np.testing.assert_array_equal(model.coefs_[0], alone.coefs_[0])


def run_study(study, out, **options):
    return run(study, out, **options).records


def without_times(records):
    return [{**vars(record), "seconds": None} for record in records]


def test_the_number_of_jobs_changes_nothing(write, tmp_path):
    study = load_study(write())
    one, two = (run_study(study, tmp_path / str(n), n_jobs=n) for n in (1, 2))
    assert without_times(one) == without_times(two)


def test_what_is_done_is_not_done_again(write, tmp_path):
    study, out = load_study(write()), tmp_path / "out"
    first = run_study(study, out)
    lines = (out / "runs.jsonl").read_text().splitlines(keepends=True)
    assert len(lines) == 6
    # Two lines are lost, one of them half.
    (out / "runs.jsonl").write_text("".join(lines[:4]) + lines[4][:50])
    again = run_study(study, out)
    assert without_times(again) == without_times(first)
    assert (out / "runs.jsonl").read_text().splitlines(keepends=True)[:4] == lines[:4]
    before = (out / "runs.jsonl").read_bytes()
    assert run_study(study, out) == again
    assert (out / "runs.jsonl").read_bytes() == before
    # Another parameter is another run, of that group alone.
    other = load_study(write(("set.hidden_layer_sizes = [8]", "set.hidden_layer_sizes = [9]")))
    assert run_study(other, out)[:4] == again[:4]
    assert len((out / "runs.jsonl").read_text().splitlines()) == 8


def test_it_goes_on_after_a_kill(write, tmp_path):
    path, out = write(("max_iter = 3", "max_iter = 300")), tmp_path / "out"
    command = [sys.executable, "-m", "fastmlp", "study", "run", str(path), "--out", str(out), "--jobs", "1"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            done = out / "runs.jsonl"
            if done.exists() and done.read_bytes().count(b"\n") >= 2:
                break
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    lines = (out / "runs.jsonl").read_bytes()
    kept = lines[: lines.rfind(b"\n") + 1]
    assert 2 <= kept.count(b"\n") < 6
    records = run_study(load_study(path), out)
    assert len(records) == 6
    assert (out / "runs.jsonl").read_bytes().startswith(kept)


def test_a_run_that_ctrl_c_breaks_off_is_not_done(write, tmp_path, monkeypatch):
    study, out, train, n_fits = load_study(write()), tmp_path / "out", fastmlp.Trainer.train, 0

    def interrupted(self, *args, **kwargs):
        nonlocal n_fits
        n_fits += 1
        train(self, *args, **kwargs)
        if n_fits == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(fastmlp.Trainer, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_study(study, out, n_jobs=1)
    assert (out / "runs.jsonl").read_bytes().count(b"\n") == 2
    monkeypatch.undo()
    assert without_times(run_study(study, out)) == without_times(run_study(study, tmp_path / "whole"))


def test_quick_takes_one_seed_and_a_tenth_of_the_data(write, tmp_path):
    study = load_study(write())
    records = run_study(study, tmp_path / "out", quick=True)
    assert [record.seed for record in records] == [0] * 4
    assert {(record.epochs, record.n_train) for record in records} == {(3, 200)}
    assert len(run_study(study, tmp_path / "out")) == 6  # and does not pass for the whole


@pytest.mark.parametrize(("rate", "epochs"), [(1e30, 0), (1e8, None)])
def test_a_run_that_diverges_is_told_and_the_others_go_on(write, tmp_path, rate, epochs):
    study = load_study(
        write(
            (
                '["sgd", {name = "rmsprop", learning_rate = 0.003}]',
                f'["adam", {{name = "sgd", learning_rate = {rate}}}]',
            )
        )
    )
    sound, bad = run_study(study, tmp_path / "out")[-2:]
    assert sound.scores["test"] > 0.2
    assert not sound.diverged
    assert "diverged" in bad.diverged or "non-finite" in bad.diverged
    if epochs == 0:
        assert bad.scores["test"] is None


def test_a_table_has_means_and_deviations(write, tmp_path):
    study = load_study(write())
    results = run(study, tmp_path / "out")
    records, frame = results.records, table_frame(study.tables[0], results)
    assert list(frame["run"]) == ["hidden_layer_sizes=[4]", "hidden_layer_sizes=[16]"]
    tests = [record.scores["test"] for record in records[2:4]]
    assert frame["test"][1] == pytest.approx(np.mean(tests))
    assert frame["test std"][1] == pytest.approx(np.std(tests, ddof=1))
    assert frame["train loss"][1] == pytest.approx(np.mean([one.losses["train"] for one in records[2:4]]))
    assert frame["test published"][1] == 0.9
    assert np.isnan(frame["test published"][0])


def test_a_file_of_ones_own_and_real_targets(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    np.savetxt(tmp_path / "my.csv", np.c_[X, X.sum(axis=1)], delimiter=",", header="a,b,y", comments="")
    (tmp_path / "my.toml").write_text(
        f'title = "t"\n[data]\nname = "{tmp_path}/my.csv"\ntarget = "y"\n[base]\nmax_iter = 40\n'
        "learning_rate_init = 0.02\n[runs.one]\n"
    )
    (record,) = run_study(load_study(tmp_path / "my.toml"), tmp_path / "out")
    assert record.key == "one/seed 0"
    assert record.scores["test"] > 0.9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("title", "titel"), "my.toml: titel: is not known; did you mean 'title'"),
        (('title = "How wide?"', ""), "title: is missing"),
        (('title = "How wide?"', "title = 3"), "title: must be a text, not 3"),
        (("prepare =", "prepares ="), "base.prepares: is not a parameter .* did you mean 'prepare'"),
        (('"image"', '"picture"'), "base.prepare: 'picture' will not do"),
        (("max_iter = 3", "max_iter = -3"), "base.max_iter: -3 will not do"),
        (("max_iter = 3", "random_state = 3"), "base.random_state: belongs to the study"),
        (("validation = 300", "validation = 0.0"), "data.validation: must be a share below 1 or a number"),
        (("validation = 300", 'validation = "some"'), "data.validation: must be a whole number or a number"),
        (("validation = 300", "center = nan"), "data.center: must be a number, not nan"),
        (("validation = 300", "scale = inf"), "data.scale: must be a number above 0, not inf"),
        (("validation = 300", "seed = -1"), "data.seed: must be from 0 to"),
        (("validation = 300", "test = 0.5"), "data.test: is for files; digits has its own"),
        (
            ("max_iter = 3", "max_iter = true"),
            "base.max_iter: True will not do: it is neither true nor false",
        ),
        (("seeds = 2", "max_iter = 2"), "runs.width.max_iter: is a parameter; write set.max_iter"),
        (("seeds = 2", "seeds = 100000000000"), "runs.width.seeds: must be at most 10000"),
        (("seeds = 2", "continues = ''"), "runs.width.continues: is empty"),
        (("seeds = 2", "seeds = 0"), "runs.width.seeds: must be at least 1"),
        (("seeds = 2", "seeds = true"), "runs.width.seeds: must be a whole number"),
        (("[[4], [16]]", "4"), "runs.width.grid.hidden_layer_sizes: must be a list of values"),
        (('"rmsprop"', '"rmsprob"'), "runs.rules.grid.solver: .* name='rmsprob' is not one of"),
        (("scale = 0.1", "scal = 0.1"), "runs.rules.grid.weight_init: .* will not do"),
        (
            ('runs = "width"', 'runs = "widht"'),
            r"tables\[0\].runs: 'widht' is not one of the runs; did you mean 'width'",
        ),
        (('"train loss", ', '"lossy", '), r"tables\[0\].show: 'lossy' is not one of"),
        (("[data]", "[data"), "not a TOML file"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(write, change, message):
    with pytest.raises(StudyError, match=message):
        load_study(write(change))


def test_without_validation_data_all_rows_are_trained_on(write, tmp_path):
    results = run(load_study(write(("validation = 300", "validation = 0"))), tmp_path / "out", n_jobs=2)
    record = results.records[3]
    X, y, X_test, y_test = fastmlp.datasets.load_digits()
    alone = fastmlp.MLPClassifier(
        (16,), prepare="image", max_iter=3, batch_size=32, learning_rate_init=0.01, random_state=1
    )
    quietly(alone.fit, X, y)
    assert record.n_train == len(X)
    assert record.scores == {
        "train": alone.score(X, y),
        "validation": None,
        "test": alone.score(X_test, y_test),
    }
    assert (record.losses["validation"], record.best_epoch, record.curves["val_score"]) == (None, None, [])
    assert readable(table_frame(results.study.tables[0], results), True)["validation"].tolist() == ["–", "–"]
    assert "0 for validation" in write_report(results).read_text()


@pytest.mark.parametrize(
    ("group", "key"),
    [("best_of = 'width'", "best_of"), ("search = {kind = 'halving', over.alpha = [0, 1]}", "search")],
)
def test_without_validation_data_there_is_nothing_to_choose_by(write, group, key):
    path = write(("validation = 300", "validation = 0"))
    path.write_text(path.read_text() + f"[runs.next]\n{group}\n")
    with pytest.raises(StudyError, match=f"runs.next.{key}: needs validation data"):
        load_study(path)


def test_the_command_prints_the_tables(write, tmp_path):
    path = write()
    result = CliRunner().invoke(app, ["study", "run", str(path), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "How wide?: 6 runs" in result.output
    assert "hidden_layer_sizes=[16]" in result.output
    assert (tmp_path / "out" / "tables" / "1-width.csv").read_text().startswith("run,train,train std,")
    result = CliRunner().invoke(app, ["study", "run", str(write(("title", "titel")))])
    assert result.exit_code == 1
    assert "did you mean 'title'" in result.output


def test_a_file_that_is_no_list_of_runs_is_left_alone(write, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "runs.jsonl").write_text(json.dumps({"some": "thing"}) + "\n")
    with pytest.raises(ValueError, match="not the runs of a study"):
        run_study(load_study(write()), tmp_path / "out")
    assert (tmp_path / "out" / "runs.jsonl").read_text() == '{"some": "thing"}\n'


def write_table(path, n_rows, seed=0):
    X = np.random.default_rng(seed).normal(size=(n_rows, 2))
    np.savetxt(path, np.c_[X, X.sum(axis=1)], delimiter=",", header="a,b,y", comments="")


OF_A_FILE = """
title = "t"
[data]
name = "my.csv"
target = "y"
[base]
max_iter = 2
hidden_layer_sizes = [4]
[runs.one]
"""


def test_a_file_beside_the_study_is_found_from_anywhere_and_is_known_by_its_contents(tmp_path, monkeypatch):
    study = tmp_path / "here" / "my.toml"
    study.parent.mkdir()
    study.write_text(OF_A_FILE)
    write_table(study.with_name("my.csv"), 200)
    first = run_study(load_study(study), tmp_path / "out")
    monkeypatch.chdir(study.parent)  # the same file under another name
    assert run_study(load_study("my.toml"), tmp_path / "out") == first
    write_table(study.with_name("my.csv"), 200, seed=1)
    (other,) = run_study(load_study("my.toml"), tmp_path / "out")
    assert other.scores != first[0].scores


def test_a_large_file_has_a_spread_over_batches(tmp_path):
    (tmp_path / "my.toml").write_text(OF_A_FILE)
    write_table(tmp_path / "my.csv", 2600)
    results = run(load_study(tmp_path / "my.toml"), tmp_path / "out")
    (record,), data = results.records, results.data
    model = results.model(record)
    scores = [model.score(data.X_test[i : i + 256], data.y_test[i : i + 256]) for i in (0, 256)]
    assert record.spread == pytest.approx(np.std(scores, ddof=1))


def test_a_file_needs_a_target(tmp_path):
    (tmp_path / "my.toml").write_text(OF_A_FILE.replace('target = "y"', ""))
    with pytest.raises(StudyError, match=r"data.target: is missing"):
        load_study(tmp_path / "my.toml")


def test_gradients_of_a_table_s_real_targets_are_checked(tmp_path):
    write_table(tmp_path / "my.csv", 300)
    check = '[gradient_check]\nof = "one"\nsamples_per_class = 5\n'
    (tmp_path / "my.toml").write_text(OF_A_FILE + 'set.activation = "tanh"\n' + check)
    results = run(load_study(tmp_path / "my.toml"), tmp_path / "out")
    assert results.gradient_order == pytest.approx(2, abs=0.2)


def test_label_indicators_of_a_file(tmp_path):
    X = np.random.default_rng(0).normal(size=(300, 2))
    np.savez(tmp_path / "my.npz", X=X, y=(X > 0).astype(int))
    check = '[gradient_check]\nof = "one"\nparameters = [[0, "b[1]"]]\n'
    text = OF_A_FILE.replace("my.csv", "my.npz").replace('target = "y"', "") + check
    (tmp_path / "my.toml").write_text(text)
    results = run(load_study(tmp_path / "my.toml"), tmp_path / "out")
    assert results.is_classifier
    assert [row.name for row in results.gradient_check.rows] == ["b[1]"]
