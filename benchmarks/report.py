"""The results as people read them: tables, notes, and the files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks import outputs, picture, race_tables
from benchmarks.contenders import BASELINE, CONTENDERS, kind_of
from benchmarks.results import PEAK_SHARE, Results


def describe(results: Results) -> list[str]:
    """Return what was measured, on what."""
    peak = results.peak_gflops
    instructions = {probe.instructions for probe in results.probes} - {None}
    threads = sorted({result.threads for result in results.cases})
    return [
        f"{' and '.join(map(str, threads)) or 'no'} thread(s), {results.started}",
        results.processor,
        "FMA peak of one core: "
        + (f"{peak:.0f} GF/s, float32, {', '.join(sorted(instructions))}" if peak else _unmeasured(results)),
        ", ".join(f"{name} {version}" for name, version in results.versions.items()) or "nobody raced",
    ]


def _unmeasured(results: Results) -> str:
    return f"not measured ({results.not_measured or 'no round was finished'})"


def notes(results: Results) -> list[str]:
    """Return how to read the tables, and who is not in them."""
    lines = [
        f"Medians over the rounds. time / {BASELINE}: the ratio within each round, then its median; "
        f"{BASELINE} loses where it is below 1.",
        "Of FMA peak: the share of what all threads could do; float64's peak is taken for "
        f"{PEAK_SHARE['float64']:g} of float32's, which is measured. Compile: what making the model and the "
        "first turn took beyond a usual one; no time has it in it.",
        "Round trip: of a cache line between two cores, the case's median; rounds in which it was more than "
        "twice that, or less than half, are set apart.",
        "Other load: processors that other programs kept busy meanwhile; with much of it no time counts.",
    ]
    if any(one.unfinished for result in results.cases for one in result.rounds):
        lines.append(
            "≥: in some rounds the turn ended before the mark was reached; it would have taken longer."
        )
    if results.not_measured or not any(probe.round_trip_ns for probe in results.probes):
        reason = results.not_measured or "only one processor, or no finished round"
        lines.append(f"Round trip between the cores: not measured ({reason}).")
    return lines + _not_meant(results) + _absences(results)


def _not_meant(results: Results) -> list[str]:
    """Return who of those asked for takes no part in some of the cases, by its nature."""
    lines = []
    for name in results.contenders:
        contender = kind_of(name)
        groups = [
            group
            for group, members in results.groups.items()
            if not any(contender.takes(member.case) for member in members)
        ]
        if groups:
            lines.append(f"{name} is not made for {', '.join(groups)}.")
    return lines


def _absences(results: Results) -> list[str]:
    """Return who was left out or broke down, and why; most reasons are the same in several places."""
    absences: dict[tuple[str, str], dict[str, list[str]]] = {}
    for result in results.cases:
        for what, whom in (("left out", result.left_out), ("broke down", result.failed)):
            for name, reason in whom.items():
                absences.setdefault((what, reason), {}).setdefault(result.title, []).append(name)
    lines = []
    for (what, reason), by_title in absences.items():
        titles: dict[str, list[str]] = {}
        for title, names in by_title.items():
            titles.setdefault(", ".join(names), []).append(title)
        lines += [f"{names} {what}: {reason} ({'; '.join(where)})" for names, where in titles.items()]
    return lines


def markdown(results: Results) -> str:
    """Return the whole report in Markdown."""
    lines = ["# Benchmarks", "", *(f"- {line}" for line in describe(results)), ""]
    for group, members in results.groups.items():
        case = members[0].case
        unit = f"{case.symbol} per {case.unit}"
        lines += [f"## {group}", ""]
        if race_tables.has_rows(results, members):
            lines += [f"Medians, {unit}; in brackets, times {BASELINE}'s.", ""]
            lines += [*race_tables.as_markdown(race_tables.summary(results, members)), ""]
            lines += [*race_tables.as_markdown(race_tables.details(results, members)), ""]
        else:
            lines += ["Nobody has a time; the notes say why.", ""]
    return "\n".join([*lines, "## Notes", "", *(f"- {line}" for line in notes(results)), ""])


def show(results: Results) -> None:
    """Print the report: with rich if it is installed, else as Markdown."""
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        print(markdown(results))
        return
    # A pipe has no width; there nothing may be cut or wrapped.
    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)
    console.print("\n".join(describe(results)))
    for group, members in results.groups.items():
        headings, *rows = race_tables.details(results, members)
        if not rows:
            continue
        grid = Table(title=group)
        for index, heading in enumerate(headings):
            grid.add_column(heading, justify="left" if index < 2 else "right", no_wrap=True)
        for index, row in enumerate(rows):
            ends = index + 1 < len(rows) and rows[index + 1][0] != row[0]
            grid.add_row(*row, end_section=ends)
        console.print(grid)
    console.print("\n".join(notes(results)))


def write(results: Results, folder: Path) -> list[str]:
    """Write results.json, with every round, results.md, and the picture; return what could not be written."""
    folder.mkdir(parents=True, exist_ok=True)
    outputs.write(folder / "results.json", json.dumps(results.as_dict(), indent=1) + "\n")
    outputs.write(folder / "results.md", markdown(results))
    try:
        picture.write(results, folder)
    except ImportError as error:
        return [f"No picture: {error}"]
    return []


def in_table_order(names: set[str]) -> list[str]:
    """Return contenders in the order of the tables, another revision behind what it is a revision of."""
    order = list(CONTENDERS)
    return sorted(names, key=lambda name: (order.index(name.partition("@")[0]), "@" in name, name))
