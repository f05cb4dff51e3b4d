"""The race: workers are started, asked in turn, and stopped, whatever happens to them."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path

from benchmarks.cases import Case
from benchmarks.machine import Machine, OtherLoad
from benchmarks.results import CaseResult, Results, Round

ROOT = Path(__file__).parents[1]

#: What limits the threads of every library here, set before it is loaded.
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

#: Between two turns: the threads of OpenBLAS spin for some 25 ms after a product before they sleep
#: (2^26 ticks), and would take the next contender's second core.
PAUSE_SECONDS = 0.05

#: A contender that says nothing for so long is taken for broken down.
LONGEST_SECONDS = 600

#: What a worker may take to end when it is told to.
QUITTING_SECONDS = 5


class LeftOut(Exception):
    """A contender cannot take part here."""


class BrokenDown(Exception):
    """A worker ended, or fell silent, when an answer was due."""


def command(contender: str, case: Case, threads: int) -> list[str]:
    """Return the command line of a worker."""
    return [sys.executable, "-m", "benchmarks.worker", contender, json.dumps(asdict(case)), str(threads)]


class Worker:
    """The runner's end of one worker."""

    def __init__(self, contender: str, case: Case, threads: int):
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        self.process = subprocess.Popen(
            command(contender, case, threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=ROOT,
            env=os.environ | dict.fromkeys(THREAD_LIMITS, str(threads)),
            start_new_session=True,  # Ctrl-C is for the runner, which then stops the workers
        )

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        """End the process, at once if there was an error: then nobody waits for its epoch any more."""
        self._ask("quit")
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        if error is None:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(QUITTING_SECONDS)
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self._errors.close()

    def wait_until_ready(self) -> str:
        """Return the version of the contender's library once it is prepared and warm."""
        answer = self._answer()
        if "left_out" in answer:
            raise LeftOut(answer["left_out"])
        return answer["version"]

    def run(self) -> float:
        """Return the seconds of one more epoch."""
        self._ask("run")
        return self._answer()["seconds"]

    def _ask(self, request: str) -> None:
        with suppress(BrokenPipeError):  # who is gone does not answer, and `_answer` finds out why
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()

    def _answer(self) -> dict:
        stdout = self.process.stdout
        if not select.select([stdout], [], [], LONGEST_SECONDS)[0]:
            self.process.kill()  # else it would go on beside the others
            raise BrokenDown(f"no answer in {LONGEST_SECONDS} seconds")
        if line := stdout.readline():
            return json.loads(line)
        status = self.process.wait()
        self._errors.seek(0)
        last_words = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
        ending = f"killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        raise BrokenDown(": ".join([ending, *last_words]))


def race(
    results: Results, cases: list[Case], n_rounds: int, machine: Machine, tell: Callable[[str], None]
) -> None:
    """Measure the cases one after the other, and enter them into the results round by round."""
    for case in cases:
        result = CaseResult(case)
        results.cases.append(result)
        other_load = OtherLoad()
        with ExitStack() as stack:
            workers = _start_workers(results, result, stack, tell)
            time.sleep(PAUSE_SECONDS)
            before = machine.probe()
            for index in range(n_rounds):
                tell(f"{case.name}: round {index + 1} of {n_rounds}")
                # Each goes first in its turn, so that nobody always follows the same one.
                first = index % max(len(workers), 1)
                names = list(workers)
                seconds = {}
                for name in names[first:] + names[:first]:
                    try:
                        seconds[name] = workers[name].run()
                    except BrokenDown as error:
                        result.failed[name] = f"in round {index + 1}, {error}"
                        del workers[name]
                    time.sleep(PAUSE_SECONDS)
                if not seconds:
                    break
                after = machine.probe()
                result.rounds.append(Round(seconds, before, after))
                before = after
        result.other_load = other_load.average()


def _start_workers(results, result, stack, tell) -> dict[str, Worker]:
    """Start the workers, one at a time: warming up may be when an engine looks for its best threads."""
    workers = {}
    for name in results.contenders:
        tell(f"{result.case.name}: preparing {name}")
        worker = stack.enter_context(Worker(name, result.case, results.threads))
        try:
            results.versions[name] = worker.wait_until_ready()
            workers[name] = worker
        except LeftOut as reason:
            result.left_out[name] = str(reason)
        except BrokenDown as error:
            result.failed[name] = f"before the first round, {error}"
    return workers
