"""Another revision of fastmlp, built beside this one: its files from git, in a folder that goes away.

Design. The revision is checked out as a detached git worktree and installed with ``pip --target`` into a
folder next to it, without its dependencies, so that it meets the same NumPy, SciPy and BLAS as the
checkout. The benchmarks of the checkout are copied there: both revisions are raced by the same code. A
worker that starts in the folder finds them there first, and in this environment all the rest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from benchmarks.contenders import BASELINE
from benchmarks.workers import ROOT

#: What the build needs; if it is all here, pip need not fetch it anew.
BUILD_REQUIREMENTS = ("setuptools", "Cython", "numpy", "scipy")

#: Lines of a failed command's output that are told.
LAST_LINES = 15


class BuildError(Exception):
    """A revision is not there, or cannot be built here."""


@dataclass(frozen=True)
class Revision:
    """A revision that was built.

    Attributes
    ----------
    contender : str
        What it races as: ``fastmlp@REV``.
    commit : str
        Abbreviated.
    folder : Path
        Where a worker starts, to find it.
    """

    contender: str
    commit: str
    folder: Path


def commit_of(revision: str) -> str:
    """Return the abbreviated commit that a name stands for."""
    name = f"{revision}^{{commit}}"
    return _run(["git", "rev-parse", "--verify", "--short", "--end-of-options", name]).strip()


@contextmanager
def built(revision: str, tell: Callable[[str], None]) -> Iterator[Revision]:
    """Check out and build a revision, yield it, and take everything away again.

    Raises
    ------
    BuildError
        With the end of what git, pip or the compiler said.
    """
    commit = commit_of(revision)
    with tempfile.TemporaryDirectory(prefix="fastmlp-revision-") as temporary:
        tree, folder = Path(temporary, "tree"), Path(temporary, "installed")
        tell(f"building {BASELINE}@{revision} ({commit})")
        try:
            # Hooks are for whoever works in the checkout.
            _run(["git", "-c", "core.hooksPath=/dev/null", "worktree", "add", "--detach", str(tree), commit])
            _install(tree, folder)
            shutil.copytree(
                ROOT / "benchmarks", folder / "benchmarks", ignore=shutil.ignore_patterns("__pycache__")
            )
            _check(folder)
            yield Revision(f"{BASELINE}@{revision}", commit, folder)
        finally:
            shutil.rmtree(tree, ignore_errors=True)
            subprocess.run(["git", "worktree", "prune"], cwd=ROOT, capture_output=True)


def _install(tree: Path, folder: Path) -> None:
    """Build the tree and install it into the folder."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps"]
    if all(find_spec(name) for name in BUILD_REQUIREMENTS):
        pip.append("--no-build-isolation")
    _run([*pip, "--target", str(folder), str(tree)])


def _check(folder: Path) -> None:
    """Make sure that what a worker in the folder imports is the fastmlp in it."""
    location = _run([sys.executable, "-c", "import fastmlp; print(fastmlp.__file__)"], folder).strip()
    if not Path(location).resolve().is_relative_to(folder.resolve()):
        raise BuildError(f"{location} is in the way of the revision in {folder}.")


def _run(command: list[str], folder: Path = ROOT) -> str:
    """Return what a command prints; raise BuildError with its last lines if it fails."""
    # PYTHONSAFEPATH would keep Python from looking in the folder that it starts in.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    except OSError as error:
        raise BuildError(f"{command[0]} cannot be run: {error}") from error
    if done.returncode:
        output = (done.stdout + done.stderr).strip().splitlines()[-LAST_LINES:]
        raise BuildError("\n".join([f"{' '.join(command)} failed:", *output]))
    return done.stdout
