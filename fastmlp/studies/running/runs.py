"""The runs of a study: side by side on the cores, each a line in a file when done, and resumed."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed, effective_n_jobs, parallel_config

from fastmlp._support.progress import Reporter, say, show_models_progress
from fastmlp.estimators.inspection import check_parameters
from fastmlp.studies.file.groups import Group, Run, split
from fastmlp.studies.file.parameters import built_parameters
from fastmlp.studies.file.schema import nearest
from fastmlp.studies.file.study import Study
from fastmlp.studies.running.halving import search_by_halving
from fastmlp.studies.running.job import Job, do, do_alone, kept_epochs, only_interrupts, weights_file
from fastmlp.studies.running.records import Record, Store, best_of, fingerprint, opened
from fastmlp.studies.running.results import Results
from fastmlp.studies.running.study_data import chosen_estimator, estimator_of, identified, load_data
from fastmlp.tabular.reading import BUILT_IN

#: Backends of joblib whose jobs share this process's memory.
_THREADS = ("threading", "sequential")


def run_study(
    study: Study,
    out: str | os.PathLike[str],
    *,
    n_jobs: int | None = -1,
    backend: str = "threading",
    quick: bool = False,
    progress: bool | None = None,
) -> Results:
    """Run what is not done yet of a study, and return the results of all of it.

    Parameters
    ----------
    study : Study
    out : path-like
        The folder for ``runs.jsonl`` and ``models``; made if it is not there. What is in it counts as done
        where it is the same run of the same data.
    n_jobs : int or None, default=-1
        Runs at a time, as in joblib; each takes one core. The results do not depend on it.
    backend : str, default="threading"
        Of joblib. Threads share the data; processes of "loky", or those that a registered backend has
        elsewhere, load them once each, and must see the same folders.
    quick : bool, default=False
        One seed and a tenth of the training and validation rows, to see whether a study works.
    progress : bool or None, default=None
        Whether to draw a progress bar; None draws one on a terminal, if rich is installed.

    Returns
    -------
    Results

    Raises
    ------
    ValueError
        If the folder holds something else, another process is at work there, or the data do not go with the
        study; what was done until then is kept.
    """
    if n_jobs == 0:
        raise ValueError("n_jobs=0 must be the number of runs at a time, or -1 for all cores.")
    study = replace(study, data=identified(study.data))
    with opened(out) as store, show_models_progress(progress, _n_runs(study, quick)) as reporter:
        if study.data.estimator is None and study.data.name not in BUILT_IN:
            say(chosen_estimator(load_data(study.data, quick)), progress)
        records = _Work(study, store, n_jobs, backend, quick, reporter).all()
    return Results(study, Path(out), records, quick)


def _n_runs(study: Study, quick: bool) -> int:
    """Return how many runs there are; those of a halving search, which decides that itself, count as one."""
    groups = study.groups.values()
    return sum(max(1, len(list(group.points()))) * (1 if quick else group.seeds) for group in groups)


class _Work:
    """The runs of a study on their way into its store."""

    def __init__(
        self, study: Study, store: Store, n_jobs: int | None, backend: str, quick: bool, reporter: Reporter
    ):
        self._study, self._store, self._quick, self._reporter = study, store, quick, reporter
        self._backend = backend
        with parallel_config(backend, n_jobs=n_jobs):  # a wrong one is refused before anything runs
            self._n_jobs = effective_n_jobs(n_jobs)
        self._records: dict[str, list[Record]] = {}

    def all(self) -> list[Record]:
        """Do what is not done, and return the records in the study's order."""
        self._check()
        with only_interrupts():
            for wave in self._study.waves():
                runs = {group.name: self._runs(group) for group in wave}
                done = self._do([run for of_group in runs.values() for run in of_group])
                for group in wave:
                    if group.is_open:
                        self._records[group.name] = self._search(group)
                    else:
                        self._records[group.name] = [done[run.key] for run in runs[group.name]]
        return [record for name in self._study.groups for record in self._records[name]]

    def _check(self) -> None:
        """Refuse parameters that the estimator of these data does not take, before anything runs."""
        data = self._study.data
        split = load_data(data, self._quick)
        for note in split.notes:
            warnings.warn(note, stacklevel=5)
        estimator = estimator_of(split)
        self._defaults = estimator().get_params()
        for run in (run for group in self._study.groups.values() for run in self._study.runs_of(group)):
            try:
                check_parameters(estimator(**built_parameters(run.params)))
            except (TypeError, ValueError) as error:
                raise ValueError(f"runs.{run.group}: {error}") from None

    def _runs(self, group: Group) -> list[Run]:
        runs = self._study.runs_of(group, self._params_before(group))
        return [run for run in runs if run.seed == 0 or not self._quick]

    def _params_before(self, group: Group) -> dict[str, Any] | None:
        """Return the parameters that a group takes from one that is done."""
        if group.continues:
            return self._sources(group, group.continues)[0].params
        if not group.best_of:
            return None
        of, point = split(group.best_of)
        resource = None if point else self._study.groups[of].resource
        return best_of(self._sources(group, group.best_of), resource).params

    def _sources(self, group: Group, reference: str) -> list[Record]:
        """Return the records that a group waited for."""
        of, point = split(reference)
        found = [record for record in self._records[of] if not point or record.point == point]
        if not found:  # the points of a halving search are known only now
            known = [record.point for record in self._records[of]]
            raise ValueError(f"runs.{group.name}: {of!r} has no point {point!r}; {nearest(point, known)}")
        return found

    def _job(self, run: Run) -> Job:
        source, lost = None, ""
        if run.continues:
            sources = self._sources(self._study.groups[run.group], run.continues)
            source = next((record for record in sources if record.seed == run.seed), sources[0])
            if not source.model:
                lost = f"{source.key} has no model to go on from: {source.diverged}"
        data, quick = self._study.data, self._quick
        return Job(
            data, run, fingerprint(data, run, quick, source, self._defaults), self._store.folder, quick,
            1 if self._n_jobs > 1 else None, source.model if source else "", lost,
        )  # fmt: skip

    def _do(self, runs: list[Run]) -> dict[str, Record]:
        """Return a record of each run, by its key; those that are alike are done once."""
        jobs = {run.key: self._job(run) for run in runs}
        alike: dict[str, Job] = {}
        for job in jobs.values():
            known = alike.get(job.fingerprint)
            alike[job.fingerprint] = job if known is None else known.also_for(job.run)
        missing = [job for job in alike.values() if not self._is_done(job)]
        self._reporter.advance(len(jobs) - len(missing))
        for record in self._did(missing):
            self._store.add(record)
        return {key: self._known(job) for key, job in jobs.items()}

    def _is_done(self, job: Job) -> bool:
        """Return whether a run is done, and all that is asked of it was measured."""
        record = self._store.get(job.fingerprint)
        if record is None or (job.run.wants_train_score and record.epochs and "score" not in record.curves):
            return False
        wanted = {epoch for epoch in job.run.snapshots if epoch <= record.epochs}
        return not record.model or wanted <= kept_epochs(self._store.folder / weights_file(record.model))

    def _known(self, job: Job) -> Record:
        """Return the record of a run that is done, with its own name and its group's parameters."""
        record, run = self._store.get(job.fingerprint), job.run
        assert record is not None
        return replace(record, key=run.key, group=run.group, point=run.point, params=run.params)

    def _did(self, jobs: list[Job]) -> Iterator[Record]:
        """Do jobs side by side; yield each record as its run ends."""
        if not jobs:
            return
        n_jobs = min(self._n_jobs, len(jobs))
        if self._backend in _THREADS:
            pool = Parallel(n_jobs, backend=self._backend, return_as="generator_unordered")
            stop = threading.Event()
            try:
                for record in pool(delayed(self._with_progress)(job, stop) for job in jobs):
                    if record is not None:
                        yield record
            finally:
                stop.set()  # after Ctrl-C or an error, what still runs ends with its epoch
        else:
            for record in _elsewhere(jobs, n_jobs, self._backend):
                self._reporter.advance(1, done=True)
                yield record

    def _with_progress(self, job: Job, stop: threading.Event | None = None) -> Record | None:
        """Do a job, which reports every epoch."""
        reporter = self._reporter.part({**self._defaults, **job.run.params}["max_iter"], 1)
        record = do(job, stop, reporter)
        reporter.finish(None if record is None else record.scores["validation"])
        return record

    def _search(self, group: Group) -> list[Record]:
        """Do a halving search, by threads."""
        data, stop = load_data(self._study.data, self._quick), threading.Event()

        def run(one: Run) -> Record:
            job = self._job(self._study.watched(one))
            if not self._is_done(job):
                record = do(job, stop)
                if record is None:
                    raise InterruptedError(f"{one.key}: the search was broken off.")
                self._store.add(record)
            return self._known(job)

        params = self._study.common_params(group, self._params_before(group))
        try:
            found = search_by_halving(group, params, len(data.y_train), self._n_jobs, run)
        finally:
            stop.set()  # after Ctrl-C or an error, what still runs ends with its epoch
        self._reporter.advance(1, done=True)
        return found


def _elsewhere(jobs: list[Job], n_jobs: int, backend: str) -> Iterator[Record]:
    """Do jobs in other processes; yield each record as its run ends, or as a few do."""
    try:
        pool = Parallel(n_jobs, backend=backend, batch_size=1, return_as="generator_unordered")
    except (ValueError, NotImplementedError):  # a backend that returns only when all is done
        for i in range(0, len(jobs), n_jobs):
            yield from Parallel(n_jobs, backend=backend)(
                delayed(do_alone)(job) for job in jobs[i : i + n_jobs]
            )
    else:
        yield from pool(delayed(do_alone)(job) for job in jobs)
