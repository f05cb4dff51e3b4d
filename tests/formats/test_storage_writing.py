"""Tests of writing model files: whole or not at all, and only what can be loaded again."""

import errno
import os
import stat
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastmlp
from fastmlp.estimators.inspection import with_model
from fastmlp.estimators.targets import Classes
from fastmlp.schedules import Schedule
from helpers.storage import X, fitted, save_classifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def path(tmp_path):
    return save_classifier(tmp_path)


@pytest.mark.parametrize("kind", [str, Path, os.fsencode])
@pytest.mark.parametrize(
    "name", ["no suffix ä", "界" * 80, os.fsdecode(b"not UTF-8 \xff"), "two\nlines"], ids=ascii
)
def test_paths_may_be_text_path_objects_or_bytes_of_any_name(name, kind, tmp_path):
    model = fitted()
    target = tmp_path / name
    model.save(kind(target))
    assert_array_equal(fastmlp.load(kind(target)).predict(X), model.predict(X))
    assert list(tmp_path.iterdir()) == [target]


def test_a_relative_path_is_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fitted().save("model.safetensors")
    assert (tmp_path / "model.safetensors").is_file()


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_files_get_the_permissions_of_any_new_file(umask, tmp_path):
    before = os.umask(umask)
    try:
        fitted().save(tmp_path / "model")
        assert stat.S_IMODE((tmp_path / "model").stat().st_mode) == 0o666 & ~umask
    finally:
        assert os.umask(before) == umask


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        fitted().save(tmp_path / "nowhere" / "model")


def test_a_folder_is_not_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        fitted().save(tmp_path / "folder")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("exists", [False, True])
def test_a_write_that_fails_leaves_things_as_they_were(step, error, exists, tmp_path, monkeypatch):
    target = tmp_path / "model"
    if exists:
        target.write_bytes(b"the old one")

    def fail(*args):
        raise error

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(error)):
        fitted().save(target)
    assert [entry.name for entry in tmp_path.iterdir()] == (["model"] if exists else [])
    assert not exists or target.read_bytes() == b"the old one"


def run(script, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True, text=True, timeout=100, **options,
    )  # fmt: skip


FULL = """
    import resource, sys
    import numpy as np
    import fastmlp

    model = fastmlp.load(sys.argv[1])
    # No file may grow beyond this: a write fails half-way, as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        model.save(sys.argv[1])
    except OSError as error:
        print(error)
    else:
        sys.exit("it was written")
"""


def test_a_full_disk_leaves_the_old_file_whole_and_nothing_else(path):
    before = path.read_bytes()
    done = run(FULL, path)
    assert done.returncode == 0, done.stderr
    assert "File too large" in done.stdout  # what the system says at this limit
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == before


UNWRITABLE = """
    import os, sys
    import fastmlp

    model = fastmlp.load("model.safetensors")
    if os.getuid() == 0:  # to whom every folder is writable
        os.setuid(65534)
    for name in ("model.safetensors", "new.safetensors"):
        try:
            model.save(name)
        except PermissionError as error:
            print(error)
        else:
            sys.exit("it was written")
"""


def test_an_unwritable_folder_is_said_to_be_so_and_left_alone(path):
    before = path.read_bytes()
    path.parent.chmod(0o555)
    try:
        done = run(UNWRITABLE, cwd=path.parent)
    finally:
        path.parent.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Permission denied") == 2
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == before


KILLED = """
    import os, random, signal, sys, time
    import numpy as np
    import fastmlp

    path = sys.argv[1]
    X = np.random.default_rng(0).normal(size=(20, 50))
    models = []
    for seed in range(2):
        model = fastmlp.MLPRegressor(
            hidden_layer_sizes=(500, 500), max_iter=1, learning_rate="one_cycle", random_state=seed
        )
        models.append(model.fit(X, X[:, 0]))
    expected = [model.predict(X) for model in models]
    models[0].save(path)
    for attempt in range(25):
        child = os.fork()
        if child == 0:
            while True:
                for model in models:
                    model.save(path)
        time.sleep(random.Random(attempt).uniform(0.001, 0.04))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found = fastmlp.load(path).predict(X)
        assert any(np.array_equal(found, known) for known in expected), attempt
    models[0].save(path)
    assert np.array_equal(fastmlp.load(path).predict(X), expected[0])
"""


def test_kill_minus_nine_leaves_a_whole_file(tmp_path):
    done = run(KILLED, tmp_path / "model")
    assert done.returncode == 0, done.stderr


def test_labels_that_cannot_be_written_are_refused_before_anything_is(tmp_path):
    model = fitted()
    model = with_model(model, replace(model.model_, targets=Classes(np.array([1, "a", None], dtype=object))))
    with pytest.raises(ValueError, match="class labels of type object"):
        model.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_schedule_of_ones_own_is_refused_by_name(tmp_path):
    class Mine(Schedule):
        pass

    with pytest.raises(ValueError, match=r"learning_rate=.*Mine.* cannot be saved"):
        fitted(learning_rate=Mine()).save(tmp_path / "model")
    assert not list(tmp_path.iterdir())
