"""One contender on one case, in a process of its own: ``python -m benchmarks.worker``.

It prepares the contender, trains one epoch to warm up, and from then on sleeps on its standard input.
Both ways one JSON value a line. It begins by saying ``{"version": ...}``, or ``{"left_out": reason}`` if
a library is missing, and ends there; then it answers each ``"run"`` by training one epoch and
``{"seconds": ..., "steps": ...}``, until ``"quit"`` or the end of the input.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from importlib.metadata import version

from benchmarks import contenders
from benchmarks.cases import Case


def open_answers():
    """Return standard output as a file for answers only; what anyone prints now goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return answers


def timed(epoch) -> float:
    """Return the seconds that one epoch takes."""
    started = time.perf_counter()
    epoch()
    return time.perf_counter() - started


def main() -> None:
    """Serve one contender until it is told to stop."""
    parser = argparse.ArgumentParser(prog="benchmarks.worker", description=__doc__.splitlines()[0])
    parser.add_argument("contender", choices=contenders.MODULES)
    parser.add_argument("case", type=json.loads, help="the fields of a Case, as JSON")
    parser.add_argument("threads", type=int)
    options = parser.parse_args()
    case = Case(**{**options.case, "sizes": tuple(options.case["sizes"])})

    answers = open_answers()
    try:
        contender = contenders.load(options.contender)
        epoch = contender.prepare(case, options.threads)
    except ImportError as error:
        print(json.dumps({"left_out": str(error)}), file=answers)
        return
    epoch()
    print(json.dumps({"version": version(contender.LIBRARY)}), file=answers)

    for line in sys.stdin:
        match json.loads(line):
            case "run":
                print(json.dumps({"seconds": timed(epoch), "steps": case.n_batches}), file=answers)
            case "quit":
                return
            case request:
                raise ValueError(f"a worker takes 'run' or 'quit', not {request!r}.")


if __name__ == "__main__":
    main()
