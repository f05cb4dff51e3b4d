"""Tests of a study's groups: lists, searches, groups that wait for others, and where the runs go."""

import subprocess
import sys
import threading

import numpy as np
import pytest
from joblib import register_parallel_backend
from joblib._parallel_backends import ThreadingBackend
from typer.testing import CliRunner

import fastmlp
from fastmlp.cli.commands import app
from fastmlp.studies import gaps, run_study, table_frame, write_tables
from fastmlp.studies.running.records import best_of, opened
from helpers.estimators import quietly
from helpers.studies import HALVING, HEAD, RANDOM, reader


@pytest.fixture
def study(tmp_path):
    """Return a function that reads a study."""
    return reader(tmp_path)


def without_times(results):
    return [{**vars(record), "seconds": None} for record in results.records]


def test_a_random_search_draws_the_same_points_again(study, tmp_path):
    read = study(RANDOM)
    records = run_study(read, tmp_path / "a").records
    assert len({record.point for record in records}) == 5
    for record in records:
        assert 1e-3 <= record.params["learning_rate_init"] <= 0.1
        assert record.params["hidden_layer_sizes"] in ([8], [16, 16])
        assert 16 <= record.params["batch_size"] <= 64
        assert isinstance(record.params["batch_size"], int)
    assert {type(record.params["learning_rate_init"]) for record in records} == {float}
    again = run_study(study(RANDOM), tmp_path / "b")
    assert [one.point for one in again.records] == [one.point for one in records]
    other = study(RANDOM.replace("seed = 1", "seed = 2"))
    assert {run.point for run in other.runs_of(other.groups["random"])} != {one.point for one in records}


def test_a_halving_search_gives_more_epochs_to_fewer_points_and_is_resumed(study, tmp_path):
    read = study(HALVING)
    results = run_study(read, tmp_path / "out", n_jobs=2)
    epochs = [record.params["max_iter"] for record in results.records]
    assert epochs == [1] * 9 + [3] * 3 + [9]
    first, second, last = results.records[:9], results.records[9:12], results.records[12]
    # Those that went on are the best of the round before.
    chosen = {record.params["learning_rate_init"] for record in second}
    assert chosen == {one.params["learning_rate_init"] for one in sorted(first, key=score)[-3:]}
    assert last.params["learning_rate_init"] == max(second, key=score).params["learning_rate_init"]
    assert last.epochs == 9
    before = (tmp_path / "out" / "runs.jsonl").read_bytes()
    assert run_study(read, tmp_path / "out").records == results.records
    assert (tmp_path / "out" / "runs.jsonl").read_bytes() == before
    # What a kill lost is done again, and only that.
    (tmp_path / "out" / "runs.jsonl").write_bytes(b"".join(before.splitlines(keepends=True)[:7]))
    assert without_times(run_study(read, tmp_path / "out")) == without_times(results)


def score(record):
    return record.scores["validation"]


def test_a_halving_search_over_samples(study, tmp_path):
    read = study(HALVING.replace("smallest = 1\nlargest = 9", 'resource = "n_samples"\nsmallest = 100'))
    results = run_study(read, tmp_path / "out")
    n_train = [record.n_train for record in results.records]
    assert sorted(set(n_train)) == [100, 300, 899]  # scikit-learn rounds a share down
    assert {record.epochs for record in results.records} == {4}


def test_the_best_point_s_parameters_are_taken(study, tmp_path):
    text = "[runs.best]\nbest_of = 'grid'\nseeds = 2\nset.max_iter = 6\n"
    text += "[runs.grid.grid]\nlearning_rate_init = [1e-5, 0.01, 1e-4]\n"
    results = run_study(study(text), tmp_path / "out")
    assert [record.name for record in results.records[:2]] == ["best", "best"]  # in the file's order
    for record in results.of("best"):
        assert record.params["learning_rate_init"] == 0.01
        assert record.epochs == 6
    assert best_of(results.of("grid")).params["learning_rate_init"] == 0.01


def test_a_run_goes_on_from_another_s_model(study, tmp_path):
    text = "[runs.first]\nseeds = 2\n[runs.more]\ncontinues = 'first'\nseeds = 2\n"
    text += "set = {max_iter = 3, learning_rate_init = 1e-4}\n"
    results = run_study(study(text), tmp_path / "out")
    X, y, *_ = fastmlp.datasets.load_digits()
    n = len(X) - 300
    for record, source in zip(results.of("more"), results.of("first"), strict=True):
        assert (record.epochs, len(record.curves["val_score"])) == (3, 3)
        model = results.model(source).set_params(
            max_iter=3, learning_rate_init=1e-4, warm_start=True, random_state=source.seed
        )
        quietly(model.fit, X[:n], y[:n], X_val=X[n:], y_val=y[n:])
        np.testing.assert_array_equal(results.model(record).coefs_[0], model.coefs_[0])
    assert results.of("more")[0].scores != results.of("first")[0].scores


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_processes_give_the_same_runs(study, tmp_path, backend):
    read = study("[runs.a]\nseeds = 3\n[runs.b]\nlist.x.max_iter = 2\n")
    here = run_study(read, tmp_path / "here", n_jobs=1)
    command = ["study", "run", "my.toml", "--out", "there", "--jobs", f"{backend}:2"]
    # In a process of its own: what other tests have imported into this one may not bear a fork.
    subprocess.run([sys.executable, "-m", "fastmlp", *command], cwd=tmp_path, check=True, capture_output=True)
    written = (tmp_path / "there" / "runs.jsonl").read_bytes()
    there = run_study(read, tmp_path / "there")
    assert (tmp_path / "there" / "runs.jsonl").read_bytes() == written
    assert without_times(here) == without_times(there)


def test_a_backend_that_returns_only_when_all_is_done_gives_the_same_runs(study, tmp_path):
    class Slow(ThreadingBackend):
        supports_return_generator = False

    register_parallel_backend("ours", Slow)
    read = study("[runs.a]\nseeds = 3\n[runs.b]\nlist.x.max_iter = 2\n")
    here = run_study(read, tmp_path / "here", n_jobs=1)
    there = run_study(read, tmp_path / "there", n_jobs=2, backend="ours")
    assert without_times(here) == without_times(there)


def test_jobs_of_the_command_line(study, tmp_path):
    study("[runs.a]\n")
    command = ["study", "run", str(tmp_path / "my.toml"), "--out", str(tmp_path / "out"), "--jobs"]
    assert CliRunner().invoke(app, [*command, "loky:2"]).exit_code == 0
    for jobs, message in (("loky:two", "--jobs must be"), ("0", "n_jobs=0"), ("nobody:2", "nobody")):
        result = CliRunner().invoke(app, [*command, jobs])
        assert result.exit_code == 1, result.output
        assert message in result.output


def test_two_processes_do_not_work_in_one_folder(study, tmp_path):
    read = study("[runs.a]\n")
    with opened(tmp_path / "out"), pytest.raises(ValueError, match="another process is at work there"):
        run_study(read, tmp_path / "out")
    assert len(run_study(read, tmp_path / "out").records) == 1


def test_features_are_shifted_and_scaled(study, tmp_path):
    head = HEAD.replace('"digits"', '"digits"\ncenter = 8\nscale = 0.0625').replace('prepare = "image"', "")
    read = study("[runs.a]\n", head)
    results = run_study(read, tmp_path / "out")
    assert (results.data.X_train.min(), results.data.X_train.max()) == (-0.5, 0.5)
    X, y, *_ = fastmlp.datasets.load_digits()
    X = (X.astype(np.float32) - 8) / 16
    n = len(X) - 300
    model = fastmlp.MLPClassifier((16,), max_iter=4, batch_size=32, random_state=0)
    quietly(model.fit, X[:n], y[:n], X_val=X[n:], y_val=y[n:])
    np.testing.assert_array_equal(results.model(results.records[0]).coefs_[0], model.coefs_[0])


def test_the_validation_part_of_a_built_in_set_is_any_of_its_rows_if_asked(study, tmp_path):
    X, y, *_ = fastmlp.datasets.load_digits()
    parts = []
    for data in ("", "shuffle = true", "shuffle = true\nseed = 1"):
        read = study("[runs.a]\nset.max_iter = 1\n", HEAD.replace('"digits"', '"digits"\n' + data))
        parts.append(run_study(read, tmp_path / data).data)
    np.testing.assert_array_equal(parts[0].X_val, X[-300:])
    for part in parts:
        assert len(part.y_val) == 300
        rows = np.concatenate([np.c_[part.X_train, part.y_train], np.c_[part.X_val, part.y_val]])
        assert sorted(map(bytes, rows)) == sorted(map(bytes, np.c_[X, y].astype(rows.dtype)))
    assert not np.array_equal(parts[1].X_val, parts[0].X_val)
    assert not np.array_equal(parts[1].X_val, parts[2].X_val)


def test_training_rows_training_scores_and_weights_that_figures_need(study, tmp_path):
    read = study(
        '[runs.a]\ntrain = 200\n[runs.b]\n[[figures]]\nkind = "curves"\ntitle = "c"\nruns = "a"\n'
        '[[figures]]\nkind = "first_layer"\ntitle = "f"\nruns = "b"\nepochs = [0, 1, 9]\n'
        '[[claims]]\nclaim = "c"\nchecks = ["train at epoch 1 of b > 0"]\n'
    )
    results = run_study(read, tmp_path / "out")
    a, b = results.records
    assert (a.n_train, b.n_train) == (200, len(results.data.y_train))
    data = results.data
    assert (
        a.curves["score"][-1]
        == a.scores["train"]
        == results.model(a).score(data.X_train[:200], data.y_train[:200])
    )
    assert len(b.curves["score"]) == 4
    weights = results.weights(b)
    assert list(weights) == [0, 1]  # there is no epoch 9
    assert not np.array_equal(weights[0], weights[1])
    assert results.weights(a) == {}


def test_one_of_several_classes_by_logistic_outputs_is_scored_as_one(study, tmp_path):
    text = '[runs.a.set]\noutput_activation = "logistic"\nloss = "binary_cross_entropy"\n'
    text += '[[figures]]\nkind = "curves"\ntitle = "c"\nruns = "a"\n'
    results = run_study(study(text), tmp_path / "out")
    (record,) = results.records
    data = results.data
    assert record.scores["test"] == results.model(record).score(data.X_test, data.y_test)
    assert record.curves["score"][-1] == record.scores["train"]
    assert record.curves["val_score"][-1] == record.scores["validation"]


def test_runs_that_are_alike_are_done_once_and_keep_their_names(study, tmp_path):
    text = "[runs.a]\nseeds = 2\n[runs.b]\nlist.x.alpha = 0.0001\nlist.y.alpha = 1\n"
    read = study(text)
    results = run_study(read, tmp_path / "out")
    assert len((tmp_path / "out" / "runs.jsonl").read_text().splitlines()) == 3
    a, _, x, y = results.records
    assert [one.key for one in results.records] == ["a/seed 0", "a/seed 1", "b/x/seed 0", "b/y/seed 0"]
    assert (a.scores, a.model) == (x.scores, x.model) != (y.scores, y.model)
    # What a figure asks for later is measured then, of that run alone.
    drawn = study(text + '[[figures]]\nkind = "curves"\ntitle = "c"\nruns = "b/x"\n')
    again = run_study(drawn, tmp_path / "out")
    assert len((tmp_path / "out" / "runs.jsonl").read_text().splitlines()) == 4
    assert len(again.of("b/x")[0].curves["score"]) == 4
    assert again.of("b/x")[0].scores == x.scores
    assert "score" not in again.of("b/y")[0].curves
    before = (tmp_path / "out" / "runs.jsonl").read_bytes()
    assert run_study(drawn, tmp_path / "out").records == again.records
    assert (tmp_path / "out" / "runs.jsonl").read_bytes() == before


def test_published_figures_stand_beside_ours_and_gaps_are_told(study, tmp_path):
    read = study(
        "[runs.a]\nseeds = 2\nlist.x.max_iter = 4\nlist.y.max_iter = 1\n"
        '[[tables]]\ntitle = "T"\nruns = "a"\nshow = ["test", "test loss"]\nscale = {"test loss" = 0.1}\n'
        'published.test = {x = 0.2, y = 0.3}\npublished."test loss" = {x = 7}\n'
        '[[tables]]\ntitle = "E"\nruns = "a"\nis_evidence = true\npublished.test = {x = 0.5}\n'
        '[[differences]]\nrows = ["a/y"]\nbecause = "few epochs"\nchecks = ["test of a/x > test of a/y"]\n'
        '[[differences]]\nrows = ["a/y"]\nbecause = "some other reason"\n'
    )
    results = run_study(read, tmp_path / "out")
    frame = table_frame(read.tables[0], results)
    assert list(frame["test published"]) == [0.2, 0.3]
    losses = [record.losses["test"] for record in results.of("a/x")]
    assert frame["test loss"][0] == pytest.approx(0.1 * np.mean(losses))
    found = list(gaps(results))
    assert [(gap.row, gap.measure, gap.difference and gap.difference.because) for gap in found] == [
        ("x", "test", None), ("y", "test", "few epochs"),
    ]  # fmt: skip


def test_the_best_of_a_group_is_the_best_however_long_it_trained_and_may_be_one_point(study, tmp_path):
    read = study(
        "[runs.a]\nlist.short = {max_iter = 2}\nlist.long = {max_iter = 3, learning_rate_init = 1e-6}\n"
        "[runs.b]\nbest_of = 'a'\n[runs.c]\nbest_of = 'a/long'\n"
    )
    results = run_study(read, tmp_path / "out", n_jobs=1)
    assert [results.of(name)[0].params["max_iter"] for name in "bc"] == [2, 3]


def test_a_point_that_stands_in_a_grid_twice_is_run_once(study, tmp_path):
    results = run_study(study("[runs.a]\ngrid.alpha = [0.1, 0.1]\n"), tmp_path / "out", n_jobs=1)
    assert len(results.records) == 1


def test_runs_that_are_alike_have_the_parameters_and_the_weights_that_their_group_asks_for(study, tmp_path):
    before = "[runs.a]\n[[figures]]\nkind = 'first_layer'\ntitle = 'a'\nruns = 'a'\nepochs = [0]\n"
    after = "[runs.b]\nset.alpha = 1e-4\n" + before.replace("'a'", "'b'").replace("[0]", "[1]").replace(
        "[runs.a]\n", ""
    )
    run_study(study(before), tmp_path / "out", n_jobs=1)
    results = run_study(study(before + after), tmp_path / "out", n_jobs=1)
    a, b = results.records
    assert "alpha" not in a.params
    assert b.params["alpha"] == 1e-4
    assert results.weights(a).keys() == {0, 1}
    lines = (tmp_path / "out" / "runs.jsonl").read_text()
    run_study(study(before + after), tmp_path / "out", n_jobs=1)
    assert (tmp_path / "out" / "runs.jsonl").read_text() == lines


def test_the_runs_of_a_search_are_watched_as_others_are(study, tmp_path):
    read = study(
        HALVING + "[[figures]]\nkind = 'curves'\ntitle = 'c'\nruns = 'halving'\n"
        "[[figures]]\nkind = 'first_layer'\ntitle = 'f'\nruns = 'halving'\nepochs = [0]\n"
    )
    results = run_study(read, tmp_path / "out", n_jobs=1)
    assert all(len(record.curves["score"]) == record.epochs for record in results.records)
    assert all(results.weights(record).keys() == {0} for record in results.records)


def test_a_group_that_a_check_goes_over_is_measured_as_its_point_is(study, tmp_path):
    read = study(
        "[runs.a]\ngrid.alpha = [0.1, 0.2]\n[[claims]]\nclaim = 'c'\n"
        "checks = ['train at epoch 1 of a/alpha=0.1 is highest of a']\n"
    )
    results = run_study(read, tmp_path / "out", n_jobs=1)
    assert all(len(record.curves["score"]) == record.epochs for record in results.records)


def test_a_quick_try_of_a_search_over_samples_has_as_many_as_there_are(study, tmp_path):
    text = HALVING.replace("smallest = 1\nlargest = 9", 'resource = "n_samples"\nsmallest = 500')
    results = run_study(study(text), tmp_path / "out", n_jobs=1, quick=True)
    assert {record.n_train for record in results.records} == {200}


def test_a_line_that_could_not_be_written_whole_leaves_nothing(study, tmp_path, monkeypatch):
    read = study("[runs.a]\n")
    (record,) = run_study(read, tmp_path / "out", n_jobs=1).records
    before = (tmp_path / "out" / "runs.jsonl").read_bytes()

    def full(_):
        raise OSError("no space left")

    with opened(tmp_path / "out") as store:
        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="no space"):
            store.add(record)
    assert (tmp_path / "out" / "runs.jsonl").read_bytes() == before


def test_a_run_that_cannot_be_done_is_named(study, tmp_path):
    read = study("[runs.a]\n[runs.b]\ncontinues = 'a'\nset.hidden_layer_sizes = [5]\n")
    with pytest.raises(ValueError, match=r"b/seed 0: hidden_layer_sizes=.* cannot be changed"):
        run_study(read, tmp_path / "out", n_jobs=1)


def test_a_point_that_a_table_names_twice_is_in_it_once(study, tmp_path):
    read = study("[runs.a]\nlist.'3e-5|x'.alpha = 0\n[[tables]]\ntitle = 't'\nruns = ['a', 'a/3e-5|x']\n")
    results = run_study(read, tmp_path / "out", n_jobs=1)
    ((_, frame),) = write_tables(results)
    assert list(frame.columns) == ["run", "validation", "test"]
    assert "| 3e-5\\|x |" in (tmp_path / "out" / "tables" / "1-a.md").read_text().replace("  ", "")


def test_names_need_not_be_such_as_files_have(study, tmp_path):
    name = "\u4e00" * 100
    read = study(f"[runs.{name!r}]\n[[tables]]\ntitle = 't'\nruns = {name!r}\n")
    results = run_study(read, tmp_path / "out", n_jobs=1)
    assert results.model(results.records[0]).n_iter_ == 4
    write_tables(results)


def test_what_still_runs_of_a_search_ends_when_it_is_broken_off(study, tmp_path, monkeypatch):
    stops, begun = [], threading.Event()

    def fails_or_waits(job, stop):
        stops.append(stop)
        if len(stops) == 1:
            begun.wait(10)
            raise ValueError("no")
        begun.set()
        assert stop.wait(10)

    monkeypatch.setattr("fastmlp.studies.running.runs.do", fails_or_waits)
    with pytest.raises(ValueError, match="no"):
        run_study(study(HALVING), tmp_path / "out", n_jobs=2)
    assert all(stop.is_set() for stop in stops)


def test_weights_that_are_not_whole_are_kept_again(study, tmp_path):
    read = study("[runs.a]\n[[figures]]\nkind = 'first_layer'\ntitle = 'f'\nruns = 'a'\nepochs = [0]\n")
    (record,) = run_study(read, tmp_path / "out", n_jobs=1).records
    (weights,) = (tmp_path / "out" / "models").glob("*-weights.safetensors")
    weights.write_bytes(weights.read_bytes()[:50])
    results = run_study(read, tmp_path / "out", n_jobs=1)
    assert results.weights(record).keys() == {0}


def test_a_model_that_is_lost_does_not_end_the_study(study, tmp_path):
    text = (
        "[runs.a]\nset.solver = {name = 'sgd', learning_rate = 1e30}\n[runs.on]\ncontinues = 'a'\n[runs.c]\n"
        "[[tables]]\ntitle = 't'\nruns = ['on', 'c']\n"
    )
    results = run_study(study(text), tmp_path / "out", n_jobs=1)
    lost = results.of("on")[0]
    assert lost.diverged.startswith("a/seed 0 has no model to go on from: ")
    ((_, frame),) = write_tables(results)
    assert np.isnan(frame["test"][0])
    assert frame["test"][1] > 0.2
    lines = (tmp_path / "out" / "runs.jsonl").read_bytes()
    assert run_study(study(text), tmp_path / "out", n_jobs=1).records == results.records
    assert (tmp_path / "out" / "runs.jsonl").read_bytes() == lines


def test_the_train_scores_of_epochs_are_by_the_scoring_of_the_run(study, tmp_path):
    text = "[runs.a]\nset.scoring = 'neg_log_loss'\n[[figures]]\nkind = 'curves'\ntitle = 'c'\nruns = 'a'\n"
    (record,) = run_study(study(text), tmp_path / "out", n_jobs=1).records
    assert len(record.curves["score"]) == record.epochs
    assert record.curves["score"][-1] == record.scores["train"] < 0
