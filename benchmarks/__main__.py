"""The command line: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import signal
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import benchmarks
from benchmarks import outputs, published, race_tables, report, revisions
from benchmarks.cases import CASES, DEFAULT, GROUPS
from benchmarks.contenders import CONTENDERS
from benchmarks.kinds import Case
from benchmarks.machine import Machine, processor
from benchmarks.results import Results
from benchmarks.runner import Race

ROUNDS, THREADS = 5, [2]


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


def results_file(text: str) -> Results:
    """Return the results in the file of this name."""
    try:
        return published.read(Path(text))
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=benchmarks.__doc__.splitlines()[0],
        epilog="Ends with status 1 if a contender broke down or --check found another winner, "
        "130 after Ctrl-C.",
    )
    add = parser.add_argument
    add("--case", action="extend", type=find_cases, metavar="NAME",
        help="a case, or part of its name; repeatable")  # fmt: skip
    add("--group", action="append", choices=GROUPS, metavar="NAME",
        help=f"a group of cases ({', '.join(GROUPS)}); repeatable")  # fmt: skip
    add("--all", action="store_true", help="all cases (default: those without a star in --list)")
    add("--contender", action="append", choices=CONTENDERS, metavar="NAME", help="repeatable (default: all)")
    add("--compare", action="append", default=[], metavar="REV",
        help="build this revision of fastmlp as well, and race it; repeatable")  # fmt: skip
    add("--rounds", type=at_least_one, metavar="N", help=f"default: {ROUNDS}")
    add("--threads", type=at_least_one, nargs="+", metavar="N",
        help="of every contender; several are raced one after the other (default: 2)")  # fmt: skip
    add(
        "--out",
        type=outputs.writable_folder,
        metavar="DIR",
        help="write results.json, .md, .png and .svg there",
    )
    add("--list", action="store_true", help="name the cases and the contenders, and stop")
    files = parser.add_mutually_exclusive_group()
    files.add_argument("--check", type=results_file, metavar="FILE",
        help="race what this results.json has, and tell whether the same ones win")  # fmt: skip
    files.add_argument("--show", type=results_file, metavar="FILE",
        help="show, or with --out write, what this results.json has; measure nothing")  # fmt: skip
    return parser


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line; leave the program with a message if it is wrong.

    What is not said comes from the published results that are to be checked, or else from the defaults.
    """
    options = make_parser().parse_args(arguments)
    cases, contenders, threads, rounds = DEFAULT, list(CONTENDERS), THREADS, ROUNDS
    if (checked := options.check) is not None:
        cases = tuple(dict.fromkeys(result.case for result in checked.cases))
        threads = sorted({result.threads for result in checked.cases})
        contenders, rounds = checked.contenders, published.n_rounds(checked)
        named = [name.partition("@")[2] for name in contenders if "@" in name]
        options.compare = list(dict.fromkeys(named + options.compare))
    if options.all or options.case or options.group:
        known = cases if checked is not None else CASES
        cases = tuple(
            case
            for case in known
            if options.all or case in (options.case or ()) or case.group in (options.group or ())
        )
    wanted = options.contender or [name for name in contenders if "@" not in name]
    options.case = cases
    options.contender = report.in_table_order({*wanted, *(f"fastmlp@{rev}" for rev in options.compare)})
    options.rounds = options.rounds or rounds
    options.threads = list(dict.fromkeys(options.threads or threads))
    return options


def tell(line: str) -> None:
    """Print what is going on."""
    print(line, file=sys.stderr, flush=True)


def measure(options: argparse.Namespace) -> tuple[Results, int]:
    """Race, and return the results and the exit status, 0 or 130 after Ctrl-C."""
    started = datetime.now(UTC).isoformat(timespec="minutes")
    results = Results(started, processor(), options.contender)
    machine, status, built = Machine(), 0, []
    try:
        with machine, ExitStack() as stack:
            built += [stack.enter_context(revisions.built(rev, tell)) for rev in options.compare]
            folders = {revision.contender: revision.folder for revision in built}
            Race(results, machine, tell, folders).run(options.case, options.threads, options.rounds)
    except KeyboardInterrupt:
        tell("Interrupted: this is what was measured so far.")
        status = 130
    for revision in built:
        if revision.contender in results.versions:
            results.versions[revision.contender] += f" ({revision.commit})"
    results.not_measured = machine.reason
    return results, status


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks; return the exit status."""
    options = parse(arguments)
    if options.list:
        print(
            "cases:", *(f"  {case.name}{'' if case in DEFAULT else ' *'}" for case in options.case), sep="\n"
        )
        print("contenders:", *options.contender, sep="\n  ")
        return 0
    try:
        results, status = (options.show, 0) if options.show else measure(options)
    except revisions.BuildError as error:
        tell(str(error))
        return 1
    report.show(results)
    for line in report.write(results, options.out) if options.out else []:
        tell(line)
    n_other = 0
    if options.check is not None:
        table, n_other = published.compare(options.check, results)
        print(*race_tables.as_markdown(table), sep="\n")
    return status or int(results.has_failures or n_other > 0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it tidies up as after Ctrl-C
    sys.exit(main())
