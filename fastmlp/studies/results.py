"""What a study has come to: its records, and on demand the models, the weights and the data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp
from fastmlp.estimators import MLPClassifier
from fastmlp.gradients import GradientCheck, gradient_check
from fastmlp.studies.building import built_parameters
from fastmlp.studies.job import estimator_of, load_data, load_weights, weights_file
from fastmlp.studies.records import Record
from fastmlp.studies.spec import Study, split
from fastmlp.tables import Split


@dataclass
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

    def of(self, reference: str) -> list[Record]:
        """Return the records of a group, or of a point of it."""
        group, point = split(reference)
        return [
            record
            for record in self.records
            if record.group == group and (not point or record.point == point)
        ]

    def model(self, record: Record) -> Any:
        """Return the fitted model of a run.

        Raises
        ------
        ValueError
            If there is none, as the run diverged in its first epoch.
        """
        if not record.model:
            raise ValueError(f"{record.key} has no model: {record.diverged}")
        return fastmlp.load(self.folder / record.model)

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
        return estimator_of(self.study.data, self.data) is MLPClassifier

    @cached_property
    def gradient_check(self) -> GradientCheck:
        """Backpropagation beside central differences, before the first step of a run."""
        wanted = self.study.gradient_check
        assert wanted is not None
        X, y = self.data.X_train, self.data.y_train
        rows = np.concatenate([np.flatnonzero(y == one)[: wanted.samples_per_class] for one in np.unique(y)])
        model = MLPClassifier(**built_parameters(self.of(wanted.of)[0].params), random_state=0)
        model._check_params()
        model._begin(X, y, None, None, None)
        return gradient_check(
            model.network_, X[rows], model._targets_of(model._encode(y[rows])), model._loss,
            epsilons=wanted.epsilons, parameters=wanted.parameters or None,
        )  # fmt: skip

    @cached_property
    def gradient_order(self) -> float:
        """The order of the error of the differences in epsilon, as the slope over all epsilons."""
        check = self.gradient_check
        return float(np.polyfit(np.log(check.epsilons), np.log(check.largest_differences), 1)[0])
