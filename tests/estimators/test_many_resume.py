"""Sweeps that are resumed from a folder: after Ctrl-C, a kill or a full disk, by several processes."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_matrix

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, fit_many
from fastmlp.callbacks import StopAtScore
from fastmlp.estimators.base import BaseMLP
from fastmlp.schedules import OneCycle, Schedule
from helpers.bad_input import says
from helpers.estimators import data, ignore_convergence
from helpers.many import DivergeAfter

pytestmark = [ignore_convergence, pytest.mark.filterwarnings("ignore::fastmlp.DivergenceWarning")]

X, Y = data("multiclass", n=90)
X_VAL, Y_VAL = data("multiclass", n=40, seed=5)
PARAMS = {"hidden_layer_sizes": (5,), "max_iter": 3, "batch_size": 30, "random_state": 0}
BASE = MLPClassifier(**PARAMS)
GRID = [{"alpha": 0.1}, {"solver": "sgd"}, {"early_stopping": True, "learning_rate": OneCycle()}]


@pytest.fixture
def trained(monkeypatch):
    """Return the list of the models that are trained."""
    models, train = [], BaseMLP._train
    monkeypatch.setattr(
        BaseMLP, "_train", lambda self, *args, **options: models.append(self) or train(self, *args, **options)
    )
    return models


def sweep(folder, grid=GRID, X=X, y=Y, X_val=X_VAL, y_val=Y_VAL, **options):
    return fit_many(grid, X, y, X_val, y_val, resume=folder, **{"estimator": BASE, **options})


def assert_same(models, expected):
    assert len(models) == len(expected)
    for model, other in zip(models, expected, strict=True):
        assert_array_equal(model.network_.parameters, other.network_.parameters)
        assert_array_equal(model.predict(X), other.predict(X))
        assert repr(model) == repr(other)
        for name in ("n_iter_", "t_", "loss_curve_", "validation_loss_curve_", "validation_score_"):
            assert getattr(model, name) == getattr(other, name), name
        assert_array_equal(model.validation_scores_, other.validation_scores_)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_same_call_reads_what_is_finished_and_trains_the_rest(n_jobs, tmp_path, trained):
    folder = tmp_path / "made" / "here"
    first = sweep(folder, GRID[:2], n_jobs=n_jobs)
    assert len(trained) == 2
    models = sweep(str(folder), [GRID[2], *GRID[:2]], n_jobs=n_jobs)  # in any order
    assert len(trained) == 3
    assert_same(models[1:], first)
    assert_same(models, fit_many([GRID[2], *GRID[:2]], X, Y, X_VAL, Y_VAL, estimator=BASE))
    again = sweep(folder)
    assert len(trained) == 6  # three of them without a folder
    frame, before = again.to_frame(), models.to_frame()
    assert list(frame["seconds"]) == [before["seconds"][i] for i in (1, 2, 0)]
    assert again.best.validation_score_ == models.best.validation_score_
    assert [path.suffix for path in folder.iterdir()] == [".safetensors"] * 3
    for path in folder.iterdir():
        assert fastmlp.load(path).n_features_in_ == X.shape[1]


def test_what_was_read_has_all_parameters_and_goes_on_training(tmp_path):
    grid = [{"callbacks": [StopAtScore(2.0)], "scoring": score_of_ones_own, "verbose": False}]
    fresh = sweep(tmp_path, grid)
    (model,) = sweep(tmp_path, grid)
    assert_same([model], fresh)
    assert model.scoring is score_of_ones_own
    assert model.callbacks == [StopAtScore(2.0)]
    assert model.hidden_layer_sizes == (5,)
    model.partial_fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
    assert len(model.loss_curve_) == 4


def score_of_ones_own(model, X, y, sample_weight=None):
    return model.score(X, y)


def test_a_model_that_diverged_is_finished_and_one_with_an_error_is_tried_again(tmp_path, trained):
    grid = [{"callbacks": [DivergeAfter(2)]}, {"solver": "sgd", "learning_rate_init": 1e200}]
    first = sweep(tmp_path, grid, on_error="keep")
    again = sweep(tmp_path, grid, on_error="keep")
    assert len(trained) == 3
    for models in (first, again):
        assert list(models.to_frame()["diverged"]) == [True, False]
        assert [error is None for error in models.errors] == [True, False]
    assert_array_equal(first.scores, again.scores)
    assert first.to_frame()["seconds"][0] == again.to_frame()["seconds"][0]


# --------------------------------------------------------------------------------------- what is trained anew

OTHERS = {
    "X": {"X": X + 1e-12},
    "type of X": {"X": X.astype(np.float32)},
    "names of the columns": {"X": pd.DataFrame(X, columns=list("abcdefg")), "X_val": None, "y_val": None},
    "y": {"y": np.roll(Y, 1)},
    "labels": {"y": np.array(["x", "y", "z"])[Y], "y_val": np.array(["x", "y", "z"])[Y_VAL]},
    "X_val": {"X_val": X_VAL + 1},
    "y_val": {"y_val": np.roll(Y_VAL, 1)},
    "no validation data": {"X_val": None, "y_val": None},
    "sample_weight": {"sample_weight": np.arange(1.0, 91.0)},
    "sparse X": {"X": csr_matrix(X), "X_val": csr_matrix(X_VAL)},
}
PARAMETERS = {
    "alpha": 0.3, "hidden_layer_sizes": (6,), "random_state": 1, "max_iter": 4, "early_stopping": True,
    "learning_rate": OneCycle(0.2), "scoring": "f1_macro", "callbacks": [StopAtScore(3.0)],
    "class_weight": {0: 2.0, 1: 1.0, 2: 1.0}, "dtype": "float32", "max_seconds": 1000.0,
}  # fmt: skip


@pytest.mark.parametrize("case", OTHERS)
def test_other_data_are_trained_on_anew(case, tmp_path, trained):
    sweep(tmp_path, GRID[:1])
    models = sweep(tmp_path, GRID[:1], **OTHERS[case])
    assert len(trained) == 2
    assert models[0]._session is not None
    sweep(tmp_path, GRID[:1])
    sweep(tmp_path, GRID[:1], **OTHERS[case])
    assert len(trained) == 2


@pytest.mark.parametrize("name", PARAMETERS)
def test_other_parameters_are_trained_anew(name, tmp_path, trained):
    sweep(tmp_path, [{}])
    sweep(tmp_path, [{name: PARAMETERS[name]}])
    assert len(trained) == 2
    sweep(tmp_path, [{name: PARAMETERS[name]}, {}])
    assert len(trained) == 2


def test_what_changes_no_model_changes_nothing(tmp_path, trained):
    first = sweep(tmp_path, [{}])
    wide = np.repeat(X, 2, axis=1)[:, ::2]  # the same values with other strides
    models = sweep(tmp_path, [{"verbose": True}], X=wide, y=Y.tolist(), estimator=BASE, n_jobs=2)
    assert len(trained) == 1
    assert_array_equal(models[0].predict(X), first[0].predict(X))
    regressor = MLPRegressor(**PARAMS)  # nor is another class of models the same
    sweep(tmp_path, [{}], y=Y * 1.0, y_val=Y_VAL * 1.0, estimator=regressor)
    assert len(trained) == 2


def test_configurations_that_are_alike_are_models_of_their_own(tmp_path, trained):
    grid = [{"random_state": None}] * 3
    models = sweep(tmp_path, grid)
    assert len({model.loss_ for model in models}) == 3
    assert [model.loss_ for model in sweep(tmp_path, grid)] == [model.loss_ for model in models]
    assert len(trained) == 3


# -------------------------------------------------------------------------------------------- what is refused


class Mine(Schedule):
    """A schedule that no file can hold."""


class MineToo(MLPClassifier):
    """A classifier that no file can hold."""


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        ({"random_state": np.random.RandomState(0)}, ["random_state", "RandomState", "None"]),
        ({"learning_rate": Mine()}, ["learning_rate", "Mine", "cannot be saved"]),
        (MineToo(), ["MineToo", "cannot be saved"]),
    ],
    ids=["random state", "schedule", "subclass"],
)
def test_what_cannot_be_resumed_is_refused_by_its_index_before_anything_is_trained(
    configuration, said, tmp_path, trained
):
    with pytest.raises(ValueError, match=says("configurations[1]", "resume", *said)):
        sweep(tmp_path / "folder", [{}, configuration])
    assert not trained
    assert not (tmp_path / "folder").exists()


def test_labels_that_no_file_can_hold_are_refused_before_anything_is_trained(tmp_path, trained):
    labels = np.array([np.datetime64("2020-01-01") + i for i in Y])
    with pytest.raises(ValueError, match="class labels"):
        sweep(tmp_path / "folder", y=labels, X_val=None, y_val=None)
    assert not trained


def test_a_folder_that_cannot_be_written_to_is_refused_before_anything_is_trained(tmp_path, trained):
    (tmp_path / "file").write_text("mine")
    for wrong in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match=says("resume", str(wrong))):
            sweep(wrong)
    assert (tmp_path / "file").read_text() == "mine"
    for wrong in (True, 3, b"folder"):
        with pytest.raises(TypeError, match=says("resume", repr(wrong))):
            sweep(wrong)
    assert not trained


# ------------------------------------------------------------------------------- damage, signals, a full disk


def half(content):
    return content[: len(content) // 2]


@pytest.mark.parametrize(
    "damage",
    [
        half,
        lambda _: b"",
        lambda _: b"not a model",
        lambda content: content.replace(b"fit_many", b"fit_nany"),
    ],
    ids=["half", "empty", "text", "another's"],
)
def test_a_damaged_file_is_warned_of_and_its_model_trained_anew(damage, tmp_path, trained):
    first = sweep(tmp_path, GRID[:2])
    path = sorted(tmp_path.iterdir())[0]
    path.write_bytes(damage(path.read_bytes()))
    with pytest.warns(UserWarning, match=says("configurations[", str(path), "trained anew")):
        models = sweep(tmp_path, GRID[:2])
    assert len(trained) == 3
    assert_same(models, first)
    assert_same(sweep(tmp_path, GRID[:2]), first)
    assert len(trained) == 3


SWEEP = """
    import sys, time
    import numpy as np
    import fastmlp

    X = np.random.default_rng(0).normal(size=(300, 5))
    y = (X[:, 0] > 0).astype(int)
    base = fastmlp.MLPClassifier((50,), max_iter=60, tol=0, n_iter_no_change=np.inf, batch_size=5)

    def fit(folder, n=8):
        grid = [{"random_state": seed, "learning_rate": "one_cycle"} for seed in range(n)]
        return fastmlp.fit_many(grid, X, y, X, y, estimator=base, n_jobs=2, resume=folder)
"""
GO = "fit(sys.argv[1])"
CAUGHT = """
    try:
        fit(sys.argv[1], 1000)
    except KeyboardInterrupt as error:
        import pathlib
        print(len(error.models), len(list(pathlib.Path(sys.argv[1]).glob("*.safetensors"))))
"""
FULL = """
    import resource, signal
    fit(sys.argv[1], 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # a write fails half-way, as on a full disk
    try:
        fit(sys.argv[1], 8)
    except OSError as error:
        print(len(error.models) > 2, "configurations[" in error.__notes__[0], error.models.best.n_iter_)
"""
FINISHED = """
    reused = []
    from fastmlp.estimators.base import BaseMLP
    train = BaseMLP._train
    BaseMLP._train = lambda self, *args, **options: reused.append(1) or train(self, *args, **options)
    models = fit(sys.argv[1])
    expected = fit(None)
    assert all(np.array_equal(a.coefs_[0], b.coefs_[0]) for a, b in zip(models, expected, strict=True))
    print(8 - (len(reused) - 8))
"""


def command(script, folder):
    return [sys.executable, "-c", textwrap.dedent(SWEEP) + textwrap.dedent(script), str(folder)]


def run(script, folder):
    done = subprocess.run(command(script, folder), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def files(folder):
    return [path for path in folder.iterdir() if path.suffix == ".safetensors"] if folder.exists() else []


def signalled(script, folder, number, n_files):
    """Send a signal once there are so many files; return the status and the output."""
    process = subprocess.Popen(command(script, folder), stdout=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 100
        while len(files(folder)) < n_files:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(process.pid, number)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    return process.returncode, output.split()


def test_after_kill_minus_nine_the_sweep_goes_on_from_whole_files(tmp_path):
    status, _ = signalled(GO, tmp_path / "sweep", signal.SIGKILL, 3)
    assert status == -signal.SIGKILL
    for path in files(tmp_path / "sweep"):
        fastmlp.load(path)
    n_found = len(files(tmp_path / "sweep"))
    assert n_found >= 3
    assert run(FINISHED, tmp_path / "sweep") == [str(n_found)]


def test_after_ctrl_c_the_models_are_in_the_exception_and_in_the_folder(tmp_path):
    status, output = signalled(CAUGHT, tmp_path / "sweep", signal.SIGINT, 3)
    assert status == 0
    n_models, n_files = map(int, output)
    assert n_models == n_files >= 3
    assert len(list((tmp_path / "sweep").iterdir())) == n_files  # nothing half-written
    assert run(FINISHED, tmp_path / "sweep") == [str(min(n_files, 8))]


def test_on_a_full_disk_the_models_are_in_the_exception_and_no_file_is_half(tmp_path):
    assert run(FULL, tmp_path / "sweep") == ["True", "True", "60"]
    assert len(list((tmp_path / "sweep").iterdir())) == 2
    assert run(FINISHED, tmp_path / "sweep") == ["2"]


def test_processes_may_share_a_folder(tmp_path):
    processes = [subprocess.Popen(command(GO, tmp_path / "sweep"), stderr=subprocess.PIPE) for _ in range(3)]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert len(list((tmp_path / "sweep").iterdir())) == 8
    assert run(FINISHED, tmp_path / "sweep") == ["8"]


def test_an_empty_path_is_no_folder():
    with pytest.raises(ValueError, match=r"resume=''"):
        fit_many([{}], [[0.0], [1.0]] * 5, [0, 1] * 5, resume="")
