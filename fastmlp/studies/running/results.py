"""What a study has come to: its records, and on demand the models, the weights and the data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.estimators.classifier import MLPClassifier
from fastmlp.estimators.inspection import untrained
from fastmlp.estimators.loading import load
from fastmlp.studies.file.groups import split
from fastmlp.studies.file.parameters import built_parameters
from fastmlp.studies.file.study import Study
from fastmlp.studies.running.job import load_weights, weights_file
from fastmlp.studies.running.records import Record, best_of
from fastmlp.studies.running.study_data import estimator_of, load_data
from fastmlp.tabular.reading import Split
from fastmlp.training.gradient_check import GradientCheck, gradient_check


@dataclass(repr=False)
class Results:
    """The results of a study.

    Attributes
    ----------
    study : Study
    folder : Path
        Where its files are.
    records : list of Record
        Of all runs, in the study's order.
    quick : bool
        Whether only a small part was run.
    """

    study: Study
    folder: Path
    records: list[Record]
    quick: bool = False

    def __repr__(self) -> str:
        return f"<Results of {self.study.name}: {len(self.records)} runs>"

    def of(self, reference: str) -> list[Record]:
        """Return the records of a group, or of a point of it."""
        group, point = split(reference)
        return [
            record
            for record in self.records
            if record.group == group and (not point or record.point == point)
        ]

    def best(self, reference: str) -> Record:
        """Return the first run of a group's best point on validation data, or of the point that is named."""
        group, point = split(reference)
        return best_of(self.of(reference), None if point else self.study.groups[group].resource)

    def model(self, record: Record) -> Any:
        """Return the fitted model of a run.

        Raises
        ------
        ValueError
            If there is none, as the run diverged in its first epoch.
        """
        if not record.model:
            raise ValueError(f"{record.key} has no model: {record.diverged}")
        return load(self.folder / record.model)

    def weights(self, record: Record) -> dict[int, np.ndarray]:
        """Return the first layer's weights of a run by epoch, as far as a figure asked for them."""
        path = self.folder / weights_file(record.model)
        return load_weights(path) if record.model and path.is_file() else {}

    @property
    def data(self) -> Split:
        """The training, validation and test part."""
        return load_data(self.study.data, self.quick)

    @cached_property
    def is_classifier(self) -> bool:
        """Whether the scores are accuracies."""
        return estimator_of(self.data) is MLPClassifier

    @cached_property
    def gradient_check(self) -> GradientCheck:
        """Backpropagation beside central differences, before the first step of a run."""
        wanted = self.study.gradient_check
        assert wanted is not None
        run = self.of(wanted.of)[0]
        X, y = np.asarray(self.data.X_train)[: run.n_train], self.data.y_train[: run.n_train]
        n = wanted.samples_per_class
        rows = np.arange(min(n, len(y)))
        if self.is_classifier and y.ndim == 1:
            rows = np.concatenate([np.flatnonzero(y == one)[:n] for one in np.unique(y)])
        model = estimator_of(self.data)(**built_parameters(run.params), random_state=0)
        start = untrained(model, X, y)
        return gradient_check(
            start.network, X[rows], start.loss_targets(start.targets.encode(y[rows])), start.loss,
            epsilons=wanted.epsilons, parameters=wanted.parameters or None,
        )  # fmt: skip

    @cached_property
    def gradient_order(self) -> float:
        """The order of the error of the differences in epsilon, as the slope over all epsilons."""
        check = self.gradient_check
        if len(set(check.epsilons)) < 2:
            return np.nan
        return float(np.polyfit(np.log(check.epsilons), np.log(check.largest_differences), 1)[0])
