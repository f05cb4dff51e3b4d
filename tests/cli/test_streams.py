"""What is printed, and where: text as it is, streams that are closed, cut off or not UTF-8."""

import io
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from rich.console import Console

import fastmlp
from fastmlp._support import progress
from fastmlp.cli import console
from helpers.cli import N, frame, invoke, trained

BRACKETS = ["a[bold]", "x[/m]", "[/]", "[red]", "[link=x]", ":car:", "\\[b]", "[/red]y[", "[", "]"]
PYTHON = [sys.executable, "-m", "fastmlp"]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("text", BRACKETS)
def test_text_with_brackets_is_printed_as_it_is(text):
    name = text.replace("/", "∕")  # no file has a slash in its name
    frame(**{text: [0, 1]}).to_csv(f"{name}.csv", index=False)
    output = trained(f"{name}.csv", "--target", text, "--out", f"{name}.st")
    assert f"{name}.csv: 42 training" in output
    assert f"model written to {name}.st\n" in output
    assert (
        f"over {name}.csv" in invoke("train", f"{name}.csv", "--target", text, "--out", f"{name}.csv").stderr
    )
    assert (
        f"--out {text}/m: " in invoke("train", f"{name}.csv", "--target", text, "--out", f"{text}/m").stderr
    )
    assert f"column {text + 'z'!r}" in invoke("train", f"{name}.csv", "--target", f"{text}z").stderr
    assert f"error: {text}0.csv" in invoke("predict", f"{name}.st", f"{text}0.csv").stderr
    result = invoke("predict", f"{name}.st", f"{name}.csv", "--out", f"{name}.txt")
    assert f"predictions written to {name}.txt" in result.stderr


@pytest.mark.parametrize("text", BRACKETS)
def test_classes_notes_and_weights_with_brackets_are_printed_as_they_are(text):
    frame(y=[text, text, text, "b"]).to_csv("d.csv", index=True)
    output = trained("d.csv", "--target", "y", "--out", "m.st")
    assert f"largest class {text} has" in output
    weights = f"{text}{text}=2"
    result = invoke("train", "d.csv", "--target", "y", "--class-weight", weights)
    assert f"--class-weight {weights}: there is no class {text + text!r}" in result.stderr
    assert {*invoke("predict", "m.st", "d.csv").stdout.splitlines()[1:]} <= {text, "b"}


@pytest.mark.parametrize("text", ["[/]x", "[bold]:car:"])
def test_studies_with_brackets_are_printed_as_they_are(text, tmp_path):
    name = text.replace("/", "∕")
    np.savez("d.npz", X=frame().to_numpy(), y=np.resize([0, 1], N))
    quoted = text.replace("\\", "\\\\")
    (tmp_path / f"{name}.toml").write_text(
        f"""
        title = "{quoted}"
        data = {{ name = "d.npz" }}
        runs.one = {{ set = {{ max_iter = 1 }} }}
        [[tables]]
        title = "table {quoted}"
        runs = "one"
        [[claims]]
        claim = "claim {quoted}"
        checks = ["test of one > -1"]
        """
    )
    result = invoke("study", "run", f"{name}.toml", "--out", f"out {name}", "--jobs", 1)
    assert result.exit_code == 0, result.stderr
    for line in (f"{text}: 1 runs", f"table {text}", f"claim {text}", f"in out {name}"):
        assert f"{line}\n" in result.stdout
    assert f"error: nothing{text}" in invoke("study", "run", f"nothing{text}").stderr


@pytest.mark.parametrize("text", BRACKETS)
@pytest.mark.parametrize("arguments", [["train", "digits"], ["train", "--epochs"], ["study"], []], ids=str)
def test_what_typer_says_of_wrong_arguments_is_not_markup(text, arguments):
    result = invoke(*arguments, f"q{text}")
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


@pytest.mark.parametrize("text", BRACKETS)
def test_every_text_of_the_console_is_plain(text, monkeypatch):
    """Also with a style, and on a terminal."""
    monkeypatch.setenv("TERM", "xterm")
    for is_terminal in (False, True):
        stream = io.StringIO()
        stream.isatty = lambda is_terminal=is_terminal: is_terminal
        monkeypatch.setattr("sys.stdout", stream)
        out = console.PlainConsole()
        out.print(text, (text, "bold"), style="red")
        out.print_table([[text, (text, "bold")]], headings=["a", text])
        plain = re.sub(r"\x1b\[[\d;]*m", "", stream.getvalue())
        assert [line.split() for line in plain.splitlines()] == [[f"{text}{text}"], ["a", text], [text, text]]
        assert ("\x1b[" in stream.getvalue()) == is_terminal


def test_a_table_is_whole_in_a_pipe_and_folds_on_a_narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("TERM", "xterm")
    shown = {}
    for is_terminal in (False, True):
        stream = io.StringIO()
        stream.isatty = lambda is_terminal=is_terminal: is_terminal
        monkeypatch.setattr("sys.stdout", stream)
        console.PlainConsole().print_table([["a", "word " * 40 + "x" * 90]])
        shown[is_terminal] = stream.getvalue()
    assert shown[False] == f"a  {'word ' * 40}{'x' * 90}\n"
    lines = shown[True].splitlines()
    assert len(lines) > 5
    assert max(map(len, lines)) <= 30
    assert (shown[True].count("word"), shown[True].count("x")) == (40, 90)


def test_progress_bars_take_no_markup(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setenv("TERM", "xterm-256color")  # on a dumb terminal rich draws nothing
    monkeypatch.setattr(
        "rich.console.Console", lambda **_: Console(file=stream, force_terminal=True, width=200)
    )
    with progress._bar(True, "x[/m] [bold]") as draw:
        draw(0.5, "x[/m] [bold]", "note[/m]")
    assert "x[/m] [bold]" in stream.getvalue()
    assert "note[/m]" in stream.getvalue()


def run(command, **options):
    """Run a shell command in which "$@" is fastmlp; return the finished process."""
    return subprocess.run(
        ["bash", "-c", command, "bash", *PYTHON],
        env={**os.environ, "COLUMNS": "80", **options}, capture_output=True, timeout=120,
    )  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with a model of classes that are not ASCII, and its data: too long for a pipe."""
    folder = tmp_path_factory.mktemp("model")
    data = frame(y=["ä☃", "b"])
    fastmlp.fit(data[["a", "b", "c"]], data.y, max_iter=1, random_state=0).save(folder / "m.st")
    data.loc[np.resize(np.arange(N), 200_000)].to_csv(folder / "d.csv", index=False)
    data.to_csv(folder / "short.csv", index=False)
    return folder


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "command",
    [
        '"$@" predict m.st d.csv --proba | true',
        '"$@" predict m.st d.csv --proba | head -1 > /dev/null',
        '"$@" train digits --epochs 3000 | head -1 > /dev/null',
        '"$@" study show fashion-three-layer | true',
        '"$@" train digits --epochs 1 2>&1 | true',
    ],
)
def test_a_reader_that_leaves_ends_it_quietly(command, unbuffered, model, monkeypatch):
    monkeypatch.chdir(model)
    process = run(f"{command}; exit ${{PIPESTATUS[0]}}", PYTHONUNBUFFERED=unbuffered)
    assert (process.returncode, process.stderr) == (141, b"")


@pytest.mark.parametrize("arguments", ["predict m.st d.csv", "train digits --out n.st"])
def test_a_closed_output_is_one_sentence(arguments, model, monkeypatch):
    monkeypatch.chdir(model)
    process = run(f'"$@" {arguments} >&-')
    assert process.returncode == 1
    assert process.stderr.decode().splitlines() == [
        "fastmlp: standard output is closed; send it to a file or to /dev/null."
    ]
    assert not (model / "n.st").exists()


@pytest.mark.parametrize(
    ("arguments", "status"), [("train digits --epochs 1", 0), ("predict m.st nothing.csv", 1), ("nothing", 2)]
)
def test_a_closed_standard_error_changes_nothing(arguments, status, model, monkeypatch):
    monkeypatch.chdir(model)
    process = run(f'"$@" {arguments} 2>&-')
    assert process.returncode == status
    assert bool(process.stdout) == (status == 0)


def test_an_error_that_nobody_reads_is_an_error(model, monkeypatch):
    monkeypatch.chdir(model)
    assert run('"$@" predict m.st nothing.csv 2>&1 | true; exit ${PIPESTATUS[0]}').returncode == 1


def test_a_closed_input_is_one_sentence(model, monkeypatch):
    monkeypatch.chdir(model)
    process = run('"$@" predict m.st - <&-')
    assert process.returncode == 1
    assert process.stderr.decode().count("\n") == 1
    assert b"standard input is closed" in process.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_predictions_are_utf_8_and_messages_never_fail(encoding, model, monkeypatch):
    monkeypatch.chdir(model)
    process = run('"$@" predict m.st short.csv --proba --keep y', PYTHONIOENCODING=encoding)
    assert process.stderr == b""
    lines = process.stdout.decode("utf-8").splitlines()
    assert lines[0] == "y,prediction,probability_b,probability_ä☃"
    assert lines[1].startswith("ä☃,")
    process = run(
        '"$@" train short.csv --target ☃; "$@" train short.csv --target y --epochs 1',
        PYTHONIOENCODING=encoding,
    )
    assert process.stderr.decode(encoding, "ignore").count("error: ") == 1
    assert "Traceback" not in process.stderr.decode(encoding, "ignore")
    assert process.returncode == 0
    assert "test accuracy" in process.stdout.decode(encoding, "ignore")


def test_a_name_that_is_not_text_is_printed_with_a_replacement(model, monkeypatch):
    monkeypatch.chdir(model)
    os.link(b"short.csv", b"b\xffd.csv")
    process = run("\"$@\" train b$'\\xff'd.csv --target y --epochs 1")
    assert process.returncode == 0, process.stderr
    assert b"b?d.csv: 42 training" in process.stdout


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_fit_without_standard_streams(stream, monkeypatch):
    monkeypatch.setattr(sys, stream, None)
    assert fastmlp.fit([[0.0], [1.0]] * 5, [0, 1] * 5, max_iter=1).n_iter_ == 1
