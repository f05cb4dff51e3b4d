"""The runner's end of a worker: started, asked, and ended, whatever happens to it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import Outcome
from benchmarks.kinds import Case

ROOT = Path(__file__).parents[1]

#: What limits the threads of the libraries, set before they are loaded; NPROC is XLA's, JAX's engine.
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")

#: A contender that says nothing for so long is taken for broken down.
LONGEST_SECONDS = 600

#: What a worker may take to end when it is told to.
QUITTING_SECONDS = 5


class LeftOut(Exception):
    """A contender cannot take part here."""


class BrokenDown(Exception):
    """A worker ended, or fell silent, when an answer was due."""


@dataclass(frozen=True)
class Ready:
    """What a worker says when it is prepared; see `benchmarks.worker`."""

    version: str
    first_seconds: float | None


def command(contender: str, case: Case, threads: int) -> list[str]:
    """Return the command line of a worker."""
    name = contender.partition("@")[0]  # another revision's is the same contender in another folder
    return [sys.executable, "-m", "benchmarks.worker", name, json.dumps(case.as_dict()), str(threads)]


class Worker:
    """A process that runs one contender on one case.

    Parameters
    ----------
    contender : str
    case : Case
    threads : int
    folder : Path, default=ROOT
        Where it starts, which is where it finds `benchmarks` and fastmlp.
    environment : mapping, optional
        Variables beside those that limit the threads.
    """

    def __init__(
        self,
        contender: str,
        case: Case,
        threads: int,
        folder: Path = ROOT,
        environment: Mapping[str, str] | None = None,
    ):
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        self.process = subprocess.Popen(
            command(contender, case, threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=folder,
            env=os.environ | dict.fromkeys(THREAD_LIMITS, str(threads)) | (environment or {}),
            start_new_session=True,  # Ctrl-C is for the runner, which then stops the workers
        )

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        """End the process, at once if there was an error: then nobody waits for its turn any more."""
        self._ask("quit")
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        if error is None:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(QUITTING_SECONDS)
        self._kill()
        self.process.stdout.close()
        self._errors.close()

    def wait_until_ready(self) -> Ready:
        """Return what the worker says once it is prepared and warm."""
        answer = self._answer()
        if "left_out" in answer:
            raise LeftOut(answer["left_out"])
        return Ready(**answer)

    def run(self) -> Outcome:
        """Return what came of one more turn."""
        self._ask("run")
        return Outcome(**self._answer())

    def _ask(self, request: str) -> None:
        with suppress(BrokenPipeError):  # who is gone does not answer, and `_answer` finds out why
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()

    def _answer(self) -> dict:
        stdout = self.process.stdout
        if not select.select([stdout], [], [], LONGEST_SECONDS)[0]:
            self._kill()  # else it would go on beside the others
            raise BrokenDown(f"no answer in {LONGEST_SECONDS} seconds")
        if line := stdout.readline():
            return json.loads(line)
        status = self.process.wait()
        self._errors.seek(0)
        last_words = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
        ending = f"killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        raise BrokenDown(": ".join([ending, *last_words]))

    def _kill(self) -> None:
        """End the process and those that it started itself, for a grid or to compile."""
        if os.name == "posix":
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
