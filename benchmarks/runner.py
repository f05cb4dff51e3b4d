"""The race: workers are asked in turn, round after round, each round beside a look at the machine."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from benchmarks.contenders import kind_of
from benchmarks.kinds import Case
from benchmarks.machine import Machine, OtherLoad
from benchmarks.results import CaseResult, Results, Round
from benchmarks.workers import ROOT, BrokenDown, LeftOut, Worker

#: Between two turns: the threads of OpenBLAS spin for some 25 ms after a product before they sleep
#: (2^26 ticks), and would take the next contender's second core.
PAUSE_SECONDS = 0.05


class Race:
    """Measures cases, and enters them into the results round by round.

    Parameters
    ----------
    results : Results
        Its contenders race.
    machine : Machine
        Entered.
    tell : callable
        Called with a line about what is going on.
    folders : mapping of str to Path, optional
        Where contenders of another revision were built.
    """

    def __init__(
        self,
        results: Results,
        machine: Machine,
        tell: Callable[[str], None],
        folders: Mapping[str, Path] | None = None,
    ):
        self._results, self._machine, self._tell = results, machine, tell
        self._folders = folders or {}

    def run(self, cases: Iterable[Case], threads: Iterable[int], n_rounds: int) -> None:
        """Measure the cases one after the other, each with these numbers of threads."""
        plan = [(case, n_threads) for case in cases for n_threads in threads]
        # Compilers keep what they made; with a cache of an earlier run compiling would seem to cost nothing.
        with tempfile.TemporaryDirectory(prefix="fastmlp-benchmarks-") as cache:
            self._environment = {"TORCHINDUCTOR_CACHE_DIR": cache}
            for case, n_threads in plan:
                result = CaseResult(case, n_threads)
                self._results.cases.append(result)
                self._measure(result, n_rounds)

    def _measure(self, result: CaseResult, n_rounds: int) -> None:
        """Fill in the rounds of one case."""
        other_load = OtherLoad()
        with ExitStack() as stack:
            workers = self._prepare(result, stack)
            time.sleep(PAUSE_SECONDS)
            before = self._machine.probe()
            for index in range(n_rounds):
                self._tell(f"{result.title}: round {index + 1} of {n_rounds}")
                seconds, unfinished = self._turns(result, workers, index)
                if not seconds:
                    break
                after = self._machine.probe()
                result.rounds.append(Round(seconds, before, after, unfinished))
                before = after
        result.other_load = other_load.average()

    def _turns(self, result, workers, index) -> tuple[dict[str, float], list[str]]:
        """Let every worker do a turn; return their seconds, and who did not finish. Drop who breaks down."""
        # Each goes first in its turn, so that nobody always follows the same one.
        first = index % max(len(workers), 1)
        names = list(workers)
        seconds, unfinished = {}, []
        for name in names[first:] + names[:first]:
            try:
                outcome = workers[name].run()
            except BrokenDown as error:
                result.failed[name] = f"in round {index + 1}, {error}"
                del workers[name]
            else:
                seconds[name] = outcome.seconds
                if not outcome.finished:
                    unfinished.append(name)
            time.sleep(PAUSE_SECONDS)
        return seconds, unfinished

    def _prepare(self, result: CaseResult, stack: ExitStack) -> dict[str, Worker]:
        """Start the workers, one at a time: warming up may be when an engine looks for its best threads."""
        workers = {}
        for name in self._results.contenders:
            if not kind_of(name).takes(result.case):
                continue
            self._tell(f"{result.title}: preparing {name}")
            folder = self._folders.get(name, ROOT)
            worker = stack.enter_context(Worker(name, result.case, result.threads, folder, self._environment))
            try:
                ready = worker.wait_until_ready()
            except LeftOut as reason:
                result.left_out[name] = str(reason)
            except BrokenDown as error:
                result.failed[name] = f"before the first round, {error}"
            else:
                workers[name] = worker
                self._results.versions.setdefault(name, ready.version)
                result.first_seconds[name] = ready.first_seconds
        return workers
