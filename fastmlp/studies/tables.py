"""The tables of a study: a row for each point of a grid, means over the seeds, published figures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from fastmlp.storage import replacing
from fastmlp.studies.runs import Record
from fastmlp.studies.spec import Study, Table


def table_frame(table: Table, records: Iterable[Record]) -> pd.DataFrame:
    """Return a data frame: a row for each point, a column for each of ``table.show``.

    Where a point has several seeds, a second column has their standard deviation. A point whose run diverged
    in its first epoch has no scores.
    """
    of_points: dict[str, list[Record]] = {}
    for record in records:
        if record.group == table.runs:
            of_points.setdefault(record.point or record.group, []).append(record)
    rows = []
    for point, runs in of_points.items():
        row: dict[str, object] = {"run": point}
        for name in table.show:
            values = [value for value in (_value(run, name) for run in runs) if value is not None]
            row[name] = np.mean(values) if values else np.nan
            if len(runs) > 1:
                row[f"{name} std"] = np.std(values, ddof=1) if len(values) > 1 else np.nan
        if table.published:
            row["published"] = table.published.get(point, np.nan)
        if any(run.diverged for run in runs):
            row["diverged"] = sum(bool(run.diverged) for run in runs)
        rows.append(row)
    return pd.DataFrame(rows)


def _value(record: Record, name: str) -> float | None:
    return record.scores[name] if name in record.scores else getattr(record, name)


def write_tables(study: Study, records: Iterable[Record], out: Path) -> list[tuple[Table, pd.DataFrame]]:
    """Write every table as CSV into the folder ``tables`` of ``out``; return them."""
    folder, records, written = Path(out) / "tables", list(records), []
    folder.mkdir(parents=True, exist_ok=True)
    for i, table in enumerate(study.tables, 1):
        frame = table_frame(table, records)
        with replacing(folder / f"{i}-{table.runs}.csv") as file:
            frame.to_csv(file, index=False)
        written.append((table, frame))
    return written
