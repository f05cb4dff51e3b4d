"""What a picture of runs is given, put in order: names, the runs of each, and the curves of each run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.utils.validation import check_is_fitted

from fastmlp._support.checks import kind_of, shown

#: The curves that a run may have, of its training and its validation data.
CURVES = ("loss", "val_loss", "score", "val_score")

#: The kinds of error bars and bands over several runs, and how a legend calls them.
SPREADS = {"range": "min to max", "std": "± standard deviation"}

# Where a fitted estimator keeps it.
_ATTRIBUTES = {
    "loss": "loss_curve_",
    "val_loss": "validation_loss_curve_",
    "val_score": "validation_scores_",
}


def named_runs(runs: Any, labels: Any) -> dict[str, list[Any]]:
    """Return the runs of each name; of one run alone the name is empty.

    Raises
    ------
    ValueError
        If there are no runs, or not as many labels as runs.
    """
    if isinstance(runs, Mapping) and not set(CURVES) & set(runs):
        if labels is not None:
            raise ValueError(f"labels={shown(labels)} must be None where runs have names already.")
        labels, runs = list(runs), list(runs.values())
    elif isinstance(runs, Sequence):
        runs = list(runs)
    else:
        runs = [runs]
    if not runs:
        raise ValueError("runs are empty; pass one or more fitted models or histories.")
    if labels is None:
        labels = [""] if len(runs) == 1 else [f"run {i}" for i in range(1, len(runs) + 1)]
    labels = [labels] if isinstance(labels, str) else list(map(str, labels))
    if len(labels) != len(runs) or len(set(labels)) != len(labels):
        raise ValueError(f"labels={shown(labels)} must be {len(runs)} different names, one for each run.")
    groups = {
        label: list(run) if isinstance(run, Sequence) else [run]
        for label, run in zip(labels, runs, strict=True)
    }
    for label, group in groups.items():
        if not group:
            raise ValueError(f"runs[{shown(label)}] is empty; it must hold one or more runs.")
    return groups


def curves_of(run: Any) -> dict[str, np.ndarray]:
    """Return the curves that a fitted model, a trainer, a history, a mapping or a data frame has.

    Raises
    ------
    NotFittedError
        If it is a model that is not fitted.
    TypeError, ValueError
        If it is not one of these, or has no epochs.
    """
    if isinstance(run, BaseEstimator):
        check_is_fitted(run)
        found = {name: getattr(run, attribute, None) for name, attribute in _ATTRIBUTES.items()}
    elif not isinstance(run, type) and hasattr(run, "keys") and hasattr(run, "__getitem__"):
        found = {name: run[name] for name in CURVES if name in run}
    else:
        history = getattr(run, "history", run)
        if isinstance(run, type) or not hasattr(history, "loss"):
            raise TypeError(
                f"runs hold {kind_of(run)}; they must be fitted models, trainers, histories, or "
                f"mappings or data frames with {', '.join(map(repr, CURVES))}."
            )
        found = {name: getattr(history, name, None) for name in CURVES}
    curves = {}
    for name, values in found.items():
        if values is not None and len(values):
            curves[name] = np.asarray(values, dtype=np.float64)
            if curves[name].ndim != 1:
                raise ValueError(
                    f"{name} of a run has shape {curves[name].shape}; it must be a list of numbers."
                )
    if not curves:
        raise ValueError(f"runs hold a {type(run).__name__} that has no epochs.")
    return curves


def score_name_of(runs: Sequence[Any]) -> str:
    """Return what the scores of these runs measure, as far as they say so."""
    names = {_score_name(run) for run in runs}
    return names.pop() if len(names) == 1 else "score"


def _score_name(run: Any) -> str:
    if not isinstance(run, BaseEstimator):
        return "score"
    scoring = getattr(run, "scoring", None)
    if scoring is not None:
        return scoring if isinstance(scoring, str) else "score"
    if is_classifier(run):
        return "accuracy"
    return "R²" if is_regressor(run) else "score"
