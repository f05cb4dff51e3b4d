"""The tables of a study: a row for each point, means over the seeds, published figures beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fastmlp._support.files import replacing
from fastmlp._support.markdown import markdown_table
from fastmlp.studies.file.groups import split
from fastmlp.studies.file.measures import SCORES, shown
from fastmlp.studies.file.study import Difference, Figure, Table
from fastmlp.studies.running.job import slug
from fastmlp.studies.running.records import Record, mean, points_of
from fastmlp.studies.running.results import Results

#: From here on a score that is not the published one wants an explanation.
_A_POINT = 0.01


@dataclass(frozen=True)
class Gap:
    """A figure of ours that is more than a point from the published one.

    Attributes
    ----------
    table, row, measure : str
    ours, published : float
    difference : Difference or None
        The study's explanation, if it has one for this row.
    """

    table: str
    row: str
    measure: str
    ours: float
    published: float
    difference: Difference | None


def rows_of(table: Table | Figure, results: Results) -> dict[str, list[Record]]:
    """Return the runs of each row, by its name: the point alone where all are of one group."""
    # A point that stands there by itself, too, is no other.
    records = {record.key: record for reference in table.runs for record in results.of(reference)}.values()
    of_one = len({record.group for record in records}) == 1
    return {(split(name)[1] or name) if of_one else name: runs for name, runs in points_of(records).items()}


def table_frame(table: Table, results: Results) -> pd.DataFrame:
    """Return a data frame: a row for each point, a column for each of ``table.show``.

    Where a point has several seeds, a second column has their standard deviation; a third has the published
    figures, if there are any. A point whose runs diverged in their first epoch has no scores.
    """
    rows = rows_of(table, results)
    has_seeds = any(len(runs) > 1 for runs in rows.values())
    frame = pd.DataFrame({"run": list(rows)})
    for name in table.show:
        factor = table.scale.get(name, 1)
        frame[name] = [factor * mean(runs, name) for runs in rows.values()]
        if has_seeds:
            frame[f"{name} std"] = [factor * _deviation(runs, name) for runs in rows.values()]
        if name in table.published:
            frame[f"{name} published"] = [float(table.published[name].get(row, np.nan)) for row in rows]
    diverged = [sum(bool(run.diverged) for run in runs) for runs in rows.values()]
    if any(diverged):
        frame["diverged"] = diverged
    return frame


def _deviation(runs: list[Record], measure: str) -> float:
    values = [value for value in (run.measure(measure) for run in runs) if value is not None]
    return float(np.std(values, ddof=1)) if len(values) > 1 else np.nan


def readable(frame: pd.DataFrame, is_accuracy: bool) -> pd.DataFrame:
    """Return a table as people read it: accuracies in percent, deviations behind their means."""
    shown_columns: dict[str, list[str]] = {"run": list(frame["run"])}
    for name in frame.columns[1:]:
        measure = name.removesuffix(" published")
        if name.endswith(" std"):
            continue
        if name == "diverged":
            shown_columns[name] = [str(n or "") for n in frame[name]]
            continue
        cells = [shown(measure, value, is_accuracy) if np.isfinite(value) else "–" for value in frame[name]]
        if f"{name} std" in frame:
            deviations = [
                f" ± {shown(measure, value, is_accuracy).removesuffix(' %')}" if np.isfinite(value) else ""
                for value in frame[f"{name} std"]
            ]
            cells = [
                f"{cell.removesuffix(' %')}{deviation}{' %' * cell.endswith(' %')}"
                for cell, deviation in zip(cells, deviations, strict=True)
            ]
        shown_columns[name] = ["" if cell == "–" and name.endswith("published") else cell for cell in cells]
    return pd.DataFrame(shown_columns)


def gaps(results: Results) -> Iterator[Gap]:
    """Yield what is more than a point from the published figures, where it is meant to be them.

    Where several explanations name a row, the first is its.
    """
    explained: dict[str, Difference] = {}
    for one in results.study.differences:
        for name in (name for row in one.rows for name in points_of(results.of(row))):
            explained.setdefault(name, one)
    for table in (table for table in results.study.tables if not table.is_evidence):
        for row, runs in rows_of(table, results).items():
            for measure, figures in table.published.items():
                ours = table.scale.get(measure, 1) * mean(runs, measure)
                if row in figures and measure in SCORES and not abs(ours - figures[row]) <= _A_POINT:
                    yield Gap(table.title, row, measure, ours, figures[row], explained.get(runs[0].name))


def write_tables(results: Results) -> list[tuple[Table, pd.DataFrame]]:
    """Write every table as CSV and as Markdown into the folder ``tables`` of the study's; return them."""
    folder, written = results.folder / "tables", []
    folder.mkdir(parents=True, exist_ok=True)
    for i, table in enumerate(results.study.tables, 1):
        frame = table_frame(table, results)
        stem = f"{i}-{slug('-'.join(dict.fromkeys(split(one)[0] for one in table.runs)))}"[:60]
        with replacing(folder / f"{stem}.csv") as file:
            file.write(frame.to_csv(index=False).encode())
        shown = readable(frame, results.is_classifier)
        lines = markdown_table(list(shown), shown.to_numpy().tolist(), n_left=1)
        text = "\n".join([f"**{table.title}**", "", *lines, ""])
        with replacing(folder / f"{stem}.md") as file:
            file.write((text + (f"\n{table.note}\n" if table.note else "")).encode())
        written.append((table, frame))
    return written
