"""Going on from a fitted network: warm starts and partial_fit."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from typing import Any, TypeVar

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from fastmlp._support.checks import are_equal, shown
from fastmlp._support.progress import SILENT
from fastmlp.engine.selection import can_train_in
from fastmlp.estimators.fit_warnings import complaints
from fastmlp.estimators.hyperparameters import Parameters, checks_parameters
from fastmlp.network.network import Network
from fastmlp.network.preparation import Preparation
from fastmlp.optimizers import is_full_batch
from fastmlp.training.history import History
from fastmlp.training.trainer import Trainer

_Method = TypeVar("_Method", bound=Callable[..., Any])

# What a hidden layer has from the estimator, and the parameter that says it.
_LAYER_SETTINGS = {name: name for name in ("activation", "dropout", "batch_norm", "layer_norm")}
_LAYER_SETTINGS["units"] = "hidden_layer_sizes"


class Continuing(Parameters):
    """Base of `BaseMLP`, which has all of this once it is fitted; names only with data that have them."""

    n_features_in_: int
    feature_names_in_: np.ndarray
    n_layers_: int
    n_outputs_: int
    out_activation_: str
    network_: Network
    preparation_: Preparation | None
    target_preparation_: Preparation | None
    n_iter_: int
    t_: int
    loss_: float
    best_loss_: float | None
    loss_curve_: list[float]
    validation_scores_: list[float] | None
    validation_loss_curve_: list[float] | None
    validation_score_: float | None
    _trainer: Trainer
    _random_state: Any
    _epochs_before: int
    _loss: Any
    #: The parameters that the trainer was made by.
    _trained_by: dict[str, Any]

    @property
    def _goes_on(self) -> bool:
        """Whether `fit` starts from the present network."""
        return self.warm_start and "network_" in self.__dict__

    def _go_on(self, data: Any) -> None:
        """Make a new trainer for the present network, which goes on with what is known of its training."""
        self._scorer()  # a wrong one is told before anything is trained
        self._set_outputs()
        if "_random_state" not in self.__dict__:  # it came from a file, or from scikit-learn
            self._random_state = deepcopy(check_random_state(self.random_state))
        self._renew_trainer(data, keeps_solver=False)
        self._epochs_before = self._trainer.n_epochs

    def _keep_up(self, data: Any) -> None:
        """Have the next call of `partial_fit` train by the present parameters."""
        self._set_outputs()
        if self.__dict__.get("_trainer") is None:  # it came from a file, or from scikit-learn
            self._epochs_before = len(self.loss_curve_) - self.n_iter_
        self._renew_trainer(data, keeps_solver=True)

    def _renew_trainer(self, data: Any, keeps_solver: bool) -> None:
        """Make a trainer by the present parameters, in place of the earlier one or of one that no file has.

        With ``keeps_solver`` the state of the solver stays, if there is one of the same kind; otherwise it is
        fresh, and the samples come in new orders.
        """
        earlier = self.__dict__.get("_trainer")
        random_state: Any = 0  # no new seed
        keeps_solver &= earlier is not None and earlier.optimizer.solver == self._optimizer().solver
        if not keeps_solver:
            # Were the seed the first fit's, the samples would come in the first fit's order again.
            seed = check_random_state(self.random_state).randint(2**31)
            samples_seen = self.t_ if earlier is None else earlier.samples_seen
            random_state = np.random.RandomState([seed, samples_seen % 2**32])
        scoring = self.__dict__.get("_trained_by", {}).get("scoring")
        self._make_trainer(data, random_state, self.network_)
        if earlier is None:
            self._trainer.resume(self._known_history(), self.t_)
        else:
            is_comparable = are_equal((scoring, earlier.loss), (self.scoring, self._trainer.loss))
            self._trainer.take_over(earlier, keeps_solver, is_comparable)

    def _known_history(self) -> History:
        """Return what a file says of the epochs so far."""
        n_epochs = len(self.loss_curve_)
        scores = list(self.validation_scores_ or [])[:n_epochs]  # NaN for one that diverged left out
        history = History(
            loss=list(self.loss_curve_),
            val_loss=list(self.validation_loss_curve_ or []),
            val_score=scores,
            kept_epoch=n_epochs or None,
            val_epochs=list(range(n_epochs - len(scores) + 1, n_epochs + 1)),
        )
        by_score = self.early_stopping and bool(scores)  # not by L-BFGS without validation data
        values = np.negative(scores) if by_score else np.array(history.loss)
        if not np.isnan(values).all():  # as it is of none
            history.best_epoch = n_epochs - len(values) + int(np.nanargmin(values)) + 1
        if by_score and history.best_epoch:
            best = -np.nanmin(values)
            if getattr(self, "validation_score_", best) == best:  # an older file does not say so
                history.kept_epoch = history.best_epoch
        return history

    def _check_kept(self, when: str, advice: str) -> None:
        """Refuse parameters that ask for another network than the present one."""
        for name, kept in self._changes():
            raise ValueError(
                f"{name}={shown(getattr(self, name))} cannot be changed {when}: the network was made with "
                f"{shown(kept)} and is kept. {advice} to begin anew."
            )

    def _changes(self) -> Iterator[tuple[str, Any]]:
        """Yield the names of parameters that ask for another network, and what the present one has."""
        network = self.network_
        wanted, present = self._hidden_layers(), network.layers[:-1]
        if len(wanted) != len(present):
            yield "hidden_layer_sizes", tuple(layer.units for layer in present)
            return
        for layer, kept in zip(wanted, present, strict=True):
            for setting, name in _LAYER_SETTINGS.items():
                if getattr(layer, setting) != getattr(kept, setting):
                    yield name, getattr(kept, setting)
        dtype = "bfloat16" if network.is_mixed else network.dtype.name
        # What was loaded where there are no such products goes on in float32.
        if self.dtype not in ("auto", dtype) and (self.dtype != "bfloat16" or can_train_in("bfloat16")):
            yield "dtype", dtype
        if self.engine != network.engine:
            yield "engine", network.engine
        kinds = self._kinds_of_preparation()
        if self.prepare not in kinds:
            yield "prepare", kinds[0]
        yield from self._changes_of_outputs()

    def _changes_of_outputs(self) -> Iterator[tuple[str, Any]]:
        """Yield the parameter that wants other outputs, or other targets, than the present ones."""
        before = dict(self.__dict__)
        try:
            self._set_outputs()
            loss, wanted = self._loss, (self.n_outputs_, self.out_activation_)
        finally:
            self.__dict__.update(before)  # that a refusal may leave the model as it was
        last = self.network_.layers[-1]
        if (last.units, last.activation) != wanted or (
            self.target_preparation_ is not None and np.isfinite(loss.target_range).any()
        ):
            asks = self.output_activation is not None and last.activation != wanted[1]
            yield ("output_activation", last.activation) if asks else ("loss", self._loss_name)

    def _kinds_of_preparation(self) -> tuple[str | None, ...]:
        """Return what ``prepare`` may have been."""
        if self.preparation_ is None:
            return (None, "auto")
        center, scale = self.preparation_.center, self.preparation_.scale
        if (center != center[0]).any() or (scale != scale[0]).any():
            return ("table", "auto")
        return ("image", "table", "auto")  # a table may have columns that are alike

    @contextmanager
    def _whole_if_refused(self) -> Iterator[None]:
        """Leave the model as it was if an error comes before any of the training."""
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            trainer = self.__dict__.get("_trainer")
            if trainer is None or trainer is before.get("_trainer") or not trainer.has_begun:
                self.__dict__.clear()
                self.__dict__.update(before)
            raise

    @property
    def stopped_early_(self) -> bool:
        """Whether the score had stopped rising, and the model went back to the best epoch.

        That is what ``early_stopping`` ends a `fit` by; a loaded model knows nothing of it. After a
        `partial_fit` it says so of this call; the next one goes on from the best weights.
        """
        trainer = self.__dict__.get("_trainer")
        return trainer is not None and trainer.restore_best and trainer.history.converged

    def _partial_fit(self, X, y, sample_weight, X_val, y_val, **learn):
        """Train for one epoch on these data, going on from where the estimator is."""
        if self.early_stopping and X_val is None:
            raise ValueError(
                "partial_fit does not support early_stopping=True without validation data: what it would "
                "hold out of one call would be trained on in the next. Give it X_val and y_val."
            )
        with self._whole_if_refused():
            data = self._read_more(X, y, sample_weight, X_val, y_val, **learn)
            try:
                self._train(data, 1, SILENT, keep_best_of_calls=True)
            except KeyboardInterrupt:
                warnings.warn("Training interrupted by user.", stacklevel=4)
        for warning in complaints(self, data, of_one_epoch=True):
            warnings.warn(warning, stacklevel=4)
        return self

    def _read_more(self, X, y, sample_weight, X_val, y_val, **learn) -> Any:
        """Read the data of a `partial_fit` and make its trainer, at the first call also the network."""
        if "network_" not in self.__dict__:
            data = self._read(X, y, sample_weight, X_val, y_val, partial(self._learn_targets, **learn))
            self._build(data)
            return data
        is_changed = self.__dict__.get("_trainer") is None or not are_equal(
            self._trained_by, self._frozen_params()
        )
        if is_changed:
            self._check_params()  # scikit-learn checks them at the first call only
            self._check_kept("between calls of partial_fit", "Call fit, without warm_start,")
        data = self._read(X, y, sample_weight, X_val, y_val, self._encode, reset=False)
        if is_changed:
            self._keep_up(data)
        return data


def of_batches(method: _Method) -> _Method:
    """Have estimators offer a method, which fits, only where their solver learns from batches."""
    return available_if(_learns_from_batches)(checks_parameters(method))


def _learns_from_batches(estimator) -> bool:
    if is_full_batch(estimator.solver):
        raise AttributeError("partial_fit is for stochastic solvers only; lbfgs takes all data at once.")
    return True
