"""Progress: what training reports, and the bar that shows it on a terminal and in a notebook."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

#: Draws the share that is done, in words how far that is, and a note.
_Draw = Callable[[float, str, str], None]
#: A bar in a notebook is a message to a browser: it is drawn at most once in so many seconds.
_NOTEBOOK_SECONDS = 0.1


class Reporter:
    """Reports the progress of something with ``n`` equal units: the epochs of a training, or many models.

    Parameters
    ----------
    unit : str
        What is counted.
    n : int
    draw : callable or None, default=None
        Called with the share of it that is done, a text and a note; None draws nothing.
    n_samples : int, default=1
        Of a unit, where they are epochs.
    whole : Reporter or None, default=None
        The reporter that counts this one as one of its units.
    """

    def __init__(
        self, unit: str, n: int, draw: _Draw | None = None, *, n_samples: int = 1,
        whole: Reporter | None = None,
    ):  # fmt: skip
        self._unit, self._n, self._n_samples = unit, n, n_samples
        self._draw, self._whole = draw, whole
        self._lock = threading.Lock()
        self._reached, self._n_done, self._best_score = 0.0, 0, -math.inf
        self._val_score = ""

    def update(self, epoch: int, n_samples: int, loss: float, val_score: float | None = None) -> None:
        """Report ``epoch`` finished epochs and ``n_samples`` of the next."""
        if self._draw is None and self._whole is None:  # nobody sees it: do not format the note
            return
        if val_score is not None:
            self._val_score = f"  validation {val_score:.4f}"
        self._reach(epoch + n_samples / self._n_samples, epoch, f"loss {loss:.4f}{self._val_score}")

    def part(self, n_epochs: int, n_samples: int) -> Reporter:
        """Return the reporter of one model among many; threads may use one each at the same time."""
        return Reporter("epoch", n_epochs, n_samples=n_samples, whole=self)

    def finish(self, score: float | None = None) -> None:
        """Report the end of a model, also if it stopped early, and the validation score of its weights."""
        if self._whole is not None:
            self._whole.advance(1 - self._reached / self._n, done=True, score=score)

    def advance(self, amount: float, done: bool = False, score: float | None = None) -> None:
        """Report so many more units, ``done`` with the last share of one, and its validation score."""
        with self._lock:
            self._n_done += done
            if score is not None:
                self._best_score = max(self._best_score, score)
            note = "" if self._best_score == -math.inf else f"best validation {self._best_score:.4f}"
            self._reach(self._reached + amount, self._n_done, note)

    def _reach(self, reached: float, n_done: int, note: str) -> None:
        if self._whole is not None:
            self._whole.advance((reached - self._reached) / self._n)
        if self._draw is not None:
            text = f"{self._unit} {min(n_done + 1, self._n)}/{self._n}"
            self._draw(reached / self._n, text, note)
        self._reached = reached


#: Reports to nobody.
SILENT = Reporter("epoch", 1)


def say(line: str, wanted: bool | None) -> None:
    """Print a line to standard error; ``wanted`` None only on a terminal and in interactive sessions."""
    if wanted or (wanted is None and (_is_terminal(sys.stderr) or hasattr(sys, "ps1"))):
        print(line, file=sys.stderr)


@contextmanager
def show_progress(
    wanted: bool | None, n_epochs: int, n_samples: int, *, asked_by: str = "progress=True"
) -> Iterator[Reporter]:
    """Yield the reporter of a training; ``wanted`` None draws a bar only on a terminal or in a notebook.

    ``asked_by`` is how the message names the user's setting.

    Raises
    ------
    ImportError
        If a bar is wanted and rich is not installed.
    """
    with _bar(wanted, f"epoch 1/{n_epochs}", asked_by) as draw:
        yield SILENT if draw is None else Reporter("epoch", n_epochs, draw, n_samples=n_samples)


@contextmanager
def show_models_progress(wanted: bool | None, n_models: int) -> Iterator[Reporter]:
    """Yield the reporter of many models; ``wanted`` and errors as for `show_progress`."""
    with _bar(wanted, f"model 1/{n_models}") as draw:
        yield Reporter("model", n_models, draw)


@contextmanager
def _bar(wanted: bool | None, text: str, asked_by: str = "progress=True") -> Iterator[_Draw | None]:
    """Yield a function that draws a bar, which opens with this text; None if no bar is wanted."""
    is_notebook = _is_notebook()
    if wanted is None:
        wanted = (is_notebook or _is_terminal(sys.stderr)) and find_spec("rich") is not None
    if not wanted:
        yield None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        raise ImportError(f"{asked_by} needs rich: pip install 'fastmlp[progress]'") from None
    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(),
        TextColumn("{task.fields[note]}", markup=False), TimeRemainingColumn(),
    )  # fmt: skip
    # Rich moves what is printed above the bar; what is written to a file must not be moved.
    progress = Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=_is_terminal(sys.stdout)
    )
    task = progress.add_task(text, total=1.0, note="")

    def draw(share: float, text: str, note: str) -> None:
        progress.update(task, completed=share, description=text, note=note)

    if is_notebook:
        with _displayed(progress, draw) as draw_and_display:
            yield draw_and_display
    else:
        with progress:
            yield draw


@contextmanager
def _displayed(progress: Any, draw: _Draw) -> Iterator[_Draw]:
    """Yield what draws into the output of a notebook's cell, from which the bar goes in the end."""
    handle = import_module("IPython.display").display(progress, display_id=True)
    drawn_at = -math.inf

    def draw_and_display(share: float, text: str, note: str) -> None:
        nonlocal drawn_at
        draw(share, text, note)
        if time.monotonic() - drawn_at >= _NOTEBOOK_SECONDS:
            drawn_at = time.monotonic()
            handle.update(progress)

    try:
        yield draw_and_display
    finally:
        handle.update({"text/plain": ""}, raw=True)


def _is_terminal(stream: Any) -> bool:
    """Return whether a standard stream is a terminal; it is None if it was closed before Python started."""
    return stream is not None and stream.isatty()


def _is_notebook() -> bool:
    """Return whether this is the kernel of a notebook, which has imported IPython itself."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
