"""One contender on one case, in a process of its own: ``python -m benchmarks.worker``.

It prepares the contender, does a turn to warm up, and from then on sleeps on its standard input.
Both ways one JSON value a line. It begins by saying ``{"version": ..., "first_seconds": ...}``, or
``{"left_out": reason}`` if something is missing, and ends there; then it answers each ``"run"`` by a turn
and ``{"seconds": ..., "finished": ...}``, until ``"quit"`` or the end of the input.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from importlib.metadata import version

from benchmarks import contenders
from benchmarks.kinds import NotHere, from_dict


def open_answers():
    """Return standard output as a file for answers only; what anyone prints now goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return answers


def prepare(contender, case, threads):
    """Return the turn, and the seconds of making it and doing it once; None if the case does not warm up.

    Importing the library and making the data are not among them.
    """
    data = case.data()
    function = getattr(contender.load(), case.kind)
    watch = contenders.Stopwatch()
    turn = function(case, threads, *data, **contender.options)
    if not case.warms_up:
        return turn, None
    turn()
    return turn, watch.seconds


def main() -> None:
    """Serve one contender until it is told to stop."""
    parser = argparse.ArgumentParser(prog="benchmarks.worker", description=__doc__.splitlines()[0])
    parser.add_argument("contender", choices=contenders.CONTENDERS)
    parser.add_argument("case", type=json.loads, help="a case's as_dict(), as JSON")
    parser.add_argument("threads", type=int)
    options = parser.parse_args()
    contender = contenders.CONTENDERS[options.contender]

    answers = open_answers()
    try:
        turn, first_seconds = prepare(contender, from_dict(options.case), options.threads)
    except (ImportError, NotHere) as reason:
        print(json.dumps({"left_out": str(reason)}), file=answers)
        return
    ready = {"version": version(contender.library), "first_seconds": first_seconds}
    print(json.dumps(ready), file=answers)

    for line in sys.stdin:
        match json.loads(line):
            case "run":
                print(json.dumps(asdict(contenders.timed(turn))), file=answers)
            case "quit":
                return
            case request:
                raise ValueError(f"a worker takes 'run' or 'quit', not {request!r}.")


if __name__ == "__main__":
    main()
