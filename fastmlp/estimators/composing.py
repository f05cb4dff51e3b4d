"""An estimator made of a model in plain data, of a file or of scikit-learn's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastmlp.engine.selection import can_train_in
from fastmlp.estimators.settings import EstimatorSettings
from fastmlp.estimators.targets import Classes, Indicators, Reals
from fastmlp.formats.model import FittedModel, Outputs, Record, Targets
from fastmlp.formats.plain_model import PlainModel
from fastmlp.training.history import known_history


@dataclass(frozen=True, eq=False)
class Outline:
    """An estimator that is not yet fitted, and what is known of its model before there is a network.

    Attributes
    ----------
    estimator : MLPClassifier or MLPRegressor
        With the parameters of the plain model.
    settings : EstimatorSettings
    targets : Classes, Indicators or Reals
    outputs : Outputs
    """

    estimator: Any
    settings: EstimatorSettings
    targets: Targets
    outputs: Outputs


def outline(cls: type, plain: PlainModel) -> Outline:
    """Return an estimator of a class, with the parameters and targets of a plain model.

    Raises
    ------
    ValueError
        If the parameters, the layers and the targets do not fit together.
    """
    estimator = cls(**plain.parameters)
    settings = estimator._settings()
    targets = _targets(plain, settings)
    outputs = targets.outputs(settings)
    plain.check_outputs(targets, outputs)
    return Outline(estimator, settings, targets, outputs)


def fill(outlined: Outline, plain: PlainModel) -> Any:
    """Return the estimator, with the network of the plain model."""
    settings = outlined.settings
    # Files have float32; training continues in bfloat16 where this machine can.
    is_mixed = settings.dtype == "bfloat16" and can_train_in("bfloat16")
    model = FittedModel(
        plain.network("bfloat16" if is_mixed else plain.dtype, settings.engine),
        outlined.targets,
        outlined.outputs,
        plain.preparation("target_preparation"),
        plain.feature_names,
        settings.frozen,
        _record(plain, settings),
    )
    outlined.estimator._adopt(model)
    return outlined.estimator


def _targets(plain: PlainModel, settings: EstimatorSettings) -> Targets:
    """Return what the outputs stand for."""
    if plain.labels is None:
        n_outputs_of_one = Reals(1).outputs(settings).n_outputs
        return Reals(plain.layers[-1].units // n_outputs_of_one)
    return Indicators(plain.labels, plain.is_sparse) if plain.is_multilabel else Classes(plain.labels)


def _record(plain: PlainModel, settings: EstimatorSettings) -> Record:
    """Return what happened in the training."""
    known = plain.record
    score = known.get("validation_score_")
    history = known_history(
        losses=known["loss_curve_"],
        val_losses=known["validation_loss_curve_"],
        val_scores=known["validation_scores_"],
        by_score=settings.early_stopping,
        kept_score=score,
    )
    return Record(
        history=history,
        n_iter=known["n_iter_"],
        samples_seen=known["t_"],
        loss=known["loss_"],
        best_loss=known["best_loss_"],
        validation_scores=known["validation_scores_"],
        validation_score=history.kept_score if score is None else score,
    )
