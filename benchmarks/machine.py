"""What the machine is worth at this moment: machine.c, compiled into a temporary folder and run.

Virtual cores come closer and move apart while one measures, and slow everybody down when they do; a
benchmark has to be read beside the round trip between them.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("machine.c")
FLAGS = ("-O2", "-ffp-contract=fast", "-pthread")  # contraction makes x * h + h one instruction

#: Far more than a probe takes, some 20 ms, on a machine that others use as well.
LONGEST_SECONDS = 60


@dataclass(frozen=True)
class Probe:
    """One look at the machine; None is what could not be measured.

    Attributes
    ----------
    round_trip_ns : float or None
        A cache line's way from one core to another and back.
    peak_gflops : float or None
        What one core does in float32 fused multiply-adds.
    instructions : str or None
        What it did them with.
    """

    round_trip_ns: float | None = None
    peak_gflops: float | None = None
    instructions: str | None = None


class Machine:
    """A context in which `probe` measures; without a compiler it sees nothing, and ``reason`` says why."""

    def __init__(self):
        self.reason: str | None = None

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="fastmlp-benchmarks-")
        self._program = Path(self._folder.name, "machine")
        compiler = shlex.split(os.environ.get("CC", "cc"))
        self._call([*compiler, *FLAGS, SOURCE, "-o", self._program])
        return self

    def __exit__(self, *error):
        self._folder.cleanup()

    def probe(self) -> Probe:
        """Measure, in about 20 ms."""
        if self.reason is None:
            answer = self._call([self._program])
            if answer is not None:
                return Probe(**json.loads(answer))
        return Probe()

    def _call(self, command) -> str | None:
        """Return what a command prints; if it fails, keep the reason and return None."""
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=True, timeout=LONGEST_SECONDS
            )
        except (OSError, subprocess.SubprocessError) as error:
            message = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[0]
            self.reason = f"{Path(command[0]).name} failed: {message}"
            return None
        return done.stdout


def processor() -> str:
    """Return the processor's name and how many of them this process may use."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = (line.partition(":") for line in cpuinfo.read_text().splitlines())
        name = next((value.strip() for key, _, value in lines if key.strip() == "model name"), name)
    n_all = os.cpu_count()
    n_usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else n_all
    return f"{name}, {n_usable} of {n_all} processors usable"


class OtherLoad:
    """How many processors other programs keep busy, on average, from now on.

    A contender with as many threads as there are processors waits for those that another program
    holds up; times next to such a load tell more about it than about the contender.
    """

    def __init__(self):
        self._start = self._clocks()

    def average(self) -> float | None:
        """Return it; None without /proc/stat. Our own processes count once they have ended."""
        if self._start is None:
            return None
        wall, busy, ours = (now - then for now, then in zip(self._clocks(), self._start, strict=True))
        return max(busy - ours, 0.0) / wall

    @staticmethod
    def _clocks() -> tuple[float, float, float] | None:
        """Return seconds: on the wall, of all processors at work, and of us and our children."""
        if not Path("/proc/stat").exists():
            return None
        # user, nice, system, idle, iowait, irq, softirq, steal (what a hypervisor gave to others)
        ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        busy = (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
        return time.monotonic(), busy, sum(os.times()[:4])
