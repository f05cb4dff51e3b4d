"""Training a fitted model further: warm starts and partial_fit, by the parameters that are set now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from fastmlp._support.checks import are_equal, shown
from fastmlp.engine.selection import can_train_in
from fastmlp.estimators.building import Fitting, Session, make_trainer
from fastmlp.estimators.held_out import state_of
from fastmlp.estimators.reading import Samples
from fastmlp.estimators.settings import EstimatorSettings
from fastmlp.formats.model import FittedModel, Outputs
from fastmlp.network.preparation import Preparation
from fastmlp.training.history import known_history
from fastmlp.training.trainer import Trainer

# What a hidden layer has from the estimator, and the parameter that sets it.
_LAYER_SETTINGS = {name: name for name in ("activation", "dropout", "batch_norm", "layer_norm")}
_LAYER_SETTINGS["units"] = "hidden_layer_sizes"


def warm_start(
    settings: EstimatorSettings, samples: Samples, model: FittedModel, session: Session | None
) -> Fitting:
    """Return a fit that starts from the weights of a model, with a fresh state of the solver."""
    outputs = samples.targets.outputs(settings)
    if session is not None:
        random_state = session.random_state
    else:  # the model came from a file, or from scikit-learn
        random_state = state_of(check_random_state(settings.random_state))
    trainer = _renewed_trainer(settings, samples, model, session, outputs, keeps_solver=False)
    return Fitting(settings, samples, outputs, Session(trainer, random_state, trainer.n_epochs))


def next_part(
    settings: EstimatorSettings, samples: Samples, model: FittedModel, session: Session | None
) -> Fitting:
    """Return a call of `partial_fit`, which continues with the state of the solver where there is one."""
    if session is not None and not has_changed(settings, model, session):
        return Fitting(settings, samples, model.outputs, session)
    outputs = model.targets.outputs(settings)
    trainer = _renewed_trainer(settings, samples, model, session, outputs, keeps_solver=True)
    if session is None:
        n_before = len(model.record.history.loss) - model.record.n_iter
        session = Session(trainer, state_of(check_random_state(settings.random_state)), n_before)
    else:
        session = Session(trainer, session.random_state, session.epochs_before)
    return Fitting(settings, samples, outputs, session)


def has_changed(settings: EstimatorSettings, model: FittedModel, session: Session | None) -> bool:
    """Return whether there is no trainer of these parameters."""
    return session is None or not are_equal(model.parameters, settings.frozen)


def check_kept(settings: EstimatorSettings, model: FittedModel, when: str, advice: str) -> None:
    """Refuse parameters that ask for another network than the model's."""
    for name, kept in _changes(settings, model):
        raise ValueError(
            f"{name}={shown(getattr(settings, name))} cannot be changed {when}: the network was made with "
            f"{shown(kept)} and is kept. {advice} to begin anew."
        )


def _renewed_trainer(
    settings: EstimatorSettings, samples: Samples, model: FittedModel, session: Session | None,
    outputs: Outputs, *, keeps_solver: bool,
) -> Trainer:  # fmt: skip
    """Return a trainer by the present parameters, in place of the earlier one or of one that no file has.

    With ``keeps_solver`` the state of the solver stays, if there is one of the same kind; otherwise it is
    fresh, and the samples come in new orders.
    """
    earlier = None if session is None else session.trainer
    random_state: Any = 0  # no new seed
    keeps_solver &= earlier is not None and earlier.optimizer.solver == settings.optimizer().solver
    if not keeps_solver:
        # Were the seed the first fit's, the samples would come in the first fit's order again.
        seed = check_random_state(settings.random_state).randint(2**31)
        samples_seen = model.record.samples_seen if earlier is None else earlier.samples_seen
        random_state = np.random.RandomState([seed, samples_seen % 2**32])
    trainer = make_trainer(
        settings, model.network, outputs, model.target_preparation, random_state, samples.X_val is not None
    )
    if earlier is None:
        record = model.record
        history = known_history(
            losses=record.history.loss,
            val_losses=record.history.val_loss,
            val_scores=record.validation_scores,
            by_score=settings.early_stopping,
            kept_score=record.validation_score,
        )
        trainer.resume(history, record.samples_seen)
    else:
        before = model.parameters.get("scoring"), earlier.loss
        is_comparable = are_equal(before, (settings.scoring, trainer.loss))
        trainer.take_over(earlier, keeps_solver, is_comparable)
    return trainer


def _changes(settings: EstimatorSettings, model: FittedModel) -> Iterator[tuple[str, Any]]:
    """Yield the names of parameters that ask for another network, and what the present one has."""
    network = model.network
    wanted, present = settings.hidden_layers(), network.layers[:-1]
    if len(wanted) != len(present):
        yield "hidden_layer_sizes", tuple(layer.units for layer in present)
        return
    for layer, kept in zip(wanted, present, strict=True):
        for setting, name in _LAYER_SETTINGS.items():
            if getattr(layer, setting) != getattr(kept, setting):
                yield name, getattr(kept, setting)
    dtype = "bfloat16" if network.is_mixed else network.dtype.name
    # What was loaded where there are no such products continues in float32.
    if settings.dtype not in ("auto", dtype) and (settings.dtype != "bfloat16" or can_train_in("bfloat16")):
        yield "dtype", dtype
    if settings.engine != network.engine:
        yield "engine", network.engine
    kinds = _kinds_of(model.preparation)
    if settings.prepare not in kinds:
        yield "prepare", kinds[0]
    outputs, last = model.targets.outputs(settings), network.layers[-1]
    if (last.units, last.activation) != (outputs.n_outputs, outputs.activation) or (
        model.target_preparation is not None and np.isfinite(outputs.loss.target_range).any()
    ):
        asks = settings.output_activation is not None and last.activation != outputs.activation
        yield ("output_activation", last.activation) if asks else ("loss", model.loss.name)


def _kinds_of(preparation: Preparation | None) -> tuple[str | None, ...]:
    """Return what the parameter ``prepare`` may have been."""
    if preparation is None:
        return (None, "auto")
    center, scale = preparation.center, preparation.scale
    if (center != center[0]).any() or (scale != scale[0]).any():
        return ("table", "auto")
    return ("image", "table", "auto")  # a table may have columns that are alike
