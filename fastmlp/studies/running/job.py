"""One run of a study, from its parameters to its record: what the workers do."""

from __future__ import annotations

import platform
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import sklearn
from safetensors.numpy import save

from fastmlp._support.files import replacing
from fastmlp._support.progress import SILENT, Reporter
from fastmlp.callbacks import EpochEnd
from fastmlp.environment import __version__
from fastmlp.estimators.inspection import untrained, with_model
from fastmlp.estimators.loading import load
from fastmlp.formats.model import FittedModel
from fastmlp.network.network import Network
from fastmlp.studies.file.groups import Run
from fastmlp.studies.file.parameters import built_parameters
from fastmlp.studies.file.study import Data
from fastmlp.studies.running.records import MODELS, Record
from fastmlp.studies.running.study_data import estimator_of, load_data
from fastmlp.tabular.reading import Split

#: So many of the first training rows are scored after an epoch, where that is asked for: all of 50,000 would
#: take as long as half of the training.
TRAIN_SCORED = 10_000
#: The test rows over whose scores a record has the spread.
_SPREAD_BATCH = 256


@dataclass(frozen=True)
class Job:
    """A run, and all that a process needs to do it.

    Attributes
    ----------
    data : Data
    run : Run
    fingerprint : str
    folder : Path
        Of the study.
    quick : bool
    n_threads : int or None
        Of the run.
    source : str
        The model to continue from, a file within the folder; empty for a new one.
    lost : str
        Why the model to continue from is missing; empty if it is not.
    """

    data: Data
    run: Run
    fingerprint: str
    folder: Path
    quick: bool
    n_threads: int | None
    source: str = ""
    lost: str = ""

    def also_for(self, run: Run) -> Job:
        """Return this job with what another run, which is like its own, asks for beside it."""
        wants = self.run.wants_train_score or run.wants_train_score
        snapshots = tuple(sorted({*self.run.snapshots, *run.snapshots}))
        return replace(self, run=replace(self.run, wants_train_score=wants, snapshots=snapshots))

    @property
    def stem(self) -> str:
        """The name of its files."""
        return f"{slug(self.run.key)[:80]}-{self.fingerprint[:8]}"


def slug(name: str) -> str:
    """Return a name as files may have it everywhere."""
    return re.sub(r"[^\w.=-]+", "-", name, flags=re.ASCII).strip("-")


def do(job: Job, stop: threading.Event | None = None, reporter: Reporter = SILENT) -> Record | None:
    """Train the model of a run, write it to its file, and return the record; None if ``stop`` was set.

    Parameters
    ----------
    job : Job
    stop : Event, optional
        Ends the training with its epoch.
    reporter : Reporter, default=SILENT
        Of the run's epochs.

    Raises
    ------
    ValueError
        If the parameters do not go with the data, or with the model that is to be trained on.
    """
    if job.lost:
        return _lost(job)
    try:
        return _done(job, stop, reporter)
    except UserWarning as warning:  # see `only_interrupts`
        raise KeyboardInterrupt from warning
    except (TypeError, ValueError) as error:
        raise ValueError(f"{job.run.key}: {error}") from error


def do_alone(job: Job) -> Record | None:
    """Train the model of a run as `do` does, in a process that does nothing else meanwhile."""
    with only_interrupts():
        return do(job)


@contextmanager
def only_interrupts() -> Iterator[None]:
    """Hide what fits warn of, which the records say, but raise what they warn of after Ctrl-C.

    A `fit` takes Ctrl-C for the end of the training, and that must end the study. Warnings are filtered in
    the whole process: the threads that train belong within it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", "Training interrupted by user", UserWarning)
        yield


def _lost(job: Job) -> Record:
    """Return the record of a run that could not even begin."""
    run = job.run
    nothing: dict[str, float | None] = dict.fromkeys(("train", "validation", "test"))
    return Record(
        key=run.key, group=run.group, point=run.point, seed=run.seed, params=run.params,
        fingerprint=job.fingerprint, scores=nothing, losses=nothing, spread=None, curves={}, n_train=0,
        epochs=0, best_epoch=None, seconds=0.0, diverged=job.lost, model="", versions={},
    )  # fmt: skip


def _done(job: Job, stop: threading.Event | None, reporter: Reporter) -> Record | None:
    run, split = job.run, load_data(job.data, job.quick)
    n = run.train
    X, y = split.X_train[:n], split.y_train[:n]
    model = _model(job, split)
    watch = _Watch(run, model, (X, y), stop, reporter)
    model.set_params(callbacks=[watch])
    try:
        model.fit(X, y, None, *_validation(split))
    except ValueError:
        if not _has_diverged(model):
            raise
    if stop is not None and stop.is_set():
        return None
    model.set_params(callbacks=())
    file = ""
    if model.n_iter_:
        file = f"{MODELS}/{job.stem}.safetensors"
        model.save(job.folder / file)
        if watch.weights:
            with replacing(job.folder / weights_file(file)) as opened:
                opened.write(save(watch.weights))
    return _record(job, model, watch, split, (X, y), file)


def _has_diverged(model: Any) -> bool:
    """Return whether a fit has ended in its first epoch; what fails before leaves a model as it was."""
    return hasattr(model, "history_") and model.history_.diverged


def _validation(split: Split) -> tuple[Any, Any]:
    """Return the validation data as `fit` takes them: None without any."""
    return (split.X_val, split.y_val) if len(split.y_val) else (None, None)


def weights_file(model: str) -> str:
    """Return the file of the first layer's weights over the training, by that of the model."""
    return model.replace(".safetensors", "-weights.safetensors")


def kept_epochs(path: Path) -> set[int]:
    """Return the epochs whose weights a file has; none if there is no such file, or not a whole one."""
    if not path.is_file():
        return set()
    try:
        with safetensors.safe_open(path, "np") as file:
            return {int(epoch) for epoch in file.keys()}  # noqa: SIM118  not a dict
    except safetensors.SafetensorError:
        return set()


def load_weights(path: Path) -> dict[int, np.ndarray]:
    """Return the first layer's weights, by the epoch after which they were kept."""
    with safetensors.safe_open(path, "np") as file:
        return {int(epoch): file.get_tensor(epoch) for epoch in file.keys()}  # noqa: SIM118  not a dict


def _model(job: Job, split: Split) -> Any:
    """Return the estimator of a run: a new one, or that of another run to continue from."""
    params = built_parameters(job.run.params)
    if job.n_threads is not None:
        params.setdefault("n_threads", job.n_threads)
    if not job.source:
        return estimator_of(split)(**params, random_state=job.run.seed)
    model = load(job.folder / job.source)
    return model.set_params(**params, random_state=job.run.seed, warm_start=True)


class _Watch:
    """What is kept of each epoch beside the history; a callback of the run.

    Parameters
    ----------
    run : Run
    model : MLPClassifier or MLPRegressor
        Before it is fitted, or as it was loaded.
    train : tuple of X and y
    stop : Event or None
    reporter : Reporter
    """

    def __init__(
        self, run: Run, model: Any, train: tuple[Any, Any], stop: threading.Event | None, reporter: Reporter
    ):
        X, y = train
        self._run, self._model, self._stop, self._reporter = run, model, stop, reporter
        self._X, self._y = X[:TRAIN_SCORED], y[:TRAIN_SCORED]
        is_loaded, is_asked_for = hasattr(model, "model_"), run.wants_train_score or 0 in run.snapshots
        self.before = len(model.history_.loss) if is_loaded else 0
        self.train_scores: list[float] = []
        self.weights: dict[str, np.ndarray] = {}
        self._start: FittedModel | None = None
        if is_asked_for:
            self._start = model.model_ if is_loaded else untrained(model, X, y)
            self._keep(0, self._start.network)

    def __call__(self, event: EpochEnd) -> bool:
        """Measure, and return whether to stop."""
        epoch = event.epoch - self.before
        if self._run.wants_train_score and self._start is not None:
            scored = with_model(self._model, replace(self._start, network=event.network))
            self.train_scores.append(scored.evaluate(self._X, self._y)[1])
        self._keep(epoch, event.network)
        self._reporter.update(epoch, 0, event.loss, event.val_score)
        return self._stop is not None and self._stop.is_set()

    def _keep(self, epoch: int, network: Network) -> None:
        if epoch in self._run.snapshots:
            self.weights[str(epoch)] = np.ascontiguousarray(network.coefs_[0], dtype=np.float32)


def _record(job: Job, model: Any, watch: _Watch, split: Split, train: tuple[Any, Any], file: str) -> Record:
    parts = {"train": train, "validation": (split.X_val, split.y_val), "test": (split.X_test, split.y_test)}
    # Neither a loss nor a score of what diverged in its first epoch, or of a part without rows.
    measured: dict[str, tuple[float | None, float | None]] = {
        name: model.evaluate(*part) if model.n_iter_ and len(part[1]) else (None, None)
        for name, part in parts.items()
    }
    history, before, run = model.history_, watch.before, job.run
    val_score = history.val_score[before:]
    return Record(
        key=run.key,
        group=run.group,
        point=run.point,
        seed=run.seed,
        params=run.params,
        fingerprint=job.fingerprint,
        scores={name: score for name, (_, score) in measured.items()},
        losses={name: loss for name, (loss, _) in measured.items()},
        spread=_spread(model, split.X_test, split.y_test) if model.n_iter_ else None,
        curves={
            "loss": history.loss[before:], "val_loss": history.val_loss[before:], "val_score": val_score,
            **({"score": watch.train_scores} if watch.train_scores else {}),
        },
        n_train=len(train[1]),
        epochs=model.n_iter_,
        best_epoch=int(np.nanargmax(val_score)) + 1 if np.isfinite(val_score).any() else None,
        seconds=round(float(np.sum(history.seconds)), 4),
        diverged=model.model_.record.divergence,
        model=file,
        versions={
            "fastmlp": __version__, "scikit-learn": sklearn.__version__, "numpy": np.__version__,
            "python": platform.python_version(), "engine": model.network_.engine_in_use,
        },
    )  # fmt: skip


def _spread(model: Any, X: Any, y: np.ndarray) -> float | None:
    """Return the standard deviation of the score over whole batches of the rows."""
    n_batches = len(y) // _SPREAD_BATCH
    if n_batches < 2:
        return None
    batches = [slice(i * _SPREAD_BATCH, (i + 1) * _SPREAD_BATCH) for i in range(n_batches)]
    return float(np.std([model.evaluate(X[rows], y[rows])[1] for rows in batches], ddof=1))
