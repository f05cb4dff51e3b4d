"""The tables of a group of cases: a summary to publish, and the details behind it."""

from __future__ import annotations

from benchmarks.contenders import BASELINE
from benchmarks.kinds import Case
from benchmarks.results import CaseResult, Results, Row
from fastmlp._support.markdown import markdown_table

Table = list[tuple[str, ...]]


def has_rows(results: Results, members: list[CaseResult]) -> bool:
    """Return whether anybody has a time in these cases."""
    return any(results.rows(result) for result in members)


def summary(results: Results, members: list[CaseResult]) -> Table:
    """Return a line for each case and a column for each contender, the headings first."""
    rows = [{row.contender: row for row in results.rows(result)} for result in members]
    names = [name for name in results.contenders if any(name in entries for entries in rows)]
    lines = [("case", "threads", *names)]
    for result, entries in zip(members, rows, strict=True):
        cells = [_brief(result.case, entries[name]) if name in entries else "" for name in names]
        lines.append((result.case.name, str(result.threads), *cells))
    return lines


def _brief(case: Case, row: Row) -> str:
    """Return a cell of the summary: the time, and how many times the baseline's it is."""
    time = _time(case, row)
    return time if row.ratio is None or row.contender == BASELINE else f"{time} ({_number(row.ratio, 3)})"


def details(results: Results, members: list[CaseResult]) -> Table:
    """Return a line for each contender in each case, the headings first."""
    case = members[0].case
    headings = (
        "case",
        "contender",
        "threads",
        f"{case.symbol} per {case.unit}",
        "quartiles",
        f"time / {BASELINE}",
        "of FMA peak",
        "compile, warm-up",
        "rounds",
        "round trip",
        "other load",
    )
    return [headings, *(_cells(result, row) for result in members for row in results.rows(result))]


def _cells(result: CaseResult, row: Row) -> tuple[str, ...]:
    case, n_apart = result.case, len(result.rounds) - len(result.kept)
    counted = [f"{row.n_rounds}"]
    if n_apart:
        counted.append(f"(+{n_apart} apart)")
    if row.n_unfinished:
        counted.append(f"({row.n_unfinished} short of the mark)")
    return (
        case.name,
        row.contender,
        str(result.threads),
        _time(case, row),
        f"{_number(row.lower * case.scale)} - {_number(row.upper * case.scale)}",
        f"{row.ratio:.2f}" if row.ratio else "",
        _percent(row.peak_share) if row.peak_share else "",
        f"{row.compile_seconds:.1f} s" if row.compile_seconds is not None else "",
        " ".join(counted),
        f"{result.round_trip_ns:.0f} ns" if result.round_trip_ns else "",
        f"{result.other_load:.2f}" if result.other_load is not None else "",
    )


def _time(case: Case, row: Row) -> str:
    return ("≥ " if row.n_unfinished else "") + _number(row.median * case.scale)


def _number(value: float, digits: int = 3) -> str:
    """Return a number with so many digits that mean something, and none of a larger one cut off."""
    if value == 0:
        return "0"
    whole = len(str(int(value))) if value >= 1 else 0
    return f"{value:.{max(digits - max(whole, 1), 0)}f}"


def _percent(share: float) -> str:
    if share < 0.001:
        return "< 0.1%"
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"


def as_markdown(table: Table) -> list[str]:
    """Return the lines of a table, its columns aligned."""
    headings, *rows = table
    return markdown_table(headings, rows, n_left=len(headings))
