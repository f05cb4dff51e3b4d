"""The command line: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

import benchmarks
from benchmarks import report
from benchmarks.cases import CASES, Case
from benchmarks.contenders import MODULES
from benchmarks.machine import Machine, processor
from benchmarks.results import Results
from benchmarks.runner import race


def find_cases(text: str) -> list[Case]:
    """Return the case with this name, or else all whose names contain the text."""
    exact = [case for case in CASES if case.name == text]
    found = exact or [case for case in CASES if text in case.name]
    if not found:
        names = "; ".join(case.name for case in CASES)
        raise argparse.ArgumentTypeError(f"no case is named {text!r}; there are: {names}.")
    return found


def at_least_one(text: str) -> int:
    """Return the number in the text, 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 1.")
    return int(text)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line; leave the program with a message if it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=benchmarks.__doc__.splitlines()[0],
        epilog="Ends with status 1 if a contender broke down, 130 after Ctrl-C.",
    )
    parser.add_argument(
        "--case",
        action="extend",
        type=find_cases,
        metavar="NAME",
        help="a case, or part of its name; repeatable (default: all)",
    )
    parser.add_argument(
        "--contender", action="append", choices=MODULES, metavar="NAME", help="repeatable (default: all)"
    )
    parser.add_argument("--rounds", type=at_least_one, default=7, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--threads",
        type=at_least_one,
        default=2,
        metavar="N",
        help="of every contender (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write results.json and results.md there")
    parser.add_argument("--list", action="store_true", help="name the cases and the contenders, and stop")
    options = parser.parse_args(arguments)
    # Each once, and in the order of the lists.
    options.case = [case for case in CASES if case in (options.case or CASES)]
    options.contender = [name for name in MODULES if name in (options.contender or MODULES)]
    return options


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks; return the exit status."""
    options = parse(arguments)
    if options.list:
        print("cases:", *(case.name for case in options.case), sep="\n  ")
        print("contenders:", *options.contender, sep="\n  ")
        return 0
    started = datetime.now(UTC).isoformat(timespec="minutes")
    results = Results(started, processor(), options.threads, options.contender)
    machine, status = Machine(), 0
    try:
        with machine:
            race(
                results,
                options.case,
                options.rounds,
                machine,
                lambda line: print(line, file=sys.stderr, flush=True),
            )
    except KeyboardInterrupt:
        print("Interrupted: this is what was measured so far.", file=sys.stderr)
        status = 130
    results.not_measured = machine.reason
    report.show(results)
    if options.out is not None:
        report.write(results, options.out)
    return status or int(results.has_failures)


if __name__ == "__main__":
    sys.exit(main())
