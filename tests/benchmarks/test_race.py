"""Tests of benchmarks/: contenders, workers, the race and the look at the machine."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # benchmarks/ is no part of what is installed

from benchmarks import report, runner, worker, workers  # noqa: E402
from benchmarks.contenders import CONTENDERS, Outcome, Stopwatch, kind_of, timed  # noqa: E402
from benchmarks.kinds import KINDS, Accuracy, Grid, NotHere, Prediction, Training, from_dict  # noqa: E402
from benchmarks.machine import Machine, OtherLoad, Probe  # noqa: E402
from benchmarks.results import Results  # noqa: E402
from benchmarks.workers import BrokenDown, Worker  # noqa: E402

TINY = Training((4, 8, 3), batch_size=16, n_batches=3, n_epochs=1)
FEW = Prediction((4, 8, 3), n_rows=2, n_calls=3)
GRID = Grid((8, 4, 3), n_rows=50, batch_size=25, n_epochs=2, n_rates=2, n_penalties=2)

#: These belong to fastmlp or to what it is built on; the others may be missing.
ALWAYS_HERE = ("fastmlp", "fastmlp-tile", "fastmlp-blas", "fastmlp-one-core", "reference", "scikit-learn")


#: A worker that is ready at once and does every turn in a second, or so it says.
ANSWERING = """
import sys
print('{"version": "1", "first_seconds": 3.0}', flush=True)
for request in sys.stdin:
    if "quit" in request:
        break
    print('{"seconds": 1.0, "finished": true}', flush=True)
"""


def race(results, cases, n_rounds, **options):
    told = []
    with Machine() as machine:
        runner.Race(results, machine, told.append, **options).run(cases, [1], n_rounds)
    return told


def results_for(*contenders):
    return Results("today", "a processor", list(contenders))


def replace_workers(monkeypatch, programs):
    """Let these contenders' workers be other Python programs."""
    command = workers.command
    monkeypatch.setattr(
        workers,
        "command",
        lambda contender, *arguments: (
            [sys.executable, "-c", programs[contender]]
            if contender in programs
            else command(contender, *arguments)
        ),
    )


# ------------------------------------------------------------------------------------------------ contenders


def every_way():
    """Return each contender with one case of every kind that it takes part in."""
    cases = [TINY, Training((4, 8, 3), 16, 3, "adam"), Training((4, 8, 3), 16, 3, dtype="float64"), FEW, GRID]
    return [
        pytest.param(name, case, id=f"{name}: {case.name}")
        for name, contender in CONTENDERS.items()
        for case in cases
        # Compiling takes seconds; one case is enough here.
        if contender.takes(case) and (name != "torch-compile" or case is FEW)
    ]


@pytest.mark.filterwarnings("ignore")  # the peers' own
@pytest.mark.parametrize(("contender", "case"), every_way())
def test_every_contender_takes_part_or_says_why_not(contender, case):
    try:
        turn, first_seconds = worker.prepare(CONTENDERS[contender], case, threads=1)
    except (ImportError, NotHere) as reason:
        if contender in ALWAYS_HERE:
            raise
        pytest.skip(str(reason))
    outcome = timed(turn)
    assert first_seconds > 0
    assert outcome.seconds > 0
    assert outcome.finished


def test_a_worker_does_its_turns_until_it_is_told_to_quit():
    with Worker("reference", TINY, threads=1) as process:
        ready = process.wait_until_ready()
        assert ready.version
        assert ready.first_seconds > 0
        assert process.run().seconds > 0
        assert process.run().finished
    assert process.process.returncode == 0


def test_a_contender_has_a_function_for_every_kind_that_it_says():
    for name in ALWAYS_HERE:
        contender = CONTENDERS[name]
        assert set(contender.kinds) <= set(KINDS)
        for kind in contender.kinds:
            assert callable(getattr(contender.load(), kind))


@pytest.mark.parametrize("percent", [0.0, 101.0])
def test_time_to_an_accuracy_ends_at_the_mark_or_says_that_it_is_not_reached(percent, digits):
    case = Accuracy("mnist", percent)
    outcome = CONTENDERS["fastmlp"].load().accuracy(case, 1, *digits)()
    assert outcome.finished == (percent == 0.0)
    assert outcome.seconds > 0


@pytest.fixture
def digits():
    from fastmlp.datasets import load_digits

    return tuple(load_digits())


def test_what_an_engine_cannot_do_is_left_out_with_its_reason(digits):
    module = CONTENDERS["fastmlp"].load()
    with pytest.raises(module.NotHere, match="float13"):
        module.training(TINY, 1, *TINY.data(), dtype="float13")
    with pytest.raises(module.NotHere, match="float13"):
        module.accuracy(Accuracy("mnist", 1.0), 1, *digits, dtype="float13")


def test_missing_data_leave_everybody_out_with_the_reason(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTMLP_DATA", str(tmp_path))
    folder = tmp_path / "mnist"
    folder.mkdir()
    for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (folder / f"{part}-ubyte").write_bytes(b"damaged")
    with pytest.raises(NotHere, match=r"no mnist: .*train-images"):
        worker.prepare(CONTENDERS["fastmlp"], Accuracy("mnist", 90.0), threads=1)


# ------------------------------------------------------------------------------------------------- the cases


@pytest.mark.parametrize("case", [TINY, FEW, GRID, Accuracy("mnist", 98.37)], ids=lambda case: case.kind)
def test_a_case_comes_back_from_its_fields(case):
    fields = {name: list(value) if name == "sizes" else value for name, value in case.as_dict().items()}
    assert from_dict(fields) == case


def test_flops_leave_out_the_gradient_of_the_data():
    weights_1, weights_2 = 4 * 8, 8 * 3
    assert TINY.flops == 2 * 16 * (2 * (weights_1 + weights_2) + weights_2)
    assert FEW.flops == 2 * 2 * (weights_1 + weights_2)
    net = Training(GRID.sizes, GRID.n_rows, 1)
    assert GRID.flops == GRID.n_nets * GRID.n_epochs * net.flops


def test_groups_follow_from_what_sets_a_case_off():
    groups = {
        "training": TINY,
        "adam": Training((4, 3), 16, 3, "adam"),
        "float64": Training((4, 3), 16, 3, dtype="float64"),
        "small-batches": Training((4, 3), 10, 3),
        "prediction": FEW,
        "grid": GRID,
    }
    assert {name: case.group for name, case in groups.items()} == {name: name for name in groups}
    X, _ = groups["float64"].data()
    assert X.dtype == np.float64


def test_bfloat16_is_raced_against_float32_only():
    assert not kind_of("fastmlp-bf16").takes(Training((4, 3), 16, 3, dtype="float64"))
    assert kind_of("fastmlp-bf16").takes(TINY)
    assert kind_of("fastmlp@v0.1") is kind_of("fastmlp")


def test_a_paused_stopwatch_stands_still(monkeypatch):
    now = iter([0.0, 10.0, 40.0, 45.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(now))
    watch = Stopwatch()
    with watch.paused():
        pass
    assert watch.seconds == 15.0


def test_a_turn_is_timed_unless_it_keeps_its_own_time():
    assert timed(lambda: "whatever").seconds >= 0
    assert timed(lambda: Outcome(3.0, finished=False)) == Outcome(3.0, finished=False)


# ----------------------------------------------------------------------------------------------- the workers


def test_a_killed_worker_is_reported_by_its_signal(monkeypatch):
    replace_workers(monkeypatch, {"reference": ANSWERING})
    with Worker("reference", TINY, threads=1) as process:
        process.wait_until_ready()
        os.kill(process.process.pid, signal.SIGKILL)
        with pytest.raises(BrokenDown, match="killed by SIGKILL"):
            process.run()


def test_a_silent_worker_is_given_up(monkeypatch):
    replace_workers(monkeypatch, {"fastmlp": "input()\ninput()"})
    monkeypatch.setattr(workers, "LONGEST_SECONDS", 0.1)
    with Worker("fastmlp", TINY, threads=1) as process, pytest.raises(BrokenDown, match="no answer in"):
        process.wait_until_ready()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_ends_with_the_processes_that_it_started(monkeypatch, tmp_path):
    pid = tmp_path / "pid"
    program = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open({str(pid)!r}, "w").write(str(child.pid))
print('{{"version": "1", "first_seconds": null}}', flush=True)
input()
"""
    replace_workers(monkeypatch, {"fastmlp": program})
    with Worker("fastmlp", TINY, threads=1) as process:
        process.wait_until_ready()
    deadline = time.monotonic() + 10
    while is_running(pid.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(pid.read_text())


def is_running(pid):
    """Return whether there is such a process; one that ended and was not waited for is none."""
    try:
        return Path("/proc", pid, "stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_workers_are_told_their_threads(monkeypatch):
    says = "import json, os; print(json.dumps({'version': os.environ['OMP_NUM_THREADS'] + os.environ['NPROC'], 'first_seconds': None}))"  # noqa: E501
    replace_workers(monkeypatch, {"fastmlp": says})
    with Worker("fastmlp", TINY, threads=3) as process:
        assert process.wait_until_ready().version == "33"


# -------------------------------------------------------------------------------------------------- the race


def test_the_race_goes_on_without_a_worker_that_breaks_down(monkeypatch):
    one_round = """
print('{"version": "1", "first_seconds": 2.0}', flush=True)
input()
print('{"seconds": 1.0, "finished": false}', flush=True)
input()
raise RuntimeError("no more")
"""
    never = "raise RuntimeError('never began')"
    programs = {"scikit-learn": never, "reference": one_round, "fastmlp": ANSWERING}
    replace_workers(monkeypatch, programs)
    results = results_for("reference", "fastmlp", "scikit-learn", "onnxruntime")
    told = race(results, [TINY], 3)
    (result,) = results.cases
    assert [set(one.seconds) for one in result.rounds] == [{"reference", "fastmlp"}, {"fastmlp"}, {"fastmlp"}]
    assert [one.unfinished for one in result.rounds] == [["reference"], [], []]
    assert result.failed == {
        "scikit-learn": "before the first round, ended with status 1: RuntimeError: never began",
        "reference": "in round 2, ended with status 1: RuntimeError: no more",
    }
    assert results.has_failures
    assert result.first_seconds["reference"] == 2.0
    assert not any("preparing onnxruntime" in line for line in told)  # it does not train
    text = report.markdown(results)
    assert "reference broke down: in round 2, ended with status 1: RuntimeError: no more" in text
    assert "onnxruntime is not made for training." in text


def test_a_race_in_which_nobody_is_left_ends_and_says_why(monkeypatch):
    replace_workers(monkeypatch, {"fastmlp": """print('{"left_out": "no reason"}')"""})
    results = results_for("fastmlp")
    race(results, [TINY], 3)
    assert results.cases[0].rounds == []
    text = report.markdown(results)
    assert "Nobody has a time" in text
    assert "fastmlp left out: no reason (4-8-3 batch 16, 1 thread)" in text


def test_compilers_begin_with_an_empty_cache_that_goes_away(monkeypatch, tmp_path):
    caches = tmp_path / "caches"
    program = f"""
import os
open({str(caches)!r}, "a").write(os.environ["TORCHINDUCTOR_CACHE_DIR"] + "\\n")
print('{{"left_out": "seen"}}')
"""
    replace_workers(monkeypatch, {"fastmlp": program})
    for _ in range(2):
        race(results_for("fastmlp"), [TINY], 1)
    first, second = caches.read_text().split()
    assert first != second
    assert not Path(first).exists()


# ----------------------------------------------------------------------------------------------- the machine


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
