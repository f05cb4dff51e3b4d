"""`Trainer`: it trains a network, in one call or many."""

from __future__ import annotations

import html
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import optimizers, schedules
from fastmlp._support.checks import named, number
from fastmlp._support.progress import SILENT, show_progress
from fastmlp.augmentations import Augmentation
from fastmlp.callbacks import Callback
from fastmlp.losses import Loss
from fastmlp.network.network import Network
from fastmlp.network.preparation import Preparation
from fastmlp.training import pickles
from fastmlp.training.data import Matrix, Observer, Reporter, Score, TrainingData, Validation
from fastmlp.training.divergence import DivergenceWarning
from fastmlp.training.evaluation import evaluate
from fastmlp.training.fit import Fit
from fastmlp.training.history import History
from fastmlp.training.settings import Settings
from fastmlp.training.state import State
from fastmlp.training.watch import Watch


class Trainer:
    """Trains a network; a second `fit` continues where the first one stopped.

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
        1 - min(ema_decay, (1 + t) / (10 + t)) of the difference is added to it. The trainer keeps the
        parameters that are averaged, also from fit to fit; the training loss is theirs.
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
    network : Network
    history : History
    n_epochs, samples_seen : int
    divergence, limit : str

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
        loss: str | Loss,
        *,
        optimizer: str | optimizers.Optimizer = "adam",
        schedule: str | schedules.Schedule = "constant",
        batch_size: int = 128,
        alpha: float = 0.0,
        l2: float = 0.0,
        l1: float = 0.0,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        augmentation: str | Augmentation | Sequence[str | Augmentation] | None = None,
        image_shape: Sequence[int] | None = None,
        input_dropout: float = 0.0,
        input_noise: float = 0.0,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float | None = None,
        n_iter_no_change: float = 10,
        watch: str = "loss",
        restore_best: bool = False,
        max_seconds: float | None = None,
        target_preparation: Preparation | None = None,
        score: Score | None = None,
        callbacks: Sequence[Callback] = (),
        progress: bool | None = None,
    ):
        self.network: Network = network
        self.settings = Settings(
            loss=network.check_loss(loss), optimizer=optimizers.chosen("optimizer", optimizer),
            schedule=named("schedule", schedule, schedules.BY_NAME), batch_size=batch_size, alpha=alpha,
            l2=l2, l1=l1, clip_value=clip_value, clip_norm=clip_norm, ema_decay=ema_decay,
            augmentation=augmentation, image_shape=image_shape, input_dropout=input_dropout,
            input_noise=input_noise, shuffle=shuffle, restore_best=restore_best, max_seconds=max_seconds,
            target_preparation=target_preparation, score=score, callbacks=tuple(callbacks), progress=progress,
        )  # fmt: skip
        self.settings.check_goes_with(network)
        self.state = State.initial(network, Watch(watch, tol, n_iter_no_change), self.optimizer, random_state)

    def __repr__(self) -> str:
        by = f"{self.optimizer.solver}, {self.loss.name}"
        return f"<Trainer of {self.network!r} by {by}, {self.n_epochs} epochs so far>"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p>\n{self.history.to_html()}"

    def __getstate__(self) -> dict[str, Any]:
        return pickles.to_dict(self.network, self.settings, self.state)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.network, self.settings, self.state = pickles.from_dict(state)

    @property
    def loss(self) -> Loss:
        """What training minimises."""
        return self.settings.loss

    @property
    def optimizer(self) -> optimizers.Optimizer:
        """The solver."""
        return self.settings.optimizer

    @property
    def schedule(self) -> schedules.Schedule:
        """What changes the learning rate."""
        return self.settings.schedule

    @property
    def batch_size(self) -> int:
        """Samples of a batch; a call with fewer takes them all at once."""
        return self.settings.batch_size

    @property
    def restore_best(self) -> bool:
        """Whether a fit ends with the parameters of its best epoch."""
        return self.settings.restore_best

    @property
    def target_preparation(self) -> Preparation | None:
        """The standardisation of the targets."""
        return self.settings.target_preparation

    @property
    def callbacks(self) -> tuple[Callback, ...]:
        """What is called after each epoch, or every so many steps."""
        return self.settings.callbacks

    @property
    def history(self) -> History:
        """What happened in each epoch."""
        return self.state.history

    @property
    def n_epochs(self) -> int:
        """Epochs trained so far."""
        return self.state.n_epochs

    @property
    def samples_seen(self) -> int:
        """Samples trained on so far, scikit-learn's ``t_``."""
        return self.state.samples_seen

    @property
    def divergence(self) -> str:
        """How the last fit diverged; empty if it did not."""
        return self.state.divergence

    @property
    def limit(self) -> str:
        """What ended the last fit by L-BFGS before it converged; empty if it converged or was stopped."""
        return self.state.limit

    @property
    def watch(self) -> Watch:
        """What decides on a plateau and on the best epoch."""
        return self.state.watch

    @property
    def has_begun(self) -> bool:
        """Whether any training has begun: what fails before that has changed nothing."""
        return self.state.has_begun

    def fit(
        self, X: Matrix, y: ArrayLike, X_val: Matrix = None, y_val: ArrayLike | None = None, *,
        epochs: int = 10, rows: ArrayLike | None = None, sample_weight: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
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
        data = TrainingData.checked(
            self.network, self.loss, X, y, X_val, y_val, rows=rows, sample_weight=sample_weight,
            sample_weight_val=sample_weight_val,
        )  # fmt: skip
        if self.watch.is_flat():  # the fit before ended by it
            self.watch.begin_anew()
        with show_progress(self.settings.progress, epochs, data.n_samples) as bar:
            self.train(data, epochs, reporter=bar)
        if self.divergence:
            warnings.warn(self.divergence, DivergenceWarning, stacklevel=2)
        return self.history

    def train(
        self, data: TrainingData, epochs: int, *, reporter: Reporter = SILENT,
        observer: Observer | None = None, keep_best_of_calls: bool = False,
    ) -> None:  # fmt: skip
        """Train as `fit` does, on data that are checked already; a divergence is noted, without a warning.

        Parameters
        ----------
        data : TrainingData
        epochs : int
        reporter : object, optional
            Its ``update(epoch, n_samples, loss, val_score=None)`` is called every 50 ms and after each epoch;
            an exception of it ends the training.
        observer : object, optional
            Its ``begin_epoch()`` is called as an epoch begins, by L-BFGS before each evaluation of the loss;
            its ``add_epoch(event)`` before the callbacks and its ``end_epoch(event)`` after them, with the
            same `fastmlp.callbacks.EpochEnd`. The latter stops the training if it returns True.
        keep_best_of_calls : bool, default=False
            With ``restore_best``: go back to the best epoch of all such calls, and only when one of them ends
            on a plateau, instead of each call to its own best epoch.

        Raises
        ------
        ValueError
            If the data do not go with the settings, or every layer of the network is frozen.
        RuntimeError
            If another fit is training the network.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network, Trainer
        >>> from fastmlp.layers import Dense
        >>> from fastmlp.training.data import TrainingData
        >>> X, y = np.eye(4), np.arange(4, dtype=np.int32)
        >>> trainer = Trainer(Network([Dense(4, "softmax")], 4, random_state=0), "cross_entropy")
        >>> trainer.train(TrainingData(X, y, rows=np.arange(3)), epochs=2)
        >>> trainer.n_epochs, trainer.samples_seen
        (2, 6)
        """
        Fit(
            self.network, self.settings, self.state, data, epochs, reporter=reporter, observer=observer,
            keep_best_of_calls=keep_best_of_calls,
        ).run()  # fmt: skip

    def evaluate(
        self, X: Matrix, y: ArrayLike, sample_weight: NDArray[np.float64] | None = None,
        score: Score | None = None,
    ) -> tuple[float, float]:  # fmt: skip
        """Return loss and score of other data, as validation data have them after each epoch.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like
            Targets as for `Trainer.fit`.
        sample_weight : array-like of shape (n_samples,), optional
        score : callable, optional
            In place of the trainer's own.

        Returns
        -------
        loss : float
            In the units of the training loss, without penalties.
        score : float
            In the units of y.
        """
        data = Validation(X, y, sample_weight, score)
        return evaluate(self.network, self.loss, self.target_preparation, data, self.settings.score)

    def resume(self, history: History, samples_seen: int) -> None:
        """Continue the history of an earlier trainer of this network; the solver begins anew.

        Parameters
        ----------
        history : History
        samples_seen : int
        """
        self.state.resume(history, samples_seen, None)

    def take_over(self, earlier: Trainer, keeps_solver: bool, is_comparable: bool) -> None:
        """Continue from where an earlier trainer of this network is, by the settings of this one.

        Parameters
        ----------
        earlier : Trainer
        keeps_solver : bool
            Whether the state of its solver, which is of the same kind, is taken over, with the order of the
            samples. A rate that its schedule has lowered stays if neither rate nor schedule is another.
        is_comparable : bool
            Whether the best value that it saw is one for this trainer, too.
        """
        self.state.take_over(
            earlier.state, averages=self.settings.ema_decay is not None, keeps_solver=keeps_solver,
            keeps_rate=self.settings.has_rate_of(earlier.settings), is_comparable=is_comparable,
        )  # fmt: skip
