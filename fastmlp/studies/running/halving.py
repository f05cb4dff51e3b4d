"""Successive halving, by scikit-learn's search: many points with few epochs or samples, few with many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from joblib import parallel_config
from sklearn.base import BaseEstimator
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  what makes the next import work
from sklearn.model_selection import HalvingRandomSearchCV

from fastmlp.studies.file.groups import Group, Run, labelled
from fastmlp.studies.running.records import Record


class _Candidate(BaseEstimator):
    """What scikit-learn takes for an estimator: its fit is a run of the study, its score that run's.

    The data that it sees are the numbers of the rows.
    """

    def __init__(self, run: Callable[[dict[str, Any], int], Record] | None = None, **params: Any):
        self.run, self.params = run, params

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of the run."""
        return {"run": self.run, **self.params}

    def set_params(self, **params: Any) -> _Candidate:
        """Set parameters of the run."""
        self.run = params.pop("run", self.run)
        self.params |= params
        return self

    def fit(self, rows: np.ndarray, _: np.ndarray) -> _Candidate:
        """Run it, with so many training rows."""
        assert self.run is not None
        self.record_ = self.run(self.params, len(rows))
        return self

    def score(self, rows: np.ndarray, _: np.ndarray) -> float:
        """Return the validation score; of a run that has none the lowest."""
        return self.record_.ranked_by


def search_by_halving(
    group: Group, params: dict[str, Any], n_train: int, n_jobs: int, run: Callable[[Run], Record]
) -> list[Record]:
    """Run a halving search; return its records, those with the most of the resource last.

    Parameters
    ----------
    group : Group
        With a search of this kind.
    params : dict
        What all its points have in common.
    n_train : int
        The number of training rows.
    n_jobs : int
        Runs at a time, by threads.
    run : callable
        Does a run, or knows its record.
    """
    search = group.search
    assert search is not None
    over = search.distributions()
    records: dict[str, Record] = {}
    is_rows = search.resource == "n_samples"

    def candidate(own: dict[str, Any], n_rows: int) -> Record:
        point = {name: own[name] for name in over}
        amount = n_rows if is_rows else int(own["max_iter"])
        with_epochs = {**params, **point} if is_rows else {**params, **point, "max_iter": amount}
        name = labelled({**point, search.resource: amount})
        record = run(Run(group.name, name, 0, with_epochs, n_rows if is_rows else None))
        records[name] = record
        return record

    first = {name: params.get(name) for name in [*over, "max_iter"]}
    largest = min(search.largest or n_train, n_train) if is_rows else search.largest or params["max_iter"]
    smallest = min(search.smallest, largest)  # of a quick try there may be fewer rows
    rows = np.arange(n_train)  # for both parts of the one split: the runs know their validation data
    halving = HalvingRandomSearchCV(
        _Candidate(candidate, **first), over, n_candidates=search.n, factor=search.factor,
        resource=search.resource, min_resources=smallest, max_resources=largest,
        cv=[(rows, rows)], random_state=search.seed, refit=False, n_jobs=n_jobs, error_score="raise",
    )  # fmt: skip
    with parallel_config(backend="threading"):
        halving.fit(rows[:, None], np.zeros(n_train))
    return sorted(records.values(), key=lambda record: _order(record, search.resource))


def _order(record: Record, resource: str) -> tuple[float, float, str]:
    amount = record.params["max_iter"] if resource == "max_iter" else record.n_train
    return amount, record.ranked_by, record.point
