"""Tests of benchmarks/: the runner runs for real, on cases that take milliseconds.

No test asserts a time, or who is faster.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))  # benchmarks/ is no part of what is installed

from benchmarks import report, runner  # noqa: E402
from benchmarks.__main__ import main  # noqa: E402
from benchmarks.cases import CASES, Case  # noqa: E402
from benchmarks.contenders import MODULES  # noqa: E402
from benchmarks.machine import Machine, OtherLoad, Probe  # noqa: E402
from benchmarks.results import CaseResult, Results, Round  # noqa: E402
from benchmarks.runner import BrokenDown, LeftOut, Worker  # noqa: E402

TINY = Case((4, 8, 3), batch_size=16, n_batches=3)


def results_for(*contenders):
    return Results("today", "a processor", 1, list(contenders))


def start(*arguments, **options):
    """Start the command line in a process of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT, **pipes, **options)


# ------------------------------------------------------------------------------------------ the whole of it


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two rounds of a small case, with a torch that cannot be imported: folder, status, output."""
    folder = tmp_path_factory.mktemp("benchmarks")
    broken_torch = folder / "path" / "torch"
    broken_torch.mkdir(parents=True)
    (broken_torch / "__init__.py").write_text("raise ImportError('no torch today')\n")
    arguments = ["--case", "20-32-32-3", "--rounds", "2", "--threads", "1", "--out", str(folder / "out")]
    with start(*arguments, env=os.environ | {"PYTHONPATH": str(folder / "path")}) as process:
        stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    return folder / "out", stdout


def test_json_has_every_round_and_the_numbers_follow_from_them(finished):
    results = json.loads((finished[0] / "results.json").read_text())
    (entry,) = results["cases"]
    assert entry["case"]["name"] == "20-32-32-3 batch 32"
    assert results["contenders"] == list(MODULES)
    names = ["fastmlp", "fastmlp-blas", "reference", "scikit-learn"]
    assert list(results["versions"]) == names
    assert [list(one["seconds"]) for one in entry["rounds"]] == [
        names,
        names[1:] + names[:1],
    ]
    kept = [one["seconds"] for one in entry["rounds"] if not one["apart"]]
    for row in entry["rows"]:
        times = [1e6 * seconds[row["contender"]] / entry["case"]["n_batches"] for seconds in kept]
        ratios = [seconds[row["contender"]] / seconds["fastmlp"] for seconds in kept]
        assert row["n_rounds"] == len(kept)
        assert row["median"] == pytest.approx(median(times))
        assert min(times) <= row["lower"] <= row["median"] <= row["upper"] <= max(times)
        assert row["ratio"] == pytest.approx(median(ratios))
        if results["peak_gflops"]:
            share = entry["case"]["flops"] / (1e3 * row["median"]) / results["peak_gflops"]
            assert row["peak_share"] == pytest.approx(share)


def test_markdown_and_terminal_show_every_contender(finished):
    folder, stdout = finished
    text = (folder / "results.md").read_text()
    table = [line.split("|")[2].strip() for line in text.splitlines() if line.startswith("| 20-32-32-3")]
    assert table == ["fastmlp", "fastmlp-blas", "reference", "scikit-learn"]
    for shown in (text, stdout):
        assert "torch left out: no torch today (20-32-32-3 batch 32)" in shown
        assert "scikit-learn" in shown
        assert "FMA peak of one core: " in shown


def test_without_rich_the_report_is_markdown(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    results = results_for("fastmlp")
    report.show(results)
    assert capsys.readouterr().out.strip() == report.markdown(results).strip()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ctrl_c_stops_the_workers_and_shows_what_there_is(tmp_path):
    arguments = ["--case", "20-32-32-3", "--rounds", "1000", "--contender", "reference"]
    with start(*arguments, "--out", str(tmp_path)) as process:
        for line in process.stderr:
            if "round 3 of" in line:
                break
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert children
    assert not any(Path("/proc", pid).exists() for pid in children)
    assert "reference" in stdout
    (entry,) = json.loads((tmp_path / "results.json").read_text())["cases"]
    assert len(entry["rounds"]) >= 2
    assert entry["rows"][0]["ratio"] is None  # fastmlp was not asked for


# ------------------------------------------------------------------------------------------------- the runner


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("contender", MODULES)
def test_every_contender_trains_or_says_why_not(contender, solver):
    with Worker(contender, Case((4, 8, 3), 16, 3, solver), threads=1) as worker:
        try:
            assert worker.wait_until_ready()
        except LeftOut as reason:
            if contender != "torch":  # the others are fastmlp itself and what it is built on
                raise
            pytest.skip(str(reason))
        assert worker.run() > 0
    assert worker.process.returncode == 0


def test_a_killed_worker_is_reported_by_its_signal():
    with Worker("reference", TINY, threads=1) as worker:
        worker.wait_until_ready()
        os.kill(worker.process.pid, signal.SIGKILL)
        with pytest.raises(BrokenDown, match="killed by SIGKILL"):
            worker.run()


def test_the_race_goes_on_without_a_worker_that_breaks_down(monkeypatch):
    one_round = """
print('{"version": "1"}', flush=True)
input()
print('{"seconds": 1.0}', flush=True)
input()
raise RuntimeError("no more")
"""
    breaks = {"scikit-learn": "raise RuntimeError('never began')", "reference": one_round}
    command = runner.command

    def command_or_break(contender, case, threads):
        return (
            [sys.executable, "-c", breaks[contender]]
            if contender in breaks
            else command(contender, case, threads)
        )

    monkeypatch.setattr(runner, "command", command_or_break)
    results = results_for("reference", "fastmlp", "scikit-learn")
    with Machine() as machine:
        runner.race(results, [TINY], 3, machine, tell=lambda line: None)
    (result,) = results.cases
    assert [set(one.seconds) for one in result.rounds] == [{"reference", "fastmlp"}, {"fastmlp"}, {"fastmlp"}]
    assert result.failed == {
        "scikit-learn": "before the first round, ended with status 1: RuntimeError: never began",
        "reference": "in round 2, ended with status 1: RuntimeError: no more",
    }
    assert results.has_failures
    assert "reference broke down: in round 2, ended with status 1: RuntimeError: no more" in report.markdown(
        results
    )


def test_a_silent_worker_is_given_up(monkeypatch):
    monkeypatch.setattr(runner, "command", lambda *arguments: [sys.executable, "-c", "input()\ninput()"])
    monkeypatch.setattr(runner, "LONGEST_SECONDS", 0.1)
    with (
        Worker("fastmlp", TINY, threads=1) as worker,
        pytest.raises(BrokenDown, match="no answer in"),
    ):
        worker.wait_until_ready()


# ---------------------------------------------------------------------------------------------- the numbers


def rounds_with(*round_trips):
    return [Round({"fastmlp": 3e-3, "torch": 6e-3}, Probe(ns, 100.0), Probe(ns, 100.0)) for ns in round_trips]


def test_rounds_with_the_cores_in_another_state_are_set_apart():
    result = CaseResult(TINY, rounds_with(60, 350, 70, 25, 65))
    assert [result.is_apart(one) for one in result.rounds] == [False, True, False, True, False]
    fastmlp, torch = result.rows(["fastmlp", "torch"], threads=2, peak_gflops=100.0)
    assert (fastmlp.n_rounds, fastmlp.median, fastmlp.ratio) == (3, 1000.0, 1.0)
    assert (torch.median, torch.ratio) == (2000.0, 2.0)
    assert fastmlp.peak_share == pytest.approx(TINY.flops / 1e-3 / 200e9)


@pytest.mark.parametrize("round_trips", [(None, None), (60, 350), (350,), (60, 350, 1000, 5000)])
def test_some_round_is_always_kept(round_trips):
    assert CaseResult(TINY, rounds_with(*round_trips)).kept


def test_flops_leave_out_the_gradient_of_the_data():
    weights_1, weights_2 = 4 * 8, 8 * 3
    assert TINY.flops == 2 * 16 * (2 * (weights_1 + weights_2) + weights_2)


# ---------------------------------------------------------------------------------------------- the machine


def test_machine_gives_plausible_numbers():
    with Machine() as machine:
        if machine.reason:
            pytest.skip(machine.reason)
        probe = machine.probe()
    assert machine.reason is None
    assert probe.instructions
    assert 0.1 < probe.peak_gflops < 10_000
    if probe.round_trip_ns is not None:
        assert 5 < probe.round_trip_ns < 1e6


def test_without_a_compiler_nothing_is_measured_and_the_report_says_so(monkeypatch):
    monkeypatch.setenv("CC", "/nowhere/cc -O1")
    with Machine() as machine:
        assert machine.probe() == Probe()
    assert "No such file" in machine.reason
    results = results_for("fastmlp")
    results.not_measured = machine.reason
    assert f"FMA peak of one core: not measured ({machine.reason})" in report.markdown(results)
    assert f"Round trip between the cores: not measured ({machine.reason})" in report.markdown(results)


def test_other_load_is_what_was_busy_less_what_we_were(monkeypatch):
    load = OtherLoad()
    average = load.average()
    assert average is None or 0 <= average < os.cpu_count() + 1
    clocks = iter([(0.0, 100.0, 50.0), (10.0, 118.0, 53.0)])  # wall, busy, ours
    monkeypatch.setattr(OtherLoad, "_clocks", lambda self: next(clocks))
    assert OtherLoad().average() == 1.5


# ------------------------------------------------------------------------------------------ the command line


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["--case", "no such"], CASES[0].name),
        (["--contender", "tensorflow"], "scikit-learn"),
        (["--rounds", "0"], "a whole number from 1"),
        (["--threads", "many"], "a whole number from 1"),
    ],
)
def test_bad_values_are_refused_with_what_is_allowed(arguments, allowed, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert allowed in capsys.readouterr().err


def test_list_names_cases_and_contenders(capsys):
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out.split("\n")
    assert {f"  {case.name}" for case in CASES} | {f"  {name}" for name in MODULES} <= set(listed)


def test_a_name_chooses_its_case_and_a_part_of_one_all_that_have_it(capsys):
    main(["--list", "--case", "784-50-50-10 batch 1", "--contender", "torch"])
    assert "batch 128" not in capsys.readouterr().out
    main(["--list", "--case", "784-50-50-10"])
    assert capsys.readouterr().out.count("784-50-50-10") == 2
