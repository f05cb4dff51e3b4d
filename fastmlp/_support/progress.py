"""The progress bar: on a terminal, if rich is installed; silent in a pipe."""

from __future__ import annotations

import importlib.util
import math
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Silent:
    """The bar that is not drawn."""

    def update(self, epoch, n_samples, loss, val_score=None):
        """Do nothing."""


SILENT = _Silent()


class _Bar:
    """A rich progress bar over all samples of all epochs."""

    def __init__(self, progress, n_epochs: int, n_samples: int):
        self._progress, self._n_epochs, self._n_samples = progress, n_epochs, n_samples
        self._val_score = ""
        self._task = progress.add_task("epoch", total=n_epochs * n_samples, note="")

    def update(self, epoch, n_samples, loss, val_score=None):
        """Draw ``epoch`` finished epochs and ``n_samples`` of the next."""
        if val_score is not None:
            self._val_score = f"  validation {val_score:.4f}"
        self._progress.update(
            self._task,
            completed=epoch * self._n_samples + n_samples,
            description=f"epoch {min(epoch + 1, self._n_epochs)}/{self._n_epochs}",
            note=f"loss {loss:.4f}{self._val_score}",
        )


class ModelsBar:
    """A rich progress bar over many models, each of which may report from a thread of its own."""

    def __init__(self, progress, n_models: int):
        self._progress, self._n_models = progress, n_models
        self._n_done, self._best = 0, -math.inf
        self._lock = threading.Lock()
        self._task = progress and progress.add_task(f"model 1/{n_models}", total=n_models, note="")

    def advance(self, share: float, done: bool = False, score: float | None = None) -> None:
        """Draw so much more of a model, ``done`` with its last share, and the best score so far."""
        if self._progress is None:
            return
        with self._lock:
            self._n_done += done
            if score is not None:
                self._best = max(self._best, score)
            self._progress.update(
                self._task,
                advance=share,
                description=f"model {min(self._n_done + 1, self._n_models)}/{self._n_models}",
                note="" if self._best == -math.inf else f"best validation {self._best:.4f}",
            )


def _is_terminal(stream: Any) -> bool:
    """Return whether a standard stream is a terminal; it is None if it was closed before Python started."""
    return stream is not None and stream.isatty()


def say(line: str, wanted: bool | None) -> None:
    """Print a line to standard error; ``wanted`` None only on a terminal and in interactive sessions."""
    if wanted or (wanted is None and (_is_terminal(sys.stderr) or hasattr(sys, "ps1"))):
        print(line, file=sys.stderr)


@contextmanager
def show_progress(wanted: bool | None, n_epochs: int, n_samples: int) -> Iterator[_Silent | _Bar]:
    """Yield a bar to update; ``wanted`` None draws one only on a terminal.

    Raises
    ------
    ImportError
        If a bar is wanted and rich is not installed.
    """
    with _drawing(wanted) as progress:
        yield SILENT if progress is None else _Bar(progress, n_epochs, n_samples)


@contextmanager
def show_models_progress(wanted: bool | None, n_models: int) -> Iterator[ModelsBar]:
    """Yield a bar over many models; ``wanted`` and errors as for `show_progress`."""
    with _drawing(wanted) as progress:
        yield ModelsBar(progress, n_models)


@contextmanager
def _drawing(wanted: bool | None) -> Iterator[Any]:
    """Yield what rich draws with while it is open, or None where nothing is to be drawn."""
    if wanted is None:
        wanted = _is_terminal(sys.stderr) and importlib.util.find_spec("rich") is not None
    if not wanted:
        yield None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        raise ImportError("progress=True needs rich: pip install 'fastmlp[cli]'") from None
    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(),
        TextColumn("{task.fields[note]}", markup=False), TimeRemainingColumn(),
    )  # fmt: skip
    # Rich moves what is printed above the bar; what goes to a file must stay on its way there.
    with Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=_is_terminal(sys.stdout)
    ) as progress:
        yield progress
