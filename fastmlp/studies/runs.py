"""The runs of a study: side by side on the cores, each a line in a file when done, and resumed."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from joblib import Parallel, delayed, effective_n_jobs

from fastmlp import tables
from fastmlp.config import __version__
from fastmlp.estimators import ESTIMATORS
from fastmlp.progress import SILENT, show_models_progress
from fastmlp.recipe import is_classification
from fastmlp.studies.spec import Run, Study, built_parameters

#: A line for each run that is done.
RUNS = "runs.jsonl"
# Of the epochs; `quick` takes a tenth of them, and one seed.
_QUICK = 10


@dataclass
class Record:
    """A run that is done.

    Attributes
    ----------
    key, group, point, seed, params
        As in `Run`.
    fingerprint : str
        Of all that it depends on; a study that asks for something else runs it again.
    scores : dict
        By part, "train", "validation" and "test"; None of a run that diverged in its first epoch.
    curves : dict
        By name, "loss", "val_loss" and "val_score": a number for each epoch.
    epochs : int
    seconds : float
    diverged : str
        How, or nothing.
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
    curves: dict[str, list[float]]
    epochs: int
    seconds: float
    diverged: str
    versions: dict[str, str]

    @property
    def loss(self) -> float | None:
        """The training loss of the last epoch."""
        return self.curves["loss"][-1] if self.curves["loss"] else None


def run_study(
    study: Study, out: str | os.PathLike, *, n_jobs: int | None = -1, quick: bool = False, progress=None
) -> list[Record]:
    """Run what is not done yet, and return a record of every run, in the study's order.

    Parameters
    ----------
    study : Study
    out : path-like
        The folder for ``runs.jsonl`` and ``models``; made if it is not there. What is in it counts as done
        where it is the same run of the same data.
    n_jobs : int or None, default=-1
        Runs at a time, as in joblib; each takes one core. The results do not depend on it.
    quick : bool, default=False
        One seed and a tenth of the epochs, to see whether a study works.
    progress : bool or None, default=None
        Whether to draw a progress bar; None draws one on a terminal, if rich is installed.

    Returns
    -------
    list of Record
    """
    out = Path(out)
    (out / "models").mkdir(parents=True, exist_ok=True)
    runs = [run for run in study.runs() if run.seed == 0 or not quick]
    done = {record.fingerprint: record for record in read_records(out / RUNS)}
    fingerprints = {run.key: _fingerprint(study, run, quick) for run in runs}
    missing = [run for run in runs if fingerprints[run.key] not in done]
    if missing:
        for record in _run_all(study, missing, fingerprints, out, n_jobs, quick, progress):
            done[record.fingerprint] = record
    return [done[fingerprints[run.key]] for run in runs]


def read_records(path: Path) -> list[Record]:
    """Return the records of a file; cut off a last line that a kill left half written."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    try:
        return [Record(**json.loads(line)) for line in whole.splitlines()]
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: not the runs of a study ({error}); move it away to begin anew.") from None


def _fingerprint(study: Study, run: Run, quick: bool) -> str:
    """Return a digest of all that a run depends on."""
    whole = {"data": asdict(study.data), "params": run.params, "seed": run.seed, "quick": quick}
    text = json.dumps([run.key, whole], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _run_all(study, runs, fingerprints, out, n_jobs, quick, progress) -> Iterator[Record]:
    """Yield each record as its run ends, once it is in the file."""
    data = study.data
    split = tables.load_split(data.name, data.target, data.validation, data.test, data.seed)
    classify = data.estimator == "MLPClassifier" if data.estimator else is_classification(split.y_train)
    estimator = ESTIMATORS["MLPClassifier" if classify else "MLPRegressor"]
    n_jobs = max(1, min(effective_n_jobs(n_jobs), len(runs)))
    stop = threading.Event()

    def fit(run):
        params = built_parameters(run.params)
        if quick:
            params["max_iter"] = max(1, params.get("max_iter", estimator().max_iter) // _QUICK)
        if n_jobs > 1:
            params.setdefault("n_threads", 1)
        model = estimator(**params, random_state=run.seed, callbacks=[lambda event: stop.is_set()])
        return run, model, _fit(model, split)

    with (
        (out / RUNS).open("a", encoding="utf-8") as file,
        show_models_progress(progress, len(runs)) as bar,
    ):
        pool = Parallel(n_jobs, require="sharedmem", return_as="generator_unordered")
        try:
            for run, model, seconds in pool(delayed(fit)(run) for run in runs):
                record = _record(run, fingerprints[run.key], model, split, seconds)
                if record.epochs:
                    model.save(out / "models" / f"{record.fingerprint}.safetensors")
                file.write(json.dumps(asdict(record)) + "\n")
                file.flush()
                os.fsync(file.fileno())
                bar.advance(1, done=True)
                yield record
        finally:
            stop.set()  # after Ctrl-C or an error, what still runs ends with its epoch


def _fit(model, split) -> float:
    """Fit without a word: the record says how a run ended. Return the seconds.

    Not by ``fit``, which takes Ctrl-C for the end of the training: a run that is broken off is not done.
    """
    begun = time.perf_counter()
    model._check_params()
    data = model._begin(split.X_train, split.y_train, None, split.X_val, split.y_val)
    model._train(data, model.max_iter, SILENT)
    return time.perf_counter() - begun


def _record(run, fingerprint, model, split, seconds) -> Record:
    parts = {
        "train": (split.X_train, split.y_train),
        "validation": (split.X_val, split.y_val),
        "test": (split.X_test, split.y_test),
    }
    history = model._trainer.history
    return Record(
        run.key,
        run.group,
        run.point,
        run.seed,
        run.params,
        fingerprint,
        {name: float(model.score(*part)) if model.n_iter_ else None for name, part in parts.items()},
        {"loss": history.loss, "val_loss": history.val_loss, "val_score": history.val_score},
        model.n_iter_,
        round(seconds, 4),
        model._trainer.divergence,
        {
            "fastmlp": __version__, "scikit-learn": sklearn.__version__, "numpy": np.__version__,
            "python": platform.python_version(),
        },
    )  # fmt: skip
