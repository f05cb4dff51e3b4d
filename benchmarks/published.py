"""Results that were published: read back from their file, and held against a new measurement."""

from __future__ import annotations

import json
from math import isclose
from pathlib import Path
from typing import Any

from benchmarks.contenders import BASELINE
from benchmarks.kinds import from_dict
from benchmarks.machine import Probe
from benchmarks.race_tables import Table
from benchmarks.results import CaseResult, Results, Round

#: A ratio this near to 1, on either side, is a draw.
DRAW = 0.05

#: What the file adds to a case's own fields.
_DERIVED = ("name", "group", "unit", "n_units", "flops")


def read(path: Path) -> Results:
    """Return the results in a file that `report.write` wrote.

    Raises
    ------
    ValueError
        If the file is not such a file, or if its rows are not what its rounds come to.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        results = Results(
            **{
                name: content[name]
                for name in ("started", "processor", "contenders", "not_measured", "versions")
            },
            cases=[_case_result(entry) for entry in content["cases"]],
        )
        published = [entry["rows"] for entry in content["cases"]]
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no results.json of this runner: {error!r}") from error
    for result, rows, entry in zip(results.cases, published, results.as_dict()["cases"], strict=True):
        if not _same(rows, entry["rows"]):
            raise ValueError(f"{path}: the rows of {result.title} do not follow from its rounds.")
    return results


def _case_result(entry: dict[str, Any]) -> CaseResult:
    case = {name: value for name, value in entry["case"].items() if name not in _DERIVED}
    fields = ("threads", "left_out", "failed", "first_seconds", "other_load")
    return CaseResult(
        from_dict(case),
        rounds=[
            Round(one["seconds"], Probe(**one["before"]), Probe(**one["after"]), one["unfinished"])
            for one in entry["rounds"]
        ],
        **{name: entry[name] for name in fields},
    )


def _same(one: Any, other: Any) -> bool:
    """Return whether two values of JSON are equal, numbers to rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return one == other


def n_rounds(results: Results) -> int:
    """Return how many rounds the longest case has."""
    return max((len(result.rounds) for result in results.cases), default=0)


def winner(ratio: float) -> str:
    """Return who wins, where the other's time is this many times the baseline's."""
    if abs(ratio - 1) <= DRAW:
        return "draw"
    return BASELINE if ratio > 1 else "the other"


def compare(published: Results, measured: Results) -> tuple[Table, int]:
    """Return a table of both runs' ratios, and how many of them have another winner now.

    A draw, then or now, contradicts nobody. Rows that only one of the two has are in the table as well.
    """
    lines: Table = [("case", "threads", "contender", "published", "here", "")]
    then, now = _ratios(published), _ratios(measured)
    n_other = 0
    for key in then | now:
        name, threads, contender = key
        verdict = "only published" if key in then else "only here"
        if key in then and key in now:
            winners = {winner(then[key]), winner(now[key])} - {"draw"}
            verdict = "another winner" if len(winners) > 1 else "confirmed"
            n_other += len(winners) > 1
        ratios = [f"{ratios[key]:.2f}" if key in ratios else "" for ratios in (then, now)]
        lines.append((name, str(threads), contender, *ratios, verdict))
    return lines, n_other


def _ratios(results: Results) -> dict[tuple[str, int, str], float]:
    """Return time / baseline of everybody else."""
    return {
        (result.case.name, result.threads, row.contender): row.ratio
        for result in results.cases
        for row in results.rows(result)
        if row.ratio is not None and row.contender != BASELINE
    }
