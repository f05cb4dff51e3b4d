"""Tests of benchmarks/, the whole of it: the command line runs for real, on cases that take milliseconds.

Its parts have their tests in test_benchmarks_*.py. No test asserts a time, or who is faster.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # benchmarks/ is no part of what is installed

from benchmarks import workers  # noqa: E402
from benchmarks.__main__ import main, parse  # noqa: E402
from benchmarks.cases import CASES, DEFAULT, GROUPS  # noqa: E402
from benchmarks.contenders import CONTENDERS  # noqa: E402

RACED = ["fastmlp", "reference"]


def start(*arguments, **options):
    """Start the command line in a process of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT, **pipes, **options)


# ------------------------------------------------------------------------------------------ the whole of it


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two rounds of a small case, with a torch that cannot be imported: folder, output."""
    folder = tmp_path_factory.mktemp("benchmarks")
    broken_torch = folder / "path" / "torch"
    broken_torch.mkdir(parents=True)
    (broken_torch / "__init__.py").write_text("raise ImportError('no torch today')\n")
    contenders = [word for name in (*RACED, "torch", "onnxruntime") for word in ("--contender", name)]
    arguments = ["--case", "20-32-32-3 batch 32 float64", "--rounds", "2", "--threads", "1", *contenders]
    environment = os.environ | {"PYTHONPATH": str(folder / "path")}
    with start(*arguments, "--out", str(folder / "out"), env=environment) as process:
        stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    return folder / "out", stdout


def test_json_has_every_round_and_the_numbers_follow_from_them(finished):
    results = json.loads((finished[0] / "results.json").read_text())
    (entry,) = results["cases"]
    assert entry["case"]["name"] == "20-32-32-3 batch 32 float64"
    assert entry["case"]["group"] == "float64"
    assert entry["threads"] == 1
    assert results["contenders"] == [*RACED, "torch", "onnxruntime"]
    assert list(results["versions"]) == RACED
    assert [list(one["seconds"]) for one in entry["rounds"]] == [RACED, RACED[1:] + RACED[:1]]
    kept = [one["seconds"] for one in entry["rounds"] if not one["apart"]]
    assert [row["contender"] for row in entry["rows"]] == RACED
    for row in entry["rows"]:
        name = row["contender"]
        times = [seconds[name] / (entry["case"]["n_batches"] * entry["case"]["n_epochs"]) for seconds in kept]
        ratios = [seconds[name] / seconds["fastmlp"] for seconds in kept]
        assert row["n_rounds"] == len(kept)
        assert row["median"] == pytest.approx(median(times))
        assert min(times) <= row["lower"] <= row["median"] <= row["upper"] <= max(times)
        assert row["ratio"] == pytest.approx(median(ratios))
        beyond_a_turn = entry["first_seconds"][name] - median([seconds[name] for seconds in kept])
        assert row["compile_seconds"] == pytest.approx(max(beyond_a_turn, 0))
        if results["peak_gflops"]:  # of float64, half of what was measured
            share = entry["case"]["flops"] / (1e9 * row["median"]) / (results["peak_gflops"] / 2)
            assert row["peak_share"] == pytest.approx(share)


def test_markdown_and_terminal_show_every_contender(finished):
    folder, stdout = finished
    text = (folder / "results.md").read_text()
    rows = [line.split("|")[2].strip() for line in text.splitlines() if line.startswith("| 20-32-32-3")]
    assert rows == ["1", *RACED]  # the summary's line begins with the threads, then come the details
    for shown in (text, stdout):
        assert "torch left out: no torch today (20-32-32-3 batch 32 float64, 1 thread)" in shown
        assert "onnxruntime is not made for float64." in shown
        assert "compile, warm-up" in shown
        assert "FMA peak of one core: " in shown
        assert all(name in shown for name in RACED)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("sent", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.campaign)])
def test_a_signal_stops_the_workers_and_shows_what_there_is(sent, tmp_path):
    arguments = ["--case", "20-32-32-3 batch 32 float64", "--rounds", "1000", "--contender", "reference"]
    with start(*arguments, "--out", str(tmp_path)) as process:
        for line in process.stderr:
            if "round 3 of" in line:
                break
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(sent)
        stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert children
    assert not any(Path("/proc", pid).exists() for pid in children)
    assert "reference" in stdout
    (entry,) = json.loads((tmp_path / "results.json").read_text())["cases"]
    assert len(entry["rounds"]) >= 2
    assert entry["rows"][0]["ratio"] is None  # fastmlp was not asked for


def test_a_published_file_is_shown_again_without_measuring(finished, tmp_path):
    assert main(["--show", str(finished[0] / "results.json"), "--out", str(tmp_path)]) == 0
    for name in ("results.md", "results.json"):
        assert (tmp_path / name).read_text() == (finished[0] / name).read_text()


@pytest.mark.parametrize(
    ("seconds", "verdict", "status"), [(100, "confirmed", 0), (0.001, "another winner", 1)]
)
def test_a_published_file_is_checked_by_its_name(seconds, verdict, status, finished, monkeypatch, capsys):
    says = """
import sys
print('{"version": "1", "first_seconds": 3.0}', flush=True)
while "quit" not in input():
    print('{"seconds": %s, "finished": true}', flush=True)
"""
    answers = {"fastmlp": 1.0, "reference": seconds}
    monkeypatch.setattr(workers, "command", lambda name, *_: [sys.executable, "-c", says % answers[name]])
    file = str(finished[0] / "results.json")
    arguments = ["--rounds", "1", "--contender", "fastmlp", "--contender", "reference"]
    assert main(["--check", file, *arguments]) == status
    lines = [
        line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("| 20-32-32-3")
    ]
    verdicts = {line[3].strip(): line[6].strip() for line in lines}
    assert verdicts == {"reference": verdict}


# ------------------------------------------------------------------------------------------ the command line


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["--case", "no such"], CASES[0].name),
        (["--group", "no such"], "small-batches"),
        (["--contender", "tensorflow"], "scikit-learn"),
        (["--rounds", "0"], "a whole number from 1"),
        (["--threads", "many"], "a whole number from 1"),
        (["--check", "/nowhere/results.json"], "No such file"),
        (["--show", __file__], "is no results.json"),
        (["--out", f"{__file__}/new/folder"], "is not a folder"),
    ],
)
def test_bad_values_are_refused_with_what_is_allowed(arguments, allowed, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert allowed in capsys.readouterr().err


def test_list_names_cases_and_contenders(capsys):
    assert main(["--list", "--all"]) == 0
    listed = {line.removesuffix(" *").strip() for line in capsys.readouterr().out.splitlines()}
    assert {case.name for case in CASES} | set(CONTENDERS) <= listed
    assert len({case.name for case in CASES}) == len(CASES)


def test_without_a_choice_there_is_something_of_every_group():
    options = parse([])
    assert options.case == DEFAULT
    assert {case.group for case in options.case} == set(GROUPS)
    assert {"small-batches", "adam", "float64", "prediction", "grid", "accuracy"} < set(GROUPS)
    assert options.contender == list(CONTENDERS)


def test_a_name_chooses_its_case_and_a_part_of_one_all_that_have_it():
    assert [case.name for case in parse(["--case", "784-50-50-10 batch 1"]).case] == ["784-50-50-10 batch 1"]
    found = [case.name for case in parse(["--case", "784-50-50-10 batch"]).case]
    assert sorted(found) == [f"784-50-50-10 batch {size}" for size in (1, 10, 128)]


def test_groups_and_cases_add_up_and_threads_may_be_several():
    options = parse(["--group", "adam", "--case", "784-50-50-10 batch 1", "--threads", "1", "2", "1"])
    assert {case.group for case in options.case} == {"adam", "small-batches"}
    assert options.threads == [1, 2]


def test_a_revision_races_behind_the_one_that_it_is_compared_with():
    options = parse(["--compare", "v0.1", "--contender", "torch", "--contender", "fastmlp"])
    assert options.contender == ["fastmlp", "fastmlp@v0.1", "torch"]
