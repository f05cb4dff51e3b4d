"""From parameters and data to a network, its trainer and, once it has trained, a fitted model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.utils import check_random_state

from fastmlp._support.checks import weights
from fastmlp._support.progress import SILENT
from fastmlp.callbacks import PrintEpoch
from fastmlp.estimators.held_out import HeldOut, state_of
from fastmlp.estimators.reading import Samples
from fastmlp.estimators.settings import EstimatorSettings
from fastmlp.estimators.targets import Classes, Indicators
from fastmlp.formats.model import FittedModel, Outputs, Record, Targets
from fastmlp.layers import Dense
from fastmlp.network.network import Network
from fastmlp.network.preparation import Preparation
from fastmlp.optimizers import is_full_batch
from fastmlp.training.trainer import Trainer


@dataclass(frozen=True, eq=False, repr=False)
class Session:
    """What an estimator keeps, beside its model, to train it further; a model of a file has none.

    Attributes
    ----------
    trainer : Trainer
    random_state : mapping
        The state of the generator of the rows that are held out: the same in every fit of these weights.
    epochs_before : int
        Those of the fits before, if the last one was a warm start.
    """

    trainer: Trainer
    random_state: Mapping[str, Any]
    epochs_before: int = 0

    def __repr__(self) -> str:
        return f"<Session of {self.trainer!r}>"


class Fitting:
    """One fit: its settings and data, and the model that it trains.

    Parameters
    ----------
    settings : EstimatorSettings
    samples : Samples
    outputs : Outputs
    session : Session
        With the trainer of this fit.
    """

    def __init__(
        self, settings: EstimatorSettings, samples: Samples, outputs: Outputs, session: Session
    ):  # fmt: skip
        self.settings, self.samples, self.outputs, self.session = settings, samples, outputs, session

    @property
    def targets(self) -> Targets:
        """What the outputs stand for."""
        return self.samples.targets

    @property
    def trainer(self) -> Trainer:
        """What trains the network."""
        return self.session.trainer

    @property
    def has_validation(self) -> bool:
        """Whether epochs are scored, on data of the user's or on rows that are held out."""
        return self.samples.X_val is not None or self.trainer.restore_best

    def train(
        self, epochs: int, *, reporter: Any = SILENT, observer: Any = None, is_one_of_calls: bool = False,
        score: Callable[[FittedModel, Any, Any], Callable[..., float]] | None = None,
    ) -> None:  # fmt: skip
        """Train the network, without warnings.

        Parameters
        ----------
        epochs : int
        reporter, observer
            See `Trainer.train`.
        is_one_of_calls : bool, default=False
            Whether it is a call of `partial_fit`: early stopping then looks for the best of all calls.
        score : callable or None
            ``score(model, X_val, y_val)`` returns what scores an epoch, in place of the targets' score.
        """
        trainer = self.trainer
        trainer.network.n_threads = self.settings.n_threads
        held_out = None
        if trainer.restore_best:
            held_out = HeldOut(float(self.settings.validation_fraction), self.session.random_state)

        def scorer(X_val: Any, codes_val: NDArray[Any]) -> Callable[..., float] | None:
            if score is not None:
                return score(self.model(), X_val, self.targets.decode(codes_val))
            return self.targets.score(self.outputs)

        with config_context(assume_finite=True):  # the data were checked as they came in
            data = self.samples.training_data(
                trainer.network, self.outputs, self._sample_weight(), held_out, scorer
            )
            trainer.train(
                data, epochs, reporter=reporter, observer=observer, keep_best_of_calls=is_one_of_calls
            )

    def model(self) -> FittedModel:
        """Return the model as it is now."""
        trainer = self.trainer
        return FittedModel(
            trainer.network,
            self.targets,
            self.outputs,
            trainer.target_preparation,
            self.samples.feature_names,
            self.settings.frozen,
            record_of(trainer, self.session.epochs_before, self.has_validation),
        )

    def _sample_weight(self) -> NDArray[Any] | None:
        """Return the weights of the samples, those of their classes included."""
        class_weight, given = self.settings.class_weight, self.samples.sample_weight
        if class_weight is None or not isinstance(self.targets, Classes | Indicators):
            return given
        of_classes = self.targets.sample_weight(class_weight, self.samples.codes)
        product = of_classes * (1 if given is None else given)
        return weights("class_weight, times sample_weight,", product, self.samples.n_samples)


def begin(settings: EstimatorSettings, samples: Samples) -> Fitting:
    """Return a fit of new weights."""
    outputs = samples.targets.outputs(settings)
    random_state = check_random_state(settings.random_state)
    dtype = settings.dtype
    if dtype == "auto":
        dtype = "float32" if samples.is_single else "float64"
    preparation = samples.preparation(settings.prepare)
    target_preparation = None
    may_be_any_number = np.isinf(outputs.loss.target_range).all() and outputs.activation == "identity"
    if settings.prepare is not None and samples.targets.classes is None and may_be_any_number:
        target_preparation = samples.target_preparation()
    hidden = settings.hidden_layers()
    network = Network(
        [*hidden, Dense(outputs.n_outputs, outputs.activation)],
        samples.n_features,
        dtype=dtype,
        engine=settings.engine,
        n_threads=settings.n_threads,
        initializer=settings.initializers(hidden),
        preparation=preparation,
        random_state=random_state,
    )
    has_validation = samples.X_val is not None
    trainer = make_trainer(settings, network, outputs, target_preparation, random_state, has_validation)
    return Fitting(settings, samples, outputs, Session(trainer, state_of(random_state)))


def make_trainer(
    settings: EstimatorSettings, network: Network, outputs: Outputs, target_preparation: Preparation | None,
    random_state: Any, has_validation: bool,
) -> Trainer:  # fmt: skip
    """Return a trainer by an estimator's parameters.

    Parameters
    ----------
    settings : EstimatorSettings
    network : Network
    outputs : Outputs
    target_preparation : Preparation or None
    random_state : int or RandomState
        For the order of the samples.
    has_validation : bool
        Whether there are validation data of the user's own.
    """
    optimizer = settings.optimizer()
    schedule = settings.schedule(optimizer)
    # As in scikit-learn, L-BFGS takes all samples: only a user's own validation data stop it early.
    stops_early = settings.early_stopping and not (is_full_batch(optimizer) and not has_validation)
    # Without early stopping ``tol`` is about the training loss: not for schedules that are planned over all
    # epochs, nor for L-BFGS, which compares it with the gradient.
    watches_loss = not (schedule.runs_to_the_end or is_full_batch(optimizer))
    return Trainer(
        network,
        outputs.loss,
        optimizer=optimizer,
        schedule=schedule,
        batch_size=settings.most_samples_of_a_batch(),
        alpha=settings.alpha,
        l2=settings.l2,
        l1=settings.l1,
        clip_value=settings.clip_value,
        clip_norm=settings.clip_norm,
        ema_decay=settings.ema_decay,
        augmentation=settings.augmentation,
        image_shape=settings.image_shape,
        input_dropout=settings.input_dropout,
        input_noise=settings.input_noise,
        shuffle=settings.shuffle,
        random_state=random_state,
        tol=settings.tol if stops_early or watches_loss else None,
        n_iter_no_change=settings.n_iter_no_change,
        watch="val_score" if stops_early else "loss",
        restore_best=stops_early,
        max_seconds=settings.max_seconds,
        target_preparation=target_preparation,
        callbacks=(*([PrintEpoch()] if settings.prints_epochs() else []), *settings.callbacks),
    )


def record_of(trainer: Trainer, epochs_before: int, has_validation: bool) -> Record:
    """Return what happened in the training so far."""
    history, losses = trainer.history, trainer.history.loss
    scores: list[float] | None = history.val_score or None
    score = history.kept_score
    if trainer.divergence and has_validation:  # scikit-learn's scores end with NaN, too
        scores = [*history.val_score, np.nan]
        if score is None:  # it diverged in its first epoch
            score = np.nan
    return Record(
        history=history,
        n_iter=trainer.n_epochs - epochs_before,
        samples_seen=trainer.samples_seen,
        loss=losses[-1] if losses else np.nan,
        best_loss=None if trainer.restore_best else min(losses, default=np.nan),
        validation_scores=scores,
        validation_score=score,
        stopped_early=trainer.restore_best and history.converged,
        divergence=trainer.divergence,
    )
