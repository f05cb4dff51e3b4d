"""One call of training: its epochs, their slices and ends, and the way back from divergence."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastmlp._support.checks import frozen, some_weight
from fastmlp.callbacks import EpochEnd, EveryNSteps, StepEnd
from fastmlp.network.inputs import check_sparse
from fastmlp.network.network import Network
from fastmlp.optimizers import LBFGS, SGD, AdaDelta, AdaGrad, Adam, RMSprop
from fastmlp.schedules import Clock
from fastmlp.training import lbfgs
from fastmlp.training.data import Observer, Reporter, TrainingData
from fastmlp.training.divergence import describe, find_broken, is_sound
from fastmlp.training.evaluation import evaluate
from fastmlp.training.settings import Settings
from fastmlp.training.state import Snapshot, State

#: The optimizers that learn from batches.
Stepwise: TypeAlias = SGD | Adam | RMSprop | AdaGrad | AdaDelta

#: Seconds of work between two looks at the clock, at signals and at the progress bar.
SLICE_SECONDS = 0.05


class _Session(Protocol):
    """The engine's training, as `Network.training` yields it."""

    @property
    def n_steps(self) -> int: ...
    @property
    def n_samples_seen(self) -> int: ...
    @property
    def mean_loss(self) -> float: ...
    @property
    def has_diverged(self) -> bool: ...
    def start_epoch(self, epoch: int, rates: NDArray[np.float64], momenta: NDArray[np.float64]) -> None: ...
    def run(self, budget: float, n_batches: int | None = None) -> bool: ...
    def predicts_finite(self) -> bool: ...


class Fit:
    """One call of `Trainer.train`; `run` it once.

    Parameters
    ----------
    network : Network
    settings : Settings
    state : State
        What outlives the call.
    data : TrainingData
    n_epochs : int
    reporter : Reporter
    observer : Observer or None
    keep_best_of_calls : bool
        As for `Trainer.train`.

    Raises
    ------
    ValueError
        If the data do not go with the settings, or nothing of the network can be trained.
    """

    def __init__(
        self,
        network: Network,
        settings: Settings,
        state: State,
        data: TrainingData,
        n_epochs: int,
        *,
        reporter: Reporter,
        observer: Observer | None,
        keep_best_of_calls: bool,
    ):
        _check(network, settings, data)
        self.network, self.settings, self.state = network, settings, state
        self.data = _read(network, data)
        self.reporter, self.observer = reporter, observer
        self.n_epochs, self.last_epoch = n_epochs, state.n_epochs + n_epochs
        self.batch_size = int(min(settings.batch_size, data.n_samples))
        self.step_callbacks = settings.step_callbacks
        self.stop_at = time.perf_counter() + (settings.max_seconds or np.inf)
        state.own_vectors()
        if settings.ema_decay is not None:
            state.begin_average()
        #: The parameters after the last epoch that went well.
        self.good = state.snapshot()
        #: Those of the best epoch, if they are to be restored in the end.
        self.best: Snapshot | None = None
        self.keep_best_of_calls = keep_best_of_calls
        if settings.restore_best and keep_best_of_calls:
            self.best = state.best_of_calls()
        elif settings.restore_best:
            self.best, state.best = state.snapshot(), None

    def __repr__(self) -> str:
        return f"<Fit of {self.network!r} to {self.data.n_samples} samples, up to epoch {self.last_epoch}>"

    def run(self) -> None:
        """Train until the epochs or the time are over, a callback says stop or nothing improves.

        Raises
        ------
        RuntimeError
            If another fit is training the network.
        """
        optimizer = self.settings.optimizer
        if isinstance(optimizer, LBFGS):
            self._run_lbfgs(optimizer)
        else:
            self._run_epochs(optimizer)

    @contextmanager
    def _begun(self) -> Iterator[None]:
        """Note that training begins and, however it ends, go back to the best epoch."""
        self.state.begin()
        try:
            yield
        finally:
            if self.best is not None:
                self._end_at(self.best)

    def _end_at(self, best: Snapshot) -> None:
        """Go back to the best parameters; of many calls only once they have reached a plateau."""
        history, of_calls = self.state.history, self.keep_best_of_calls
        if history.best_epoch is None or (of_calls and not history.converged):
            return
        self.state.restore(best)
        if of_calls:
            self.state.watch.begin_anew()

    # ------------------------------------------------------------------------------------------- by batches

    def _run_epochs(self, optimizer: Stepwise) -> None:
        state, schedule, momentum = self.state, self.settings.schedule, optimizer.momentum
        n_batches = -(-self.data.n_samples // self.batch_size)
        with self._session(optimizer) as session, self._begun():
            for epoch in range(self.n_epochs):
                if self.observer is not None:
                    self.observer.begin_epoch()
                clock = Clock(epoch * n_batches, n_batches, self.n_epochs * n_batches, state.samples_seen)
                # A copy: a schedule may return the same array for every epoch, and change it.
                rates = np.array(schedule.rates(state.base_rate, clock), dtype=np.float64)
                session.start_epoch(state.n_epochs, rates, schedule.momenta(momentum, clock))
                started = time.perf_counter()
                try:
                    stops = self._run_slices(session, epoch, rates)
                finally:  # also after Ctrl-C: the moments have made these steps
                    state.n_steps = session.n_steps
                seconds = time.perf_counter() - started
                if session.has_diverged or not all(
                    is_sound(vector, session.predicts_finite) for vector in state.vectors
                ):
                    self._go_back()
                    return
                if self._end_epoch(session.mean_loss, rates[-1], seconds, session.n_samples_seen) or stops:
                    return

    def _session(self, optimizer: Stepwise) -> AbstractContextManager[_Session]:
        """Return the engine's training for these data, to be opened, with the state of the solver so far."""
        settings, state, data = self.settings, self.state, self.data
        averaging = {}
        if settings.ema_decay is not None:
            averaging = {"average": self.network.parameters, "ema_decay": settings.ema_decay}
        return self.network.training(
            data.X,
            self._targets(),
            settings.loss,
            parameters=state.trained,
            batch_size=self.batch_size,
            targets_preparation=self._targets_preparation(),
            sample_weight=data.sample_weight,
            rows=data.rows,
            optimizer=optimizer.options(),
            moments=state.moments,
            alpha=float(settings.alpha),  # of NumPy's float32, sums would be rounded
            l2=float(settings.l2),
            l1=float(settings.l1),
            clip_value=settings.clip_value or 0.0,
            clip_norm=settings.clip_norm or 0.0,
            input_dropout=float(settings.input_dropout),
            input_noise=float(settings.input_noise),
            shuffle=settings.shuffle,
            seed=state.seed,
            n_steps=state.n_steps,
            augmentation=settings.augmentation_for(self.network),
            **averaging,
        )

    def _run_slices(self, session: _Session, epoch: int, rates: NDArray[np.float64]) -> bool:
        """Run the engine until the epoch or the time is over; return whether a callback says stop."""
        callbacks = self.step_callbacks
        while True:
            before, n_batches = session.n_steps, None
            if callbacks:
                n_batches = min(callback.n - before % callback.n for callback in callbacks)
            is_over = session.run(min(SLICE_SECONDS, self.stop_at - time.perf_counter()), n_batches)
            if session.n_steps > before and not session.has_diverged:
                due = [callback for callback in callbacks if session.n_steps % callback.n == 0]
                if due and self._end_step(session, due, rates):
                    return True
            if is_over or time.perf_counter() >= self.stop_at:
                return False
            self.reporter.update(epoch, session.n_samples_seen, session.mean_loss)

    def _end_step(self, session: _Session, due: list[EveryNSteps], rates: NDArray[np.float64]) -> bool:
        """Call the callbacks that are due; return whether one says stop."""
        batch = -(-session.n_samples_seen // self.batch_size) - 1
        event = StepEnd(
            session.n_steps, self.state.n_epochs + 1, session.mean_loss, float(rates[batch]), self.network
        )
        stops = [callback(event) for callback in due]  # all of them, also after one says stop
        return any(stops)

    def _go_back(self) -> None:
        """Go back to the parameters of the last epoch that went well, and note where training broke."""
        state = self.state
        where = find_broken(self.network, state.vectors)
        state.restore(self.good)
        for moment in state.moments:
            moment[:] = 0
        self._note_divergence(
            where, f"try a learning rate below {state.base_rate:g}, or standardise the data"
        )

    # --------------------------------------------------------------------------------------------- by L-BFGS

    def _run_lbfgs(self, optimizer: LBFGS) -> None:
        """Let SciPy minimise the loss of all samples; each of its iterations is an epoch."""
        settings, n_samples, n_before = self.settings, self.data.n_samples, 0
        session = self.network.full_batch(
            self.data.X,
            self._targets(),
            settings.loss,
            rows=self.data.rows,
            targets_preparation=self._targets_preparation(),
            sample_weight=self.data.sample_weight,
        )
        with session as gradient, self._begun():
            decay = float(settings.alpha) / self.data.total_weight + 2 * float(settings.l2)
            loss, started = lbfgs.FullBatchLoss(self.network, gradient, decay), time.perf_counter()

            def end_evaluation(value: float) -> bool:
                if self.observer is not None:
                    self.observer.begin_epoch()
                self.reporter.update(self._n_done(), 0, value)
                return time.perf_counter() >= self.stop_at

            def end_iteration(value: float) -> bool:
                nonlocal started, n_before
                n_read, seconds = n_samples * (loss.n_calls - n_before), time.perf_counter() - started
                stops = self._end_epoch(value, optimizer.learning_rate, seconds, n_read)
                started, n_before = time.perf_counter(), loss.n_calls
                return stops

            try:
                limit = lbfgs.minimise(loss, optimizer, self.n_epochs, end_iteration, end_evaluation)
            except FloatingPointError as error:
                self._note_divergence(str(error), "standardise the data, or begin with smaller weights")
            else:
                self.state.limit = limit
                self.state.history.converged |= loss.has_converged

    # ------------------------------------------------------------------------------------------ both of them

    def _end_epoch(self, loss: float, rate: float, seconds: float, n_samples: int) -> bool:
        """Add an epoch that went well to the history; return whether training should stop."""
        state, schedule = self.state, self.settings.schedule
        state.update(self.good, state.n_epochs + 1)
        val_loss = val_score = None
        if self.data.validation is not None:
            settings = self.settings
            val_loss, val_score = evaluate(
                self.network, settings.loss, settings.target_preparation, self.data.validation, settings.score
            )
        event = EpochEnd(
            state.n_epochs + 1, self.last_epoch, float(loss), val_loss, val_score, float(rate), seconds,
            n_samples / max(seconds, 1e-9), self.network,
        )  # fmt: skip
        # Only now, that scoring may not leave half an epoch behind if it is broken off.
        state.add(event, n_samples)
        if state.watch.see(event):
            state.history.best_epoch = event.epoch
            if self.best is not None:
                state.update(self.best, event.epoch)
        state.base_rate = schedule.after_epoch(state.base_rate, state.history)
        self.reporter.update(self._n_done(), 0, event.loss, event.val_score)
        if self.observer is not None:
            self.observer.add_epoch(event)
        stops = [callback(event) for callback in self.settings.callbacks]  # all, also after one says stop
        if self.observer is not None:
            stops.append(self.observer.end_epoch(event))
        return any(stops) or self._has_converged() or time.perf_counter() >= self.stop_at

    def _n_done(self) -> int:
        """Return the epochs of this call that are done."""
        return self.state.n_epochs - self.last_epoch + self.n_epochs

    def _has_converged(self) -> bool:
        """Ask the schedule what to do on a plateau; return whether to stop."""
        state = self.state
        if not state.watch.is_flat():
            return False
        rate = self.settings.schedule.on_plateau(state.base_rate)
        if rate is None:
            state.history.converged = True
            return True
        state.base_rate = rate
        state.watch.begin_anew()
        return False

    def _note_divergence(self, where: str, advice: str) -> None:
        self.state.history.diverged = True
        self.state.divergence = describe(where, self.state.n_epochs, advice)

    def _targets(self) -> NDArray[Any]:
        """Return the targets as the engine reads them."""
        preparation = self.settings.target_preparation
        if preparation is not None and not preparation.can_prepare_in(self.network.dtype):
            return np.asarray(self.data.targets, dtype=np.float64)  # prepared before they are rounded
        return self.data.targets

    def _targets_preparation(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        preparation = self.settings.target_preparation
        return None if preparation is None else (preparation.center, preparation.scale)


def _check(network: Network, settings: Settings, data: TrainingData) -> None:
    """Refuse data that do not go with the settings, and a network without anything to train."""
    if data.is_sparse:
        check_sparse(
            data.X,
            preparation=network.preparation,
            dtype="bfloat16" if network.is_mixed else None,
            augmentation=settings.augmentation_for(network),
            input_dropout=settings.input_dropout,
            input_noise=settings.input_noise,
        )
    if data.sample_weight is not None:
        some_weight("sample_weight of the rows to train on", data.sample_weight[data.rows])
    if data.validation is not None and data.validation.sample_weight is not None:
        some_weight("sample_weight of the validation data", data.validation.sample_weight)
    trained = [layer for layer in network.layers if layer.trainable]
    if not trained:
        raise ValueError("every layer of the network is frozen (trainable=False): there is nothing to train.")
    if min(settings.batch_size, data.n_samples) < 2 and any(layer.batch_norm for layer in trained):
        raise ValueError(
            f"batch_norm=True needs batches of at least 2 samples; batch_size={settings.batch_size} and "
            f"{data.n_samples} rows make batches of 1."
        )


def _read(network: Network, data: TrainingData) -> TrainingData:
    """Return the data with their sparse matrices as the engine reads them, rows and labels read-only."""
    targets = frozen(data.targets) if data.targets.dtype.kind in "iub" else data.targets
    data = replace(data, rows=frozen(data.rows), targets=targets)
    if data.is_sparse:
        data = replace(data, X=network.read_sparse(data.X))
    if data.validation is not None:
        validation = replace(data.validation, X=network.read_sparse(data.validation.X))
        data = replace(data, validation=validation)
    return data
