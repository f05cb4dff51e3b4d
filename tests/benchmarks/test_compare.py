"""Tests of benchmarks/: another revision that is built and raced."""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # benchmarks/ is no part of what is installed

from benchmarks import revisions  # noqa: E402
from benchmarks.__main__ import main  # noqa: E402
from benchmarks.kinds import Training  # noqa: E402
from benchmarks.revisions import BuildError  # noqa: E402
from benchmarks.workers import Worker  # noqa: E402

TINY = Training((4, 8, 3), batch_size=16, n_batches=3, n_epochs=1)

pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def tidy(tmp_path, monkeypatch):
    """Make sure that a build leaves neither folders nor worktrees behind."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = git("worktree", "list")
    yield
    assert list(tmp_path.iterdir()) == []
    assert git("worktree", "list") == before


def test_a_revision_that_does_not_exist_is_refused_before_the_race(tidy, capsys):
    assert main(["--compare", "no-such-revision", "--case", "20-32-32-3 batch 32"]) == 1
    assert "no-such-revision" in capsys.readouterr().err


@pytest.mark.parametrize("revision", ["--help", "HEAD; touch x", "", "HEAD:README.md"])
def test_what_is_no_commit_is_refused(revision):
    with pytest.raises(BuildError, match="rev-parse"):
        revisions.commit_of(revision)


def test_a_build_that_fails_tells_the_last_lines_and_leaves_nothing(tidy, monkeypatch):
    failing = """import sys; print("a lot\\n" * 99, "the reason"); sys.exit(1)"""
    monkeypatch.setattr(
        revisions, "_install", lambda tree, folder: revisions._run([sys.executable, "-c", failing])
    )
    with pytest.raises(BuildError, match="the reason") as error, revisions.built("HEAD", print):
        pass
    assert len(str(error.value).splitlines()) <= revisions.LAST_LINES + 1


def test_a_fastmlp_from_elsewhere_is_not_taken_for_the_revision(tidy, monkeypatch):
    monkeypatch.setattr(revisions, "_install", lambda tree, folder: folder.mkdir())
    with pytest.raises(BuildError, match=r"in the way|No module named"), revisions.built("HEAD", print):
        pass


@pytest.mark.campaign
def test_a_revision_is_built_raced_and_taken_away(tidy, capsys):
    told = []
    with revisions.built("HEAD", told.append) as revision:
        assert revision.contender == "fastmlp@HEAD"
        assert revision.commit in told[0]
        with Worker(revision.contender, TINY, 1, revision.folder) as worker:
            assert worker.wait_until_ready().version
            assert worker.run().seconds > 0
            maps = Path(f"/proc/{worker.process.pid}/maps")
            if maps.exists():  # it has loaded the revision's engine and not the checkout's
                loaded = [line for line in maps.read_text().splitlines() if "fastmlp/engine" in line]
                assert loaded
                assert all(str(revision.folder) in line for line in loaded)
    arguments = ["--case", "20-32-32-3 batch 32 float64", "--rounds", "1", "--threads", "1"]
    assert main([*arguments, "--contender", "fastmlp", "--compare", "HEAD"]) == 0
    version = tomllib.loads(git("show", "HEAD:pyproject.toml"))["project"]["version"]
    assert f"fastmlp@HEAD {version} ({revision.commit})" in capsys.readouterr().out
