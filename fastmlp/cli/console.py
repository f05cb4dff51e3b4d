"""What the command line prints: text as it is, also with brackets in it; styles are said beside it."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

#: The status of a program whose output nobody reads any more: 128 + SIGPIPE.
BROKEN_PIPE = 141

#: More characters than any row of a table has.
_ANY_WIDTH = 100_000
#: A part of a line: text, or text and its style.
Part = str | tuple[str, str]


class OutputClosed(Exception):
    """Nobody reads what is printed any more, as after `fastmlp predict ... | head -1`."""


class PlainConsole:
    """A console that takes no markup: paths, names and messages need no escaping.

    Parameters
    ----------
    stderr : bool, default=False
        Whether it prints to standard error.
    """

    def __init__(self, stderr: bool = False):
        self._stderr = stderr

    def print(self, *parts: Part, style: str = "") -> None:
        """Print a line of parts, nothing between them, each in a style of its own or in that of the line."""
        text = Text.assemble(*parts, style=style)
        if not self._stderr and hasattr(sys.stdout, "rich_proxied_file"):
            print(text.plain)  # a progress bar is drawn, which moves this above itself
        else:
            self._show(text, soft_wrap=True)

    def print_table(self, rows: Iterable[Sequence[Part]], headings: Sequence[str] = ()) -> None:
        """Print a table, under its headings if it has some; of those all but the first stand to the right.

        A terminal that is too narrow breaks cells; elsewhere a row is a line, however long.
        """
        table = Table(box=None, pad_edge=False, show_header=bool(headings), header_style="bold")
        for i, heading in enumerate(headings):
            table.add_column(Text(heading), justify="right" if i else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text.assemble(cell, overflow="fold") for cell in row))
        if (sys.stderr if self._stderr else sys.stdout).isatty():
            self._show(table)
            return
        text = io.StringIO()
        Console(file=text, markup=False, emoji=False, highlight=False, width=_ANY_WIDTH).print(table)
        for line in text.getvalue().splitlines():
            self.print(line.rstrip())  # rich fills the last column

    def _show(self, content: Any, **options: Any) -> None:
        console = _Console(stderr=self._stderr, markup=False, emoji=False, highlight=False, **options)
        try:
            console.print(content)
        except BrokenPipeError:
            raise OutputClosed from None


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Raise the error that is being handled; rich's own way is to end the process."""
        raise


def write_output(text: str) -> None:
    """Write data to standard output: as UTF-8, whatever the encoding of the terminal."""
    try:
        sys.stdout.flush()
        left = memoryview(text.encode("utf-8", "surrogateescape"))
        while left:  # with PYTHONUNBUFFERED a write may take a part only
            left = left[sys.stdout.buffer.write(left) :]
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise OutputClosed from None
    except OSError:
        drop_output()
        raise


def prepare_streams() -> None:
    """Let no message fail because a stream is closed, or cannot have its characters.

    Raises
    ------
    SystemExit
        If standard output is closed.
    """
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  open as long as the process
    if sys.stdout is None:
        sys.exit("fastmlp: standard output is closed; send it to a file or to /dev/null.")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]


def drop_output() -> None:
    """Send what a stream still holds, and cannot write, nowhere, so that the end of the process is quiet."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


console = PlainConsole()
errors = PlainConsole(stderr=True)


def _complain(message: str) -> None:
    with suppress(OutputClosed):
        errors.print(("error:", "red"), f" {message}")
    drop_output()


@contextmanager
def plain_messages() -> Iterator[None]:
    """Show what goes wrong as one sentence: no traceback, no code of ours in a warning."""

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        errors.print(("warning:", "yellow"), f" {message}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        try:
            yield
        except OutputClosed:
            drop_output()
            raise typer.Exit(BROKEN_PIPE) from None
        except MemoryError as error:
            _complain(f"there is not enough memory ({error or 'no more is known'}).")
            raise typer.Exit(1) from None
        except (ValueError, TypeError, OSError, ImportError, OverflowError) as error:
            _complain(str(error))
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            errors.print("interrupted", style="yellow")
            raise typer.Exit(130) from None
