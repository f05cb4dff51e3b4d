"""What MLPClassifier and MLPRegressor share: fitting and fitted attributes."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from copy import copy, deepcopy
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from scipy.sparse import issparse
from sklearn import config_context
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import validate_data

from fastmlp import schedules
from fastmlp._support.checks import check_third_is_weights, check_together, named, naming, weights
from fastmlp._support.dates import refuse_columns
from fastmlp._support.progress import show_progress
from fastmlp.callbacks import PrintEpoch
from fastmlp.estimators.exports import Exports
from fastmlp.estimators.fit_warnings import complaints
from fastmlp.estimators.held_out import split
from fastmlp.estimators.hyperparameters import checks_parameters
from fastmlp.estimators.resuming import Continuing
from fastmlp.estimators.serving import Serving
from fastmlp.estimators.sklearn_callbacks import CallbackSupportMixin, telling_callbacks
from fastmlp.formats import description as saving
from fastmlp.layers import Dense
from fastmlp.network import preparation as preparations
from fastmlp.network.inputs import INPUT_DTYPES, check_places, check_sparse
from fastmlp.network.network import Network
from fastmlp.network.preparation import Preparation
from fastmlp.optimizers import is_full_batch
from fastmlp.training.data import TrainingData, Validation
from fastmlp.training.trainer import Trainer


@dataclass(frozen=True, eq=False)
class Data:
    """Training data, checked and encoded, for one estimator or many; ``single``: anything but float64."""

    X: np.ndarray
    targets: np.ndarray
    single: bool
    X_val: np.ndarray | None = None
    targets_val: np.ndarray | None = None
    sample_weight: np.ndarray | None = None
    _made: dict[str, Any] = field(default_factory=dict)
    _making: threading.Lock = field(default_factory=threading.Lock)

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what ``make`` returned when this name was first asked for."""
        with self._making:
            if name not in self._made:
                self._made[name] = make()
            return self._made[name]


class BaseMLP(CallbackSupportMixin, Continuing, Exports, Serving):
    """Base of the estimators; subclasses learn, encode and prepare targets."""

    _readable: Callable[[str, Any], Any]  # what makes targets readable for scikit-learn's checks
    _sparse_labels = False  # whether `predict` returns label indicators as a sparse matrix

    @checks_parameters
    def fit(self, X, y, sample_weight=None, X_val=None, y_val=None) -> Self:
        """Fit to X and y: from new parameters, or with ``warm_start`` from the present ones.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            uint8, float32 and float64 are read in place, in any strides; other types are converted. Sparse
            formats are copied as CSR; nothing is made dense.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Class labels, label indicators, dense or sparse, or real targets.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of at least 0, as in scikit-learn: a batch's loss is sum(weights * losses) / sum(weights),
            and ``alpha`` is divided by the sum of the weights. Samples that are held out for
            ``early_stopping`` keep theirs in the score.
        X_val, y_val : array-like, optional
            Validation data, scored after every epoch into ``validation_scores_``.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the data do not go with the parameters, or training diverges in its first epoch. One that
            diverges later warns, and leaves the weights of the last epoch that went well, or of the best.
        """
        return self._fit(X, y, sample_weight, X_val, y_val, progress=False)

    def _fit_checked(self, X, y, sample_weight, X_val, y_val, progress):
        """Check the parameters, then `_fit`: what `fit` does, with a progress bar."""
        self._check_params()
        return self._fit(X, y, sample_weight, X_val, y_val, progress)

    def _fit(self, X, y, sample_weight, X_val, y_val, progress):
        """Fit, with a progress bar if ``progress`` says so (None: on a terminal)."""
        with self._whole_if_refused():
            data = self._begin(X, y, sample_weight, X_val, y_val)
            with (
                telling_callbacks(self, X, y, sample_weight) as observer,
                show_progress(progress, self.max_iter, data.X.shape[0]) as bar,
            ):
                try:
                    self._train(data, self.max_iter, bar, observer=observer)
                except KeyboardInterrupt:
                    warnings.warn("Training interrupted by user.", stacklevel=4)
        self._check_trained()
        for warning in complaints(self, data):
            warnings.warn(warning, stacklevel=4)
        return self

    def _begin(self, X, y, sample_weight, X_val, y_val) -> Data:
        """Read the data, and make the network and its trainer, or with ``warm_start`` a trainer alone."""
        if self._goes_on:
            self._check_kept("with warm_start=True", "Set warm_start=False")
            data = self._read(X, y, sample_weight, X_val, y_val, self._learn_again, reset=False)
            self._go_on(data)
        else:
            data = self._read(X, y, sample_weight, X_val, y_val)
            self._build(data)
        return data

    def _read(self, X, y, sample_weight, X_val, y_val, encode=None, reset=True) -> Data:
        """Check and encode the data; no parameter has a say in this.

        Their columns are learnt, or with ``reset=False`` must be those that are known; their targets are
        learnt, or ``encode`` says what becomes of them.
        """
        check_third_is_weights(sample_weight)
        check_together(X_val, y_val)
        for argument, inputs in (("X", X), ("X_val", X_val)):
            refuse_columns(argument, inputs)
        single = _is_single(X)
        if reset:
            self._sparse_labels = issparse(y)
        y, y_val = self._readable("y", y), self._readable("y_val", y_val)
        X, y = self._validate(X, y, reset=reset)
        sample_weight = weights("sample_weight", sample_weight, X.shape[0])
        if X_val is not None:  # before the classes change
            with naming("X_val", "y_val"):
                X_val, y_val = self._validate(X_val, y_val, reset=False)
        targets = (encode or self._learn_targets)(y)
        if X_val is None:
            return Data(X, targets, single, sample_weight=sample_weight)
        with naming("X_val", "y_val"):
            return Data(X, targets, single, X_val, self._encode(y_val), sample_weight)

    def _train(self, data, epochs, bar, observer=None, keep_best_of_calls=False):
        """Train, and take over what the trainer knows, also if it is broken off; warn of nothing."""
        self._take_n_threads()
        trainer, dtype = self._trainer, self.network_.dtype
        X = data.once(f"X in {dtype}", lambda: self.network_.read_sparse(data.X))
        rows, X_val, targets_val = np.arange(X.shape[0]), data.X_val, data.targets_val
        sample_weight, sample_weight_val = self._weights_of(data), None
        if trainer.restore_best and X_val is None:
            rows, held_out = self._split(data.targets, sample_weight)
            X_val, targets_val = X[held_out], data.targets[held_out]
            sample_weight_val = None if sample_weight is None else sample_weight[held_out]
        validation = None
        try:
            with config_context(assume_finite=True):  # they were checked as they came in
                key = f"{trainer.loss} {self.out_activation_} {self.label_smoothing}"
                targets = data.once(
                    f"targets of {key}",
                    lambda: self.network_.check_targets(X, self._targets_of(data.targets), trainer.loss),
                )
                if targets_val is not None:
                    score = self._scorer_of(X_val, targets_val)
                    targets_val = self._targets_of(targets_val)
                    with naming("X_val", "y_val"):
                        self.network_.check_targets(X_val, targets_val, trainer.loss)
                    validation = Validation(X_val, targets_val, sample_weight_val, score)
                trainer.train(
                    TrainingData(X, targets, rows, sample_weight, validation),
                    epochs,
                    reporter=bar,
                    observer=observer,
                    keep_best_of_calls=keep_best_of_calls,
                )
        finally:
            self.__dict__.update(self._learnt())
            if trainer.divergence and X_val is not None:  # as scikit-learn has it, where NaN goes on and on
                self.validation_scores_ = [*trainer.history.val_score, np.nan]
                if self.validation_score_ is None:  # not even one epoch went well
                    self.validation_score_ = np.nan

    def _check_trained(self) -> None:
        """Refuse a fit that diverged before a single epoch went well."""
        if self._trainer.divergence and self._trainer.n_epochs == 0:
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large values and "
                f"need to be preprocessed. {self._trainer.divergence}"
            )

    def _learnt(self) -> dict[str, Any]:
        """Return the fitted attributes that tell what happened."""
        trainer, losses = self._trainer, self._trainer.history.loss
        return {
            "n_iter_": trainer.n_epochs - self._epochs_before,
            "t_": trainer.samples_seen,
            "loss_curve_": losses,
            "loss_": losses[-1] if losses else np.nan,
            "best_loss_": None if trainer.restore_best else min(losses, default=np.nan),
            "validation_loss_curve_": trainer.history.val_loss or None,
            "validation_scores_": trainer.history.val_score or None,
            "validation_score_": trainer.history.kept_score,
        }

    def _split(self, targets, sample_weight=None) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows to train on and those to hold out; a fit that goes on holds out the same."""
        return split(
            targets,
            sample_weight,
            float(self.validation_fraction),
            deepcopy(self._random_state),
            self._strata,
        )

    def _scorer_of(self, X_val, targets_val) -> Callable | None:
        """Return what scores an epoch, as `Trainer` calls it; None for the loss's own score."""
        scorer = self._scorer()
        if scorer is None:
            return self._score_of_epoch()
        y_val, scored = self._decode(targets_val), copy(self)
        scored.__dict__.pop("feature_names_in_", None)  # X_val has become an array
        scored._sparse_labels = False  # as y_val is dense

        def score(_targets, _predictions, **weighted):
            return scorer(scored, X_val, y_val, **weighted)

        return score

    def _evaluate(self, X, y) -> tuple[float, float]:
        """Return loss and score of other data, as validation data have them after each epoch."""
        self._take_n_threads()
        targets = self._encode(y)
        score = self._scorer_of(X, targets)
        return self._trainer.evaluate(X, self._targets_of(targets), score=score)

    def _weights_of(self, data) -> np.ndarray | None:
        """Return the weights of the samples to train on; a classifier's classes have a say in them."""
        return data.sample_weight

    @property
    def best_validation_score_(self) -> float | None:
        """The best of ``validation_scores_``, NaN left out; None without validation data."""
        if not self.validation_scores_:
            return None
        return max((one for one in self.validation_scores_ if not np.isnan(one)), default=np.nan)

    @property
    def _no_improvement_count(self) -> int:
        """Epochs since what is watched last improved by ``tol``, as scikit-learn calls them."""
        return self._trainer.watch.n_flat

    def _build(self, data):
        """Make the network and its trainer for these data; if it cannot be done, there are none."""
        self._scorer()  # a wrong one is told before anything is trained
        for name in ("network_", "_trainer"):
            self.__dict__.pop(name, None)
        self._set_outputs()
        random_state = check_random_state(self.random_state)
        dtype = self.dtype
        if dtype == "auto":
            dtype = "float32" if data.single else "float64"
        self.preparation_ = self.target_preparation_ = None
        if self.prepare is not None:
            kind = preparations.kind_for(data.X) if self.prepare == "auto" else self.prepare
            if self.prepare != "auto" or not issparse(data.X):
                check_sparse(data.X, prepare=self.prepare)
                self.preparation_ = data.once(kind, lambda: Preparation.fit(data.X, kind))
                self.preparation_.check_scales("X", self.__dict__.get("feature_names_in_"))
            if np.isinf(self._loss.target_range).all() and self.out_activation_ == "identity":
                self.target_preparation_ = data.once("targets", lambda: self._prepare_targets(data.targets))
        hidden = self._hidden_layers()
        network = Network(
            [*hidden, Dense(self.n_outputs_, self.out_activation_)],
            data.X.shape[1],
            dtype=dtype,
            engine=self.engine,
            n_threads=self.n_threads,
            initializer=self._initializers(hidden),
            preparation=self.preparation_,
            random_state=random_state,
        )
        self.n_layers_ = len(hidden) + 2
        self._make_trainer(data, random_state, network)
        self.network_ = network
        self._epochs_before = 0
        self._random_state = deepcopy(random_state)  # for what is held out, in this fit and those that go on

    def _make_trainer(self, data, random_state, network):
        optimizer = self._optimizer()
        # As in scikit-learn, L-BFGS takes all samples: only a user's own validation data stop it early.
        stops_early = self.early_stopping and not (is_full_batch(optimizer) and data.X_val is None)
        schedule = named("schedule", self._schedule(optimizer), schedules.BY_NAME)
        is_heeded = not (schedule.runs_to_the_end or is_full_batch(optimizer))
        self._trainer = Trainer(
            network,
            self._loss,
            optimizer=optimizer,
            schedule=schedule,
            batch_size=200 if self.batch_size == "auto" else int(self.batch_size),
            alpha=self.alpha,
            l2=self.l2,
            l1=self.l1,
            clip_value=self.clip_value,
            clip_norm=self.clip_norm,
            ema_decay=self.ema_decay,
            augmentation=self.augmentation,
            image_shape=self.image_shape,
            input_dropout=self.input_dropout,
            input_noise=self.input_noise,
            shuffle=self.shuffle,
            random_state=random_state,
            tol=self.tol if stops_early or is_heeded else None,
            n_iter_no_change=self.n_iter_no_change,
            watch="val_score" if stops_early else "loss",
            restore_best=stops_early,
            max_seconds=self.max_seconds,
            target_preparation=self.target_preparation_,
            callbacks=(*([PrintEpoch()] if self.verbose else []), *self.callbacks),
        )
        self._trained_by = self._frozen_params()

    def _set_outputs(self) -> None:
        """Choose the loss, and with it the outputs; what the data have is already known."""
        self._loss = self._choose_loss()
        self._loss_name = self._loss.name

    def save(self, path) -> None:
        """Write the fitted model to a file that `fastmlp.load`, NumPy, PyTorch and JAX can read.

        Parameters
        ----------
        path : str or path-like
            By custom ending in .safetensors. A file of that name is replaced, in one move; a symbolic
            link stays, and a FIFO or a device is written into.

        Raises
        ------
        TypeError, ValueError
            If the model is of a subclass, or has parameters, class labels or weights that a file cannot hold.
        """
        saving.save(self, path)

    def _validate(self, X, y, reset):
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=list(INPUT_DTYPES),
            multi_output=True,
            y_numeric=self._y_numeric,
            reset=reset,
        )
        check_places(X)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y

    def __sklearn_is_fitted__(self):
        return "network_" in self.__dict__  # classes_ is there sooner, also if the fit then fails

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @property
    def coefs_(self) -> list[np.ndarray]:
        """The weights of each layer, (n_in, n_out), after the preparation: views of the parameters."""
        return self._fitted("coefs_").coefs_

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """The biases of each layer, (n_out,): views of the parameters."""
        return self._fitted("intercepts_").intercepts_

    def _fitted(self, attribute):
        if "network_" not in self.__dict__:
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {attribute!r} before it is fitted"
            )
        return self.network_


def _is_single(X) -> bool:
    """Return whether X, as it was given, is anything but float64: bytes, integers, float32."""
    kinds = [X.dtype] if hasattr(X, "dtype") else list(getattr(X, "dtypes", [np.dtype(np.float64)]))
    # pandas' nullable and sparse types have the type of NumPy that they stand for; polars' have names alone.
    kinds = [getattr(kind, "numpy_dtype", getattr(kind, "subtype", kind)) for kind in kinds]
    return not any(kind == np.float64 or str(kind) == "Float64" for kind in kinds)
