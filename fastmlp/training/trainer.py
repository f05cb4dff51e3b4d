"""Training: what it is told, and the data that it takes; fit.py goes through the epochs."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from fastmlp import augmentations, optimizers, schedules
from fastmlp._support.checks import check_together, named, naming, number, shown, some_weight, weights
from fastmlp._support.progress import show_progress
from fastmlp.callbacks import Callback, EveryNSteps
from fastmlp.network.inputs import check_sparse
from fastmlp.network.network import Network
from fastmlp.optimizers import is_full_batch
from fastmlp.training import lbfgs
from fastmlp.training.divergence import DivergenceWarning
from fastmlp.training.fit import Epochs, Fit
from fastmlp.training.history import History
from fastmlp.training.watch import Watch


class Trainer(Epochs):
    """Trains a network; a second `fit` goes on where the first one stopped.

    Parameters
    ----------
    network : Network
    loss : str or object
        See `fastmlp.losses`; it must go with the network's last activation.
    optimizer : str or object, default="adam"
        See `fastmlp.optimizers`.
    schedule : str or object, default="constant"
        See `fastmlp.schedules`.
    batch_size : int, default=128
        Not for L-BFGS, which always takes all samples.
    alpha : float, default=0
        scikit-learn's L2 penalty: alpha / 2 |W|^2 / batch size is added to each batch's loss.
    l2, l1 : float, default=0
        Penalties that do not depend on the batch size: l2 |W|^2 and l1 |W|_1 are added to the loss, so that
        the gradient of a weight w gains 2 l2 w and l1 sign(w). Biases carry no penalty.
    clip_value, clip_norm : float or None, default=None
        Cut every element of a batch's gradient to +-clip_value, or scale the whole gradient down to a norm of
        clip_norm, before the penalties. The second costs a pass over all parameters.
    ema_decay : float in [0, 1) or None, default=None
        If given, the network has an exponential moving average of the parameters: after step t, a share
        1 - min(ema_decay, (1 + t) / (10 + t)) of the difference is added to it. The parameters it is the
        average of go on in the trainer, also from fit to fit; the training loss is theirs.
    augmentation : str, object, sequence of these or None, default=None
        Changes made at random to the images of each batch, see `fastmlp.augmentations`.
    image_shape : (height, width) or (height, width, channels), optional
        The images that the rows of X are; by default square, of one channel.
    input_dropout : float in [0, 1), default=0
        The share of each sample's inputs that a step sets to zero; the others it divides by the rest.
    input_noise : float, default=0
        The standard deviation of what is added to the inputs, once they are prepared; drawn for each step.
    shuffle : bool, default=True
        Whether each epoch takes the samples in a new order.
    random_state : int, RandomState instance or None, default=None
        For the order of the samples and the augmentation.
    tol : float or None, default=None
        If given, the plateau rule: what is watched has stopped improving when it did not improve by ``tol``
        in ``n_iter_no_change`` epochs; the schedule then says whether to stop.
    n_iter_no_change : int, default=10
    watch : {"loss", "val_loss", "val_score"}, default="loss"
        What decides on a plateau and on the best epoch: the training loss, or the validation data's.
    restore_best : bool, default=False
        Whether a fit, however it ends, leaves the network with the parameters of its best epoch.
    max_seconds : float or None, default=None
        A fit ends when it has taken so long, if need be amid an epoch, which then counts with the samples
        that it had.
    target_preparation : Preparation or None, default=None
        Standardisation of the targets, applied as they are read. Validation scores are then computed in
        float64, whatever the network's type: their units may be finer than float32 can tell apart.
    score : callable or None, default=None
        ``score(y_val, predictions)``, and ``sample_weight`` if these samples have weights; by default
        accuracy for the losses of probabilities, the mean D^2 for quantiles, and R^2 for the others.
        Predictions are the outputs, of the Poisson loss their exponentials, in the units of y_val.
    callbacks : sequence of callables, default=()
        See `fastmlp.callbacks`.
    progress : bool or None, default=None
        Whether to draw a progress bar; None draws one on a terminal, if rich is installed.

    Attributes
    ----------
    history : History
    n_epochs : int
        Epochs trained so far.
    samples_seen : int
        Samples trained on so far, scikit-learn's ``t_``.
    divergence : str
        How the last fit diverged; empty if it did not.
    limit : str
        What ended the last fit by L-BFGS before it had converged; empty if it had, or was told to stop.

    Examples
    --------
    >>> from fastmlp import Network, Trainer
    >>> from fastmlp.datasets import load_digits
    >>> from fastmlp.layers import Dense
    >>> data = load_digits()
    >>> network = Network([Dense(32), Dense(10, "softmax")], n_features=64, random_state=0)
    >>> trainer = Trainer(network, "cross_entropy", batch_size=32, random_state=0)
    >>> history = trainer.fit(data.X_train, data.y_train, data.X_test, data.y_test, epochs=10)
    >>> history.val_score[-1] > 0.9
    True
    """

    def __init__(
        self,
        network: Network,
        loss: Any,
        *,
        optimizer: Any = "adam",
        schedule: Any = "constant",
        batch_size: int = 128,
        alpha: float = 0.0,
        l2: float = 0.0,
        l1: float = 0.0,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        augmentation: Any = None,
        image_shape: Sequence[int] | None = None,
        input_dropout: float = 0.0,
        input_noise: float = 0.0,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float | None = None,
        n_iter_no_change: int | float = 10,
        watch: str = "loss",
        restore_best: bool = False,
        max_seconds: float | None = None,
        target_preparation: Any = None,
        score: Callable | None = None,
        callbacks: Sequence[Callback] = (),
        progress: bool | None = None,
    ):
        number("batch_size", batch_size, at_least=1, whole=True)
        for name, penalty in (("alpha", alpha), ("l2", l2), ("l1", l1)):
            number(name, penalty, at_least=0)
        for name, limit in (
            ("max_seconds", max_seconds), ("clip_value", clip_value), ("clip_norm", clip_norm),
        ):  # fmt: skip
            if limit is not None:
                number(name, limit, above=0)
        if ema_decay is not None:
            number("ema_decay", ema_decay, at_least=0, below=1)
        self._augmentation = augmentations.engine_options(augmentation, image_shape, network.n_features)
        number("input_dropout", input_dropout, at_least=0, below=1)
        number("input_noise", input_noise, at_least=0)
        for callback in callbacks:
            if not callable(callback):
                raise TypeError(f"callbacks has {shown(callback)}, which cannot be called.")
        self.network = network
        self.loss = network.check_loss(loss)
        if target_preparation is not None:
            if np.isfinite(self.loss.target_range).any():
                raise ValueError(
                    f"target_preparation does not go with loss={self.loss.name!r}: targets that are "
                    "standardised may be any number."
                )
            n_targets = network.n_outputs // self.loss.outputs_per_target
            target_preparation.check_width("target_preparation", n_targets)
        self.optimizer = optimizers.chosen("optimizer", optimizer)
        self.schedule = named("schedule", schedule, schedules.BY_NAME)
        self.batch_size, self.shuffle = int(batch_size), shuffle
        self.alpha, self.l2, self.l1 = float(alpha), float(l2), float(l1)
        self.clip_value, self.clip_norm, self.ema_decay = clip_value, clip_norm, ema_decay
        self.input_dropout, self.input_noise = float(input_dropout), float(input_noise)
        self.watch = Watch(watch, tol, n_iter_no_change)
        self.restore_best, self.max_seconds = restore_best, max_seconds
        self.target_preparation, self.score = target_preparation, score
        self.callbacks, self.progress = tuple(callbacks), progress
        self.history, self.n_epochs, self.samples_seen = History(), 0, 0
        self.divergence = self.limit = ""
        self._seed = int(check_random_state(random_state).randint(2**31))
        self.begin_epoch: Callable[[], None] | None = None
        self.best_of_calls, self._best_of_calls = False, None
        self._moments = [network.new_vector() for _ in range(self.optimizer.n_moments)]
        self._n_steps = 0
        self._raw = None
        self.has_begun = False
        if is_full_batch(self.optimizer):
            lbfgs.check_goes_with(
                network,
                schedule=self.schedule,
                l1=l1,
                clip_value=clip_value,
                clip_norm=clip_norm,
                ema_decay=ema_decay,
                input_dropout=input_dropout,
                input_noise=input_noise,
                callbacks=[callback for callback in self.callbacks if isinstance(callback, EveryNSteps)],
                augmentation=augmentation,
            )
        self._base_rate = self.optimizer.learning_rate

    def __repr__(self):
        return (
            f"<Trainer of {self.network!r} by {self.optimizer.solver}, {self.loss.name}, "
            f"{self.n_epochs} epochs so far>"
        )

    def fit(
        self, X, y, X_val=None, y_val=None, *, epochs: int = 10, rows=None, sample_weight=None,
        sample_weight_val=None,
    ) -> History:  # fmt: skip
        """Train for a number of epochs.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            uint8, float32 and float64 are read in place, in any strides, also read-only or memory-mapped; if
            the file of a map becomes shorter meanwhile, the system ends the process (SIGBUS). CSR is copied,
            its values in the network's type.
        y : array-like
            As for `Network.gradients`. Class labels are copied.
        X_val, y_val : array-like, optional
            Validation data, scored after every epoch.
        epochs : int, default=10
        rows : array-like of int, optional
            Train on these rows of X only; X is not copied for it.
        sample_weight : array-like of shape (n_samples,), optional
            A weight of at least 0 for each row of X: a batch's loss is sum(weights * losses) / sum(weights),
            and in the penalties the sum of the weights takes the batch size's place. A batch of weights that
            are all 0 changes nothing.
        sample_weight_val : array-like, optional
            Weights for the validation loss and score.

        Returns
        -------
        History
            Also kept as `history`. A fit that diverges warns with `DivergenceWarning`.
        """
        number("epochs", epochs, at_least=1, whole=True)
        check_together(X_val, y_val)
        X = self.network.check_inputs(X)
        targets = self.network.check_targets(X, y, self.loss)
        sample_weight = weights("sample_weight", sample_weight, X.shape[0])
        if X_val is not None:
            with naming("X_val", "y_val"):
                X_val = self.network.check_inputs(X_val)
                self.network.check_targets(X_val, y_val, self.loss)
            sample_weight_val = weights("sample_weight_val", sample_weight_val, X_val.shape[0])
        elif sample_weight_val is not None:
            raise ValueError("sample_weight_val needs X_val and y_val.")
        rows = np.arange(X.shape[0]) if rows is None else _check_rows(rows, X.shape[0])
        if self.watch.is_flat():  # the fit before ended by it
            self.watch.begin_anew()
        with show_progress(self.progress, epochs, len(rows)) as bar:
            self.train(X, targets, X_val, y_val, epochs, rows, bar, sample_weight, sample_weight_val)
        if self.divergence:
            warnings.warn(self.divergence, DivergenceWarning, stacklevel=2)
        return self.history

    def train(
        self, X, targets, X_val, y_val, epochs: int, rows, bar, sample_weight=None, sample_weight_val=None
    ) -> None:
        """Train as `fit` does, on data that are checked, without a word: it leaves `divergence` to be told.

        Parameters
        ----------
        X, targets, X_val, y_val, epochs, rows
            As `fit` has them once it has checked them.
        bar : object
            See `fastmlp.progress`. Its ``update`` is called every 50 ms and after each epoch; what it raises
            ends the fit.
        sample_weight, sample_weight_val
            As `fit` has them once it has checked them.
        """
        check_sparse(
            X,
            preparation=self.network.preparation,
            dtype="bfloat16" if self.network.is_mixed else None,
            augmentation=self._augmentation,
            input_dropout=self.input_dropout,
            input_noise=self.input_noise,
        )
        X = self.network.read_sparse(X)
        if X_val is not None:
            X_val = self.network.read_sparse(X_val)
        if sample_weight is not None:
            some_weight("sample_weight of the rows to train on", sample_weight[rows])
        if sample_weight_val is not None:
            some_weight("sample_weight of the validation data", sample_weight_val)
        self._own_vectors()
        if self.ema_decay is not None and self._raw is None:
            self._raw = self.network.new_vector()
            np.copyto(self._raw, self.network.parameters)
        validation = None if X_val is None else (X_val, y_val, sample_weight_val)
        fit = Fit(
            validation,
            bar,
            epochs,
            self.n_epochs + epochs,
            len(rows),
            float(len(rows) if sample_weight is None else sample_weight[rows].sum()),
            stop_at=time.perf_counter() + (self.max_seconds or np.inf),
            good=self._snapshot(),
            best=self._best_so_far() if self.restore_best else None,
        )
        run = self._run_lbfgs if is_full_batch(self.optimizer) else self._run_epochs
        with self._session(X, targets, rows, sample_weight) as session:
            self.history.converged = self.history.diverged = False
            self.divergence = self.limit = ""
            self.has_begun = True
            try:
                run(session, fit)
            finally:
                if fit.best is not None:
                    self._end_at_best(fit.best)

    def _session(self, X, targets, rows, sample_weight):
        """Open the engine's training for these data, with the moments so far, or for L-BFGS its gradients."""
        trained = [layer for layer in self.network.layers if layer.trainable]
        if not trained:
            raise ValueError(
                "every layer of the network is frozen (trainable=False): there is nothing to train."
            )
        if min(self.batch_size, len(rows)) < 2 and any(layer.batch_norm for layer in trained):
            raise ValueError(
                f"batch_norm=True needs batches of at least 2 samples; batch_size={self.batch_size} and "
                f"{len(rows)} rows make batches of 1."
            )
        prepared = self.target_preparation and (self.target_preparation.center, self.target_preparation.scale)
        if prepared and not self.target_preparation.can_prepare_in(self.network.dtype):
            targets = np.asarray(targets, dtype=np.float64)  # the engine prepares it before it rounds
        if is_full_batch(self.optimizer):
            return self.network.full_batch(
                X, targets, self.loss, rows=rows, targets_preparation=prepared, sample_weight=sample_weight
            )
        averaging = {}
        if self.ema_decay is not None:
            averaging = {
                "parameters": self._raw, "average": self.network.parameters, "ema_decay": self.ema_decay,
            }  # fmt: skip
        return self.network.training(
            X,
            targets,
            self.loss,
            batch_size=min(self.batch_size, len(rows)),
            targets_preparation=prepared,
            sample_weight=sample_weight,
            rows=rows,
            optimizer=self.optimizer.options(),
            moments=self._moments,
            alpha=self.alpha,
            l2=self.l2,
            l1=self.l1,
            clip_value=self.clip_value or 0.0,
            clip_norm=self.clip_norm or 0.0,
            input_dropout=self.input_dropout,
            input_noise=self.input_noise,
            shuffle=self.shuffle,
            seed=self._seed,
            n_steps=self._n_steps,
            augmentation=self._augmentation,
            **averaging,
        )


def _check_rows(rows, n_samples: int) -> np.ndarray:
    rows = np.array(rows)  # a copy: the engine reads where they point, and nobody else may change them
    if (
        rows.ndim != 1
        or len(rows) == 0
        or rows.dtype.kind not in "iu"
        or rows.min() < 0
        or rows.max() >= n_samples
    ):
        raise ValueError(f"rows must be one or more row numbers from 0 to {n_samples - 1}.")
    return np.ascontiguousarray(rows, dtype=np.int64)
