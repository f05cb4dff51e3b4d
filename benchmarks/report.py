"""The results as people read them: a table, notes, and the two files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.contenders import BASELINE
from benchmarks.results import CaseResult, Results, Row

HEADINGS = (
    "case",
    "contender",
    "µs per step",
    "quartiles",
    f"time / {BASELINE}",
    "of FMA peak",
    "rounds",
    "round trip",
    "other load",
)


def describe(results: Results) -> list[str]:
    """Return what was measured, on what."""
    peak = results.peak_gflops
    instructions = {probe.instructions for probe in results.probes} - {None}
    return [
        f"Training steps, {results.threads} thread(s), {results.started}",
        results.processor,
        "FMA peak of one core: "
        + (f"{peak:.0f} GF/s, float32, {', '.join(instructions)}" if peak else _unmeasured(results)),
        ", ".join(f"{name} {version}" for name, version in results.versions.items()) or "nobody raced",
    ]


def _unmeasured(results: Results) -> str:
    return f"not measured ({results.not_measured or 'no round was finished'})"


def table(results: Results) -> list[list[tuple[str, ...]]]:
    """Return the cells under `HEADINGS`: for each case a list of rows."""
    return [[_cells(result, row) for row in results.rows(result)] for result in results.cases]


def _cells(result: CaseResult, row: Row) -> tuple[str, ...]:
    n_apart = len(result.rounds) - len(result.kept)
    return (
        result.case.name,
        row.contender,
        _number(row.median),
        f"{_number(row.lower)} - {_number(row.upper)}",
        f"{row.ratio:.2f}" if row.ratio else "",
        _percent(row.peak_share) if row.peak_share else "",
        f"{row.n_rounds} (+{n_apart} apart)" if n_apart else f"{row.n_rounds}",
        f"{result.round_trip_ns:.0f} ns" if result.round_trip_ns else "",
        f"{result.other_load:.2f}" if result.other_load is not None else "",
    )


def _number(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _percent(share: float) -> str:
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"


def notes(results: Results) -> list[str]:
    """Return how to read the table, and who is not in it."""
    lines = [
        f"Medians over the rounds. time / {BASELINE}: the ratio within each round, then its median; "
        f"{BASELINE} loses where it is below 1.",
        "Of FMA peak: the share of what all threads could do. Round trip: of a cache line between two cores, "
        "the case's median; rounds in which it was more than twice that, or less than half, are set apart.",
        "Other load: processors that other programs kept busy meanwhile; with much of it no time counts.",
    ]
    if results.not_measured or not any(probe.round_trip_ns for probe in results.probes):
        reason = results.not_measured or "only one processor, or no finished round"
        lines.append(f"Round trip between the cores: not measured ({reason}).")
    absences = {}  # most reasons are the same in every case
    for result in results.cases:
        for what, whom in (("left out", result.left_out), ("broke down", result.failed)):
            for name, reason in whom.items():
                absences.setdefault(f"{name} {what}: {reason}", []).append(result.case.name)
    return lines + [f"{absence} ({', '.join(names)})" for absence, names in absences.items()]


def markdown(results: Results) -> str:
    """Return the whole report in Markdown."""
    rows = [HEADINGS, *(row for rows in table(results) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    head = [f"- {line}" for line in describe(results)]
    foot = [f"- {line}" for line in notes(results)]
    return "\n".join(["# Benchmarks", "", *head, "", *lines, "", *foot, ""])


def show(results: Results) -> None:
    """Print the report: with rich if it is installed, else as Markdown."""
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        print(markdown(results))
        return
    # A pipe has no width; there nothing may be cut or wrapped.
    console = Console(width=None if sys.stdout.isatty() else 150, highlight=False, markup=False)
    console.print("\n".join(describe(results)))
    grid = Table()
    for heading in HEADINGS:
        grid.add_column(heading, justify="left" if heading in HEADINGS[:2] else "right")
    for rows in table(results):
        for row in rows:
            grid.add_row(*row)
        grid.add_section()
    console.print(grid)
    console.print("\n".join(notes(results)))


def write(results: Results, folder: Path) -> None:
    """Write results.json, with every round, and results.md."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results.as_dict(), indent=1) + "\n", encoding="utf-8")
    (folder / "results.md").write_text(markdown(results), encoding="utf-8")
