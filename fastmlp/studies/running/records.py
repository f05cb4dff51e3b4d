"""The record of a run that is done, and the file that keeps them: a line each."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.studies.file.groups import Run, joined
from fastmlp.studies.file.measures import CURVES
from fastmlp.studies.file.study import Data

#: A line for each run that is done.
RUNS = "runs.jsonl"
#: The folder of their models.
MODELS = "models"
#: Parameters that regressors had, too, when older records were made.
_OF_REGRESSORS = {"class_weight": None, "label_smoothing": 0.0}


@dataclass(repr=False)
class Record:
    """A run that is done.

    Attributes
    ----------
    key, group, point, seed, params
        As in `Run`.
    fingerprint : str
        Of all that it depends on; a study that asks for something else runs it again.
    scores, losses : dict
        By part, "train", "validation" and "test"; None of a run that diverged in its first epoch.
    spread : float or None
        The standard deviation of the test score over batches.
    curves : dict
        By name, "loss", "val_loss", "val_score" and, where it was asked for, "score", a number an epoch; this
        is of the first 10,000 training rows.
    n_train : int
        Training rows.
    epochs : int
    best_epoch : int or None
        The one with the best validation score, counted from 1.
    seconds : float
        Spent training, what is measured between the epochs left out.
    diverged : str
        How, or nothing.
    model : str
        The file of the model, within the folder of the study; empty if there is none.
    versions : dict
        Of what made it.
    """

    key: str
    group: str
    point: str
    seed: int
    params: dict[str, Any]
    fingerprint: str
    scores: dict[str, float | None]
    losses: dict[str, float | None]
    spread: float | None
    curves: dict[str, list[float]]
    n_train: int
    epochs: int
    best_epoch: int | None
    seconds: float
    diverged: str
    model: str
    versions: dict[str, str]

    def __repr__(self) -> str:
        return f"<Record of {self.name}, seed {self.seed}, {self.epochs} epochs>"

    @property
    def name(self) -> str:
        """The group and its point, as a study file refers to them."""
        return joined(self.group, self.point)

    @property
    def ranked_by(self) -> float:
        """The validation score; the lowest of all where there is none, or it is not a number."""
        score = self.scores["validation"]
        return -np.inf if score is None or np.isnan(score) else score

    def measure(self, name: str, epoch: int | None = None) -> float | None:
        """Return one of `MEASURES`, or with an epoch one of `CURVES`; None where there is none."""
        if epoch is not None:
            curve = self.curves.get(CURVES[name], [])
            return curve[epoch - 1] if epoch <= len(curve) else None
        if name.endswith(" loss"):
            return self.losses[name.removesuffix(" loss")]
        others = {"test spread": self.spread, "best epoch": self.best_epoch}
        return self.scores[name] if name in self.scores else others.get(name, getattr(self, name, None))


class Store:
    """The runs of a study's folder that are done; `add` writes one down for good."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._lock = threading.Lock()
        self._records = {record.fingerprint: record for record in _read(folder / RUNS)}

    def get(self, fingerprint: str) -> Record | None:
        """Return the record of a run, if it is done and its model is still there."""
        record = self._records.get(fingerprint)
        if record is not None and record.model and not (self.folder / record.model).is_file():
            return None
        return record

    def add(self, record: Record) -> None:
        """Write a record down; once this returns, not even a power failure undoes it."""
        line = json.dumps(asdict(record)) + "\n"
        with self._lock, (self.folder / RUNS).open("ab") as file:
            end = file.tell()
            try:
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
            except BaseException:  # half a line would spoil the next one
                os.truncate(file.name, end)
                raise
            self._records[record.fingerprint] = record


@contextmanager
def opened(folder: str | os.PathLike[str]) -> Iterator[Store]:
    """Yield the store of a folder, which is made if it is not there; one process at a time has it.

    Raises
    ------
    ValueError
        If another process is at work there, or the folder holds a file of that name that is no list of runs.
    """
    folder = Path(folder)
    (folder / MODELS).mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(f"{folder}: another process is at work there; choose another folder.") from None
        yield Store(folder)


def _read(path: Path) -> list[Record]:
    """Return the records of a file; cut off a last line that a kill left half written."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    try:
        records = [Record(**json.loads(line)) for line in whole.splitlines()]
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: not the runs of a study ({error}); move it away to begin anew.") from None
    if len(whole) < len(content):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return records


def fingerprint(data: Data, run: Run, quick: bool, source: Record | None, defaults: dict[str, Any]) -> str:
    """Return a digest of all that a run depends on: not its name, nor what is measured beside it.

    Runs of several groups that are alike are thus done once.
    """
    described = asdict(data)
    if digest := described.pop("digest"):  # wherever the file is
        described["name"] = digest
    for name in ("sep", "decimal", "encoding"):  # older records know nothing of these
        if described[name] is None:
            del described[name]
    params = {**_OF_REGRESSORS, **defaults, **run.params}
    whole = {
        "params": params, "seed": run.seed, "train": run.train, "data": described,
        "quick": quick, "source": source and source.fingerprint,
    }  # fmt: skip
    return hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()[:16]


def points_of(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Return the records of each point, by its name."""
    points: dict[str, list[Record]] = {}
    for record in records:
        points.setdefault(record.name, []).append(record)
    return points


def mean(records: Iterable[Record], measure: str, epoch: int | None = None) -> float:
    """Return the mean of a measure, NaN where no run has it."""
    values = [record.measure(measure, epoch) for record in records]
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else np.nan


def best_of(records: Iterable[Record], resource: str | None = None) -> Record:
    """Return the first run of the point with the best mean validation score.

    A point of which a run has no score, as it diverged at once, is the worst. Of a halving search only those
    points count that had the most of its ``resource``.
    """
    records = list(records)

    def amount(record: Record) -> int:
        return record.params["max_iter"] if resource == "max_iter" else record.n_train

    if resource is not None:
        most = max(map(amount, records))
        records = [record for record in records if amount(record) == most]

    def score(runs: list[Record]) -> float:
        return float(np.mean([run.ranked_by for run in runs]))

    return max(points_of(records).values(), key=score)[0]
