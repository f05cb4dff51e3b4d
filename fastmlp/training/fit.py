"""How a fit goes through its epochs: slices, callbacks, validation, plateaus, and back from divergence."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp import schedules
from fastmlp._support.checks import are_equal
from fastmlp.callbacks import Callback, EpochEnd, EveryNSteps, StepEnd
from fastmlp.network.network import Network
from fastmlp.training import lbfgs
from fastmlp.training.divergence import describe, find_broken, is_sound
from fastmlp.training.history import History
from fastmlp.training.watch import Watch

#: Seconds of work between two looks at the clock, at signals and at the progress bar.
SLICE_SECONDS = 0.05


@dataclass
class Fit:
    """A call of `Trainer.train`: how long it goes on, and what each of its epochs ends with."""

    validation: tuple | None  # X, y and weights
    bar: Any
    n_epochs: int
    last_epoch: int
    n_samples: int
    total_weight: float
    stop_at: float
    good: list[np.ndarray]  # the parameters after the last epoch that went well
    best: list[np.ndarray] | None  # and those of the best epoch, if they are to be restored when it ends


class Epochs:
    """Base of `Trainer`, whose constructor sets all of this."""

    network: Network
    loss: Any
    optimizer: Any
    schedule: Any
    batch_size: int
    alpha: float
    l2: float
    watch: Watch
    target_preparation: Any
    score: Callable | None
    callbacks: tuple[Callback, ...]
    history: History
    n_epochs: int
    samples_seen: int
    divergence: str
    limit: str
    #: Whether training has begun: what fails before that has changed nothing.
    has_begun: bool
    _moments: list[np.ndarray]
    _n_steps: int
    _base_rate: float
    _seed: int
    ema_decay: float | None
    #: Called as an epoch begins, also of L-BFGS, where that is known once the loss is next evaluated.
    begin_epoch: Callable[[], None] | None
    #: Whether to restore the best epoch of all calls of `train` when one of them ends on a plateau, rather
    #: than each call's best; its parameters are kept from call to call.
    best_of_calls: bool
    _best_of_calls: list[np.ndarray] | None
    #: The parameters that are trained, where the network's own are their average.
    _raw: np.ndarray | None

    def resume(self, history: History, samples_seen: int, watch: Watch | None = None) -> None:
        """Go on with the history of an earlier trainer of this network; the solver begins anew.

        Parameters
        ----------
        history : History
        samples_seen : int
        watch : Watch or None, default=None
            The earlier trainer's, if it is there.
        """
        self.history, self.n_epochs, self.samples_seen = history, len(history.loss), samples_seen
        self.watch.go_on(history, watch)

    def take_over(self, earlier: Epochs, keeps_solver: bool, is_comparable: bool) -> None:
        """Go on from where an earlier trainer of this network is, by the settings of this one.

        Parameters
        ----------
        earlier : Trainer
        keeps_solver : bool
            Whether the state of its solver, which is of the same kind, is taken over, with the order of the
            samples. A rate that its schedule has lowered stays if neither rate nor schedule is another.
        is_comparable : bool
            Whether the best value that it saw is one for this trainer, too.
        """
        self.resume(earlier.history, earlier.samples_seen, earlier.watch)
        averages = self.ema_decay is not None
        if not is_comparable:
            self.watch.forget()
        elif self.watch.watched == earlier.watch.watched and earlier._best_of_calls is not None:
            self._best_of_calls = earlier._best_of_calls[: 1 + averages]
            if len(self._best_of_calls) <= averages:
                self._best_of_calls.append(self._best_of_calls[0].copy())
        if not keeps_solver:
            return
        self._seed, self._n_steps = earlier._seed, earlier._n_steps
        n = min(len(self._moments), len(earlier._moments))
        self._moments[:n] = earlier._moments[:n]
        self._raw = earlier._raw if averages else None
        rate, earlier_rate = self.optimizer.learning_rate, earlier.optimizer.learning_rate
        if rate == earlier_rate and are_equal(self.schedule, earlier.schedule):
            self._base_rate = earlier._base_rate

    def _own_vectors(self) -> None:
        """Copy what was loaded into memory that is read-only, or a file's, such as joblib's memory maps."""
        self._moments = [self._owned(vector) for vector in self._moments]
        if self._raw is not None:
            self._raw = self._owned(self._raw)
        if self._best_of_calls is not None:
            self._best_of_calls = [self._owned(vector) for vector in self._best_of_calls]

    def _owned(self, vector: np.ndarray) -> np.ndarray:
        if type(vector) is np.ndarray and vector.flags.writeable:
            return vector
        copy = self.network.new_vector()
        np.copyto(copy, vector)
        return copy

    def _vectors(self) -> list[np.ndarray]:
        """Return all that training changes but the moments; the last is what the steps are made on."""
        return [self.network.parameters] if self._raw is None else [self.network.parameters, self._raw]

    def _snapshot(self) -> list[np.ndarray]:
        return [vector.copy() for vector in self._vectors()]

    def _update(self, snapshot) -> None:
        """Make a snapshot one of the present."""
        for kept, vector in zip(snapshot, self._vectors(), strict=True):
            np.copyto(kept, vector)

    def _go_back_to(self, snapshot) -> None:
        for kept, vector in zip(snapshot, self._vectors(), strict=True):
            np.copyto(vector, kept)

    def _best_so_far(self) -> list[np.ndarray]:
        """Return where the best parameters of this call are kept, or of all calls."""
        if not self.best_of_calls:
            self._best_of_calls = None
            self.history._epoch_of_best = self.history.kept_epoch
            return self._snapshot()
        if self._best_of_calls is None:
            self.history._epoch_of_best = self.history.kept_epoch
            self._best_of_calls = self._snapshot()
            self.watch.begin_anew()
        return self._best_of_calls

    def _end_at_best(self, best) -> None:
        """Go back to the best parameters; of many calls only once they have come to a plateau."""
        if self.history.best_epoch is None or (self.best_of_calls and not self.history.converged):
            return
        self._go_back_to(best)
        self.history.kept_epoch = self.history._epoch_of_best
        if self.best_of_calls:
            self.watch.begin_anew()

    def _run_epochs(self, session, fit: Fit) -> None:
        """Go through the epochs until they or the time are over, a callback says stop or nothing improves."""
        n_batches = -(-fit.n_samples // min(self.batch_size, fit.n_samples))
        for epoch in range(fit.n_epochs):
            if self.begin_epoch is not None:
                self.begin_epoch()
            clock = schedules.Clock(epoch * n_batches, n_batches, fit.n_epochs * n_batches, self.samples_seen)
            rates = self.schedule.rates(self._base_rate, clock)
            session.start_epoch(self.n_epochs, rates, self.schedule.momenta(self.optimizer.momentum, clock))
            started = time.perf_counter()
            try:
                stops = self._run_slices(session, fit, epoch, rates)
            finally:  # also after Ctrl-C: the moments have made these steps
                self._n_steps = session.n_steps
            seconds = time.perf_counter() - started
            if session.has_diverged or not is_sound(self._vectors()[-1], session):
                self._restore(fit.good)
                return
            if self._end_epoch(fit, session.mean_loss, rates[-1], seconds, session.n_samples_seen) or stops:
                return

    def _run_slices(self, session, fit: Fit, epoch, rates) -> bool:
        """Run the engine until the epoch or the time is over; return whether a callback said stop."""
        callbacks = [callback for callback in self.callbacks if isinstance(callback, EveryNSteps)]
        while True:
            before, n_batches = session.n_steps, None
            if callbacks:
                n_batches = min(callback.n - before % callback.n for callback in callbacks)
            is_over = session.run(min(SLICE_SECONDS, fit.stop_at - time.perf_counter()), n_batches)
            if session.n_steps > before and not session.has_diverged:
                due = [callback for callback in callbacks if session.n_steps % callback.n == 0]
                if due and self._end_step(session, due, fit.n_samples, rates):
                    return True
            if is_over or time.perf_counter() >= fit.stop_at:
                return False
            fit.bar.update(epoch, session.n_samples_seen, session.mean_loss)

    def _end_step(self, session, callbacks, n_samples, rates) -> bool:
        """Call the callbacks that are due; return whether one says stop."""
        batch = -(-session.n_samples_seen // min(self.batch_size, n_samples)) - 1
        event = StepEnd(
            session.n_steps, self.n_epochs + 1, session.mean_loss, float(rates[batch]), self.network
        )
        stops = [callback(event) for callback in callbacks]  # all of them, also after one says stop
        return any(stops)

    def _run_lbfgs(self, gradient, fit: Fit) -> None:
        """Let SciPy minimise the loss of all samples; each of its iterations is an epoch."""
        loss = lbfgs.FullBatchLoss(self.network, gradient, self.alpha / fit.total_weight + 2 * self.l2)
        started, n_before = time.perf_counter(), 0

        def end_evaluation(value):
            if self.begin_epoch is not None:
                self.begin_epoch()
            fit.bar.update(self.n_epochs - fit.last_epoch + fit.n_epochs, 0, value)
            return time.perf_counter() >= fit.stop_at

        def end_iteration(value):
            nonlocal started, n_before
            n_samples, seconds = fit.n_samples * (loss.n_calls - n_before), time.perf_counter() - started
            stops = self._end_epoch(fit, value, self.optimizer.learning_rate, seconds, n_samples)
            started, n_before = time.perf_counter(), loss.n_calls
            return stops

        try:
            self.limit = lbfgs.minimise(loss, self.optimizer, fit.n_epochs, end_iteration, end_evaluation)
        except FloatingPointError as error:
            self._note_divergence(str(error), "standardise the data, or begin with smaller weights")
        else:
            self.history.converged |= loss.has_converged

    def _end_epoch(self, fit: Fit, loss, rate, seconds, n_samples) -> bool:
        """Take in an epoch that went well; return whether the fit should stop."""
        self._update(fit.good)
        event = self._finish_epoch(loss, fit.last_epoch, rate, seconds, n_samples, fit.validation)
        if self.watch.see(event):
            self.history.best_epoch = event.epoch
            if fit.best is not None:
                self._update(fit.best)
                self.history._epoch_of_best = event.epoch
        self._base_rate = self.schedule.after_epoch(self._base_rate, self.history)
        fit.bar.update(event.epoch - fit.last_epoch + fit.n_epochs, 0, event.loss, event.val_score)
        stops = [callback(event) for callback in self.callbacks]  # all of them, also after one says stop
        return any(stops) or self._has_converged() or time.perf_counter() >= fit.stop_at

    def _finish_epoch(self, loss, last_epoch, rate, seconds, n_samples, validation) -> EpochEnd:
        """Evaluate the validation data, (X, y, weights) or None, and write the epoch into the history."""
        val_loss = val_score = None
        if validation is not None:
            val_loss, val_score = self.evaluate(*validation)
        event = EpochEnd(
            self.n_epochs + 1, last_epoch, float(loss), val_loss, val_score, float(rate), seconds,
            n_samples / max(seconds, 1e-9), self.network,
        )  # fmt: skip
        # Only now, that scoring may not leave half an epoch behind if it is broken off.
        self.history.append(event)
        self.n_epochs += 1
        self.samples_seen += n_samples
        return event

    def evaluate(self, X, y, sample_weight=None, score=None) -> tuple[float, float]:
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
        targets = y
        if self.target_preparation is not None:
            targets = np.asarray(y, dtype=np.float64).reshape(X.shape[0], -1)
            targets = (targets - self.target_preparation.center) * self.target_preparation.scale
        loss, outputs = self.network.evaluate(X, targets, self.loss, sample_weight)
        if self.target_preparation is None:
            outputs = self.loss.predictions(outputs)
        else:
            outputs = self.target_preparation.repeated(self.loss.outputs_per_target).invert(outputs)
        weighted = {} if sample_weight is None else {"sample_weight": sample_weight}
        return loss, float((score or self.score or self.loss.score)(y, outputs, **weighted))

    def _has_converged(self) -> bool:
        """Ask the schedule what to do on a plateau; return whether to stop."""
        if not self.watch.is_flat():
            return False
        rate = self.schedule.on_plateau(self._base_rate)
        if rate is None:
            self.history.converged = True
            return True
        self._base_rate = rate
        self.watch.begin_anew()
        return False

    def _restore(self, good) -> None:
        """Go back to the last good epoch's parameters, and say where training broke."""
        where = find_broken(self.network.plan, self._vectors()[-1])
        self._go_back_to(good)
        for moment in self._moments:
            moment[:] = 0
        self._note_divergence(
            where, f"try a learning rate below {self._base_rate:g}, or standardise the data"
        )

    def _note_divergence(self, where: str, advice: str) -> None:
        self.history.diverged = True
        self.divergence = describe(where, self.n_epochs, advice)
