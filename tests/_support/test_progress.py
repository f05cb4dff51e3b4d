"""Tests of the progress bar: on a terminal, silent in a pipe. Each runs in a process of its own."""

import contextlib
import os
import pty
import re
import subprocess
import sys
import textwrap

import pytest

from fastmlp import Network, Trainer
from fastmlp._support.progress import Reporter, show_progress
from fastmlp.layers import Dense

SCRIPT = """
    import sys

    class Hiding:
        # A finder of modules that does not see rich.
        def __init__(self, finder):
            self.finder = finder

        def find_spec(self, name, path=None, target=None):
            return None if name.split(".")[0] == "rich" else self.finder.find_spec(name, path, target)

        def __getattr__(self, name):
            return getattr(self.finder, name)

    if "without rich" in sys.argv:
        sys.meta_path = [Hiding(finder) for finder in sys.meta_path]

    import numpy as np
    import fastmlp
    from fastmlp import MLPClassifier, Network, Trainer
    from fastmlp.layers import Dense

    X = np.random.default_rng(0).normal(size=(3000, 4))
    y = (X[:, 0] > 0).astype(int)

    def train(progress=None, callbacks=(), **validation):
        network = Network([Dense(8), Dense(2, "softmax")], 4, random_state=0)
        trainer = Trainer(network, "cross_entropy", batch_size=2, progress=progress, callbacks=callbacks)
        return trainer.fit(X, y, epochs=3, **validation)

"""
TRAINER = "train()"
VALIDATION = "train(X_val=X, y_val=y)"
FIT = "fastmlp.fit(X, y, max_iter=3)"
CLASS = "MLPClassifier(max_iter=3, learning_rate='one_cycle').fit(X, y)"
VERBOSE = "MLPClassifier(max_iter=3, learning_rate='one_cycle', verbose='bar').fit(X, y)"
OFF = "train(progress=False)"
ON = "train(progress=True)"
PRINTING = "train(callbacks=[lambda event: print('epoch', event.epoch, 'is over')])"
MANY = "fastmlp.fit_many([{'max_iter': n} for n in (1, 2, 3)], X, y, n_jobs=2)"
MANY_VALIDATION = "fastmlp.fit_many([{'max_iter': n} for n in (1, 2, 3)], X, y, X, y, n_jobs=2)"
FAILING = "train(callbacks=[lambda event: 1 / 0])"
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
} | {"TERM": "xterm-256color"}


def command(statements, *arguments):
    return [sys.executable, "-c", textwrap.dedent(SCRIPT) + statements, *arguments]


def in_pipe(statements, *arguments):
    return subprocess.run(
        command(statements, *arguments),
        capture_output=True, text=True, env=ENVIRONMENT, timeout=60, check=False,
    )  # fmt: skip


def on_terminal(statements, *arguments, stdout=None):
    """Run with the standard error stream, and as a rule the output, on a terminal; return what it shows."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            command(statements, *arguments),
            stdin=theirs, stdout=stdout or theirs, stderr=theirs, env=ENVIRONMENT,
        )  # fmt: skip
    finally:
        os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # what reading gives when the other side is closed
        while chunk := os.read(ours, 65536):
            shown += chunk
    os.close(ours)
    process.wait(60)
    return shown.decode(), process.returncode


def test_nothing_is_written_in_a_pipe():
    done = in_pipe("\n".join([TRAINER, VALIDATION, FIT, CLASS, OFF]))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("statement", [FIT, VALIDATION, VERBOSE])
def test_a_bar_is_drawn_on_a_terminal(statement):
    shown, code = on_terminal(statement)
    assert code == 0
    assert "epoch 3/3" in shown
    assert re.search(r"loss \d+\.\d{4}", shown)
    assert "━" in shown
    assert bool(re.search(r"validation [01]\.\d{4}", shown)) == (statement == VALIDATION)


@pytest.mark.parametrize("statement", [MANY, MANY_VALIDATION])
def test_one_bar_is_drawn_over_many_models_and_their_warnings_come_after_it(statement):
    shown, code = on_terminal(statement)
    assert code == 0
    assert "model 1/3" in shown
    assert "model 3/3" in shown
    assert bool(re.search(r"best validation [01]\.\d{4}", shown)) == (statement == MANY_VALIDATION)
    after = shown[shown.rindex("\x1b[?25h") :]  # where the cursor is shown again, the bar is gone
    assert re.findall(r"configurations\[(\d)\]: Stochastic", after) == ["0", "1", "2"]
    assert shown.count("Stochastic Optimizer") == 3
    assert "model" not in in_pipe(statement).stderr


def test_no_bar_is_drawn_where_none_is_wanted():
    assert on_terminal(f"{OFF}\n{CLASS}") == ("", 0)


def test_no_bar_is_drawn_on_a_terminal_without_rich():
    shown, code = on_terminal(f"{TRAINER}\n{FIT}", "without rich")
    assert (shown.count("\n"), code) == (1, 0)
    assert shown.startswith("Classification: ")  # `fit` says which task it chose


def test_a_bar_that_is_asked_for_needs_rich_and_says_so():
    done = in_pipe(ON, "without rich")
    assert done.returncode != 0
    assert "ImportError: progress=True needs rich: pip install 'fastmlp[progress]'" in done.stderr
    assert "ImportError: verbose='bar' needs rich: pip install" in in_pipe(VERBOSE, "without rich").stderr


def test_a_bar_that_is_asked_for_keeps_out_of_the_output():
    for statement in (ON, VERBOSE):
        done = in_pipe(statement)
        assert (done.returncode, done.stdout) == (0, "")


def test_what_callbacks_print_stands_above_the_bar():
    shown, code = on_terminal(PRINTING)
    assert code == 0
    assert re.findall(r"epoch (\d) is over", shown) == ["1", "2", "3"]


def test_what_callbacks_print_goes_where_the_output_goes(tmp_path):
    with open(tmp_path / "out.txt", "w") as file:
        shown, code = on_terminal(PRINTING, stdout=file)
    assert code == 0
    assert (tmp_path / "out.txt").read_text() == "epoch 1 is over\nepoch 2 is over\nepoch 3 is over\n"
    assert "is over" not in shown
    assert "epoch 3/3" in shown


def test_the_terminal_is_left_in_order_after_an_error():
    shown, code = on_terminal(FAILING)
    assert code == 1
    assert "ZeroDivisionError" in shown
    assert shown.count("\x1b[?25h") >= shown.count("\x1b[?25l") > 0  # the cursor is shown again


def test_a_silent_bar_takes_updates(capfd):
    with show_progress(False, 3, 100) as bar:
        bar.update(0, 50, 1.0)
        bar.update(1, 0, 0.5, 0.9)
    assert capfd.readouterr() == ("", "")


NOTEBOOK = """
class Shell:
    kernel = object()

class Handle:
    def update(self, shown, raw=False):
        print("cell", "cleared" if raw else shown.tasks[0].description)

def display(shown, display_id):
    Handle().update(shown)
    return Handle()

IPython = types.ModuleType("IPython")
IPython.get_ipython, IPython.display = Shell, types.ModuleType("IPython.display")
IPython.display.display = display
sys.modules |= {"IPython": IPython, "IPython.display": IPython.display}
"""


def test_a_bar_is_drawn_into_the_cell_of_a_notebook_and_goes_with_the_training():
    done = in_pipe(f"import types\n{NOTEBOOK}\n{FIT}")
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert lines[0] == "cell epoch 1/3"
    assert lines[1].startswith("cell epoch ")
    assert lines[-1] == "cell cleared"
    # A terminal's IPython is no notebook, and with False there is no bar anywhere.
    for other in (f"{NOTEBOOK}\nShell.kernel = None\n{FIT}", f"{NOTEBOOK}\n{OFF}"):
        assert in_pipe(f"import types\n{other}").stdout == ""


def test_parts_of_many_models_come_to_the_whole():
    drawn = []
    whole = Reporter("model", 2, lambda *shown: drawn.append(shown))
    first, second = whole.part(4, 100), whole.part(2, 100)
    first.update(1, 0, 1.0)
    second.update(1, 50, 1.0, 0.5)
    first.finish(0.75)  # which stopped early
    second.finish(0.5)
    assert drawn == [
        (0.125, "model 1/2", ""),
        (0.5, "model 1/2", ""),
        (0.875, "model 2/2", "best validation 0.7500"),
        (1.0, "model 2/2", "best validation 0.7500"),
    ]


def test_a_bar_that_cannot_be_drawn_leaves_the_network_free(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    network = Network([Dense(2, "softmax")], 1, random_state=0)
    with pytest.raises(ImportError, match="rich"):
        Trainer(network, "cross_entropy", progress=True).fit([[1.0], [2.0]], [0, 1])
    Trainer(network, "cross_entropy", progress=False).fit([[1.0], [2.0]], [0, 1], epochs=1)
