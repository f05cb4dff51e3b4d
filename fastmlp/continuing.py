"""Going on from a fitted network: warm starts and partial_fit."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any, TypeVar

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from fastmlp.checks import shown
from fastmlp.complaints import complaints
from fastmlp.history import History
from fastmlp.machine import can_train_in
from fastmlp.network import Network
from fastmlp.optimizers import is_full_batch
from fastmlp.parameters import Parameters, checks_parameters
from fastmlp.preparation import Preparation
from fastmlp.progress import SILENT
from fastmlp.trainer import Trainer

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
    _trainer: Trainer
    _random_state: Any
    _epochs_before: int
    _loss: Any

    def _go_on(self) -> None:
        """Make a new trainer for the present network, which goes on with what is known of its training."""
        self._scorer()  # a wrong one is told before anything is trained
        self._set_outputs()
        self.network_.n_threads = self.n_threads
        if "_random_state" not in self.__dict__:  # it came from a file, or from scikit-learn
            self._random_state = deepcopy(check_random_state(self.random_state))
        self._resume(self.__dict__.get("_trainer"))
        self._epochs_before = self._trainer.n_epochs

    def _resume(self, earlier: Trainer | None) -> None:
        """Make a new trainer that takes the place of an earlier one, or of one that no file has."""
        # Were the seed the first fit's, the samples would come in the first fit's order again.
        seed = check_random_state(self.random_state).randint(2**31)
        samples_seen = self.t_ if earlier is None else earlier.samples_seen
        self._make_trainer(np.random.RandomState([seed, samples_seen % 2**32]), self.network_)
        self._trainer.resume(
            self._known_history() if earlier is None else earlier.history,
            samples_seen,
            None if earlier is None else earlier.watch,
        )

    def _known_history(self) -> History:
        """Return what a file says of the epochs so far."""
        n_epochs = len(self.loss_curve_)
        history = History(
            loss=list(self.loss_curve_),
            val_loss=list(self.validation_loss_curve_ or []),
            val_score=list(self.validation_scores_ or [])[:n_epochs],  # NaN for one that diverged left out
        )
        if history.loss:
            worse = np.negative(history.val_score) if history.val_score else np.array(history.loss)
            history.best_epoch = int(np.argmin(np.where(np.isnan(worse), np.inf, worse))) + 1
        return history

    def _check_kept(self) -> None:
        """Refuse parameters that ask for another network than the present one."""
        network = self.network_
        wanted, present = self._hidden_layers(), network.layers[:-1]
        if len(wanted) != len(present):
            sizes = tuple(layer.units for layer in present)
            self._refuse("hidden_layer_sizes", self.hidden_layer_sizes, sizes)
        for layer, kept in zip(wanted, present, strict=True):
            for setting, name in _LAYER_SETTINGS.items():
                if getattr(layer, setting) != getattr(kept, setting):
                    self._refuse(name, getattr(self, name), getattr(kept, setting))
        dtype = "bfloat16" if network.is_mixed else network.dtype.name
        # What was loaded where there are no such products goes on in float32.
        if self.dtype not in ("auto", dtype) and (self.dtype != "bfloat16" or can_train_in("bfloat16")):
            self._refuse("dtype", self.dtype, dtype)
        if self.engine != network.engine:
            self._refuse("engine", self.engine, network.engine)
        kinds = self._kinds_of_preparation()
        if self.prepare not in kinds:
            self._refuse("prepare", self.prepare, kinds[0])
        self._check_loss_kept()

    def _check_loss_kept(self) -> None:
        """Refuse a loss that wants other outputs, or other targets, than the present one."""
        before = dict(self.__dict__)
        self._set_outputs()
        last, loss = self.network_.layers[-1], self._loss
        wanted = (self.n_outputs_, self.out_activation_)
        self.__dict__.update(before)  # that a refusal may leave the model as it was
        if (last.units, last.activation) != wanted or (
            self.target_preparation_ is not None and np.isfinite(loss.target_range).any()
        ):
            self._refuse("loss", self.loss, before["_loss_name"])

    def _kinds_of_preparation(self) -> tuple[str | None, ...]:
        """Return what ``prepare`` may have been."""
        if self.preparation_ is None:
            return (None, "auto")
        if np.ptp(self.preparation_.center) or np.ptp(self.preparation_.scale):
            return ("table", "auto")
        return ("image", "table", "auto")  # a table may have columns that are alike

    def _refuse(self, name: str, value: Any, kept: Any) -> None:
        raise ValueError(
            f"{name}={shown(value)} cannot be changed with warm_start=True: the network was made with "
            f"{shown(kept)} and is kept. Set warm_start=False to begin anew."
        )

    @property
    def stopped_early_(self) -> bool:
        """Whether the score had stopped rising, and the model went back to the best epoch.

        That is what ``early_stopping`` ends a `fit` by; a loaded model knows nothing of it. After a
        `partial_fit` it says so of this call; the next one goes on from the best weights.
        """
        trainer = self.__dict__.get("_trainer")
        return bool(self.early_stopping and trainer is not None and trainer.history.converged)

    @property
    def _watched(self) -> str:
        """What the epochs are judged by."""
        return "val_score" if self.early_stopping else "loss"

    def _set_tol(self) -> None:
        """Have the trainer heed ``tol``, where that is about what is watched; by L-BFGS it is not."""
        trainer = self._trainer
        is_heeded = not (trainer.schedule.runs_to_the_end or is_full_batch(trainer.optimizer))
        trainer.watch.tol = self.tol if self.early_stopping or is_heeded else None

    def _partial_fit(self, X, y, sample_weight, X_val, y_val, **learn):
        """Train for one epoch on these data, going on from where the estimator is."""
        if self.early_stopping and X_val is None:
            raise ValueError(
                "partial_fit does not support early_stopping=True without validation data: what it would "
                "hold out of one call would be trained on in the next. Give it X_val and y_val."
            )
        first = "network_" not in self.__dict__
        encode = partial(self._learn_targets, **learn) if first else self._encode
        data = self._read(X, y, sample_weight, X_val, y_val, encode, reset=first)
        if first:
            self._build(data)
        elif self.__dict__.get("_trainer") is None:  # it was loaded from a file
            self._epochs_before = len(self.loss_curve_) - self.n_iter_
            self._resume(None)
        elif self._trainer.watch.watched != self._watched:  # early_stopping was set since
            self._trainer.watch_by(self._watched, restore_best=self.early_stopping)
            self._set_tol()
        self._trainer.best_of_calls = self.early_stopping
        try:
            self._train(data, 1, SILENT)
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=4)
        for warning in complaints(self, data, of_one_epoch=True):
            warnings.warn(warning, stacklevel=4)
        return self


def of_batches(method: _Method) -> _Method:
    """Have estimators offer a method, which fits, only where their solver learns from batches."""
    return available_if(_learns_from_batches)(checks_parameters(method))


def _learns_from_batches(estimator) -> bool:
    if is_full_batch(estimator.solver):
        raise AttributeError("partial_fit is for stochastic solvers only; lbfgs takes all data at once.")
    return True
