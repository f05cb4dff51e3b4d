"""What a trainer keeps from one call to the next: its history, its place and the vectors of its solver."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from fastmlp.callbacks import EpochEnd
from fastmlp.network.network import Network
from fastmlp.optimizers import Optimizer
from fastmlp.training.history import History
from fastmlp.training.watch import Watch

#: A vector like a network's parameters, in their type.
Vector: TypeAlias = NDArray[np.floating[Any]]


@dataclass(eq=False, repr=False)
class Snapshot:
    """Copies of the parameters of an epoch: the network's and, where those are an average, the trained ones.

    Attributes
    ----------
    vectors : list of ndarray
    epoch : int or None
        Counted from 1; None for initial parameters.
    """

    vectors: list[Vector]
    epoch: int | None


@dataclass(eq=False, repr=False)
class State:
    """Where the training of a network stands.

    Attributes
    ----------
    network : Network
    watch : Watch
    seed : int
        For the order of the samples and all else that is drawn.
    base_rate : float
        The learning rate that a schedule starts from; some change it.
    moments : list of ndarray
        The vectors of the solver.
    history : History
    n_epochs, samples_seen, n_steps : int
        Epochs, samples and steps of the solver so far.
    raw : ndarray or None
        The parameters that are trained, where the network has an average of them.
    best : Snapshot or None
        The best epoch of all calls, kept only between calls that ask for it.
    divergence, limit : str
        See `fastmlp.Trainer`.
    has_begun : bool
        Whether any training has begun: what fails before that has changed nothing.
    """

    network: Network
    watch: Watch
    seed: int
    base_rate: float
    moments: list[Vector]
    history: History = field(default_factory=History)
    n_epochs: int = 0
    samples_seen: int = 0
    n_steps: int = 0
    raw: Vector | None = None
    best: Snapshot | None = None
    divergence: str = ""
    limit: str = ""
    has_begun: bool = False

    @classmethod
    def initial(
        cls, network: Network, watch: Watch, optimizer: Optimizer, random_state: int | RandomState | None
    ) -> Self:
        """Return the state before any training."""
        return cls(
            network,
            watch,
            seed=int(check_random_state(random_state).randint(2**31)),
            base_rate=optimizer.learning_rate,
            moments=[network.new_vector() for _ in range(optimizer.n_moments)],
        )

    @property
    def trained(self) -> Vector:
        """The vector that the steps change."""
        return self.network.parameters if self.raw is None else self.raw

    @property
    def vectors(self) -> list[Vector]:
        """The network's parameters and, where those are an average, the trained ones."""
        return [self.network.parameters] if self.raw is None else [self.network.parameters, self.raw]

    def begin(self) -> None:
        """Note that a call begins to train."""
        self.history.converged = self.history.diverged = False
        self.divergence = self.limit = ""
        self.has_begun = True

    def add(self, event: EpochEnd, n_samples: int) -> None:
        """Add an epoch, of so many samples, to the history."""
        self.history.append(event)
        self.n_epochs += 1
        self.samples_seen += n_samples

    def snapshot(self) -> Snapshot:
        """Return copies of the present parameters."""
        return Snapshot([vector.copy() for vector in self.vectors], self.history.kept_epoch)

    def update(self, snapshot: Snapshot, epoch: int) -> None:
        """Make a snapshot one of the present parameters, those of ``epoch``."""
        snapshot.epoch = epoch
        for kept, vector in zip(snapshot.vectors, self.vectors, strict=True):
            np.copyto(kept, vector)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to the parameters of a snapshot."""
        self.history.kept_epoch = snapshot.epoch
        for kept, vector in zip(snapshot.vectors, self.vectors, strict=True):
            np.copyto(vector, kept)

    def best_of_calls(self) -> Snapshot:
        """Return the snapshot of the best epoch of all calls, which the first of them takes."""
        if self.best is None:
            self.best = self.snapshot()
            self.watch.begin_anew()
        return self.best

    def begin_average(self) -> None:
        """Train a copy of the parameters from now on, so that the network can have an average of them."""
        if self.raw is None:
            self.raw = self.network.new_vector()
            np.copyto(self.raw, self.network.parameters)

    def own_vectors(self) -> None:
        """Copy vectors whose memory is read-only or a file's, such as joblib's memory maps."""
        self.moments = [self._owned(vector) for vector in self.moments]
        if self.raw is not None:
            self.raw = self._owned(self.raw)
        if self.best is not None:
            self.best.vectors = [self._owned(vector) for vector in self.best.vectors]

    def _owned(self, vector: Vector) -> Vector:
        if type(vector) is np.ndarray and vector.flags.writeable:
            return vector
        copy = self.network.new_vector()
        np.copyto(copy, vector)
        return copy

    def resume(self, history: History, samples_seen: int, watch: Watch | None) -> None:
        """Continue an earlier history, and the count of the one who watched it, if there is one."""
        self.history, self.n_epochs, self.samples_seen = history, len(history.loss), samples_seen
        self.watch.go_on(history, watch)

    def take_over(
        self, earlier: State, *, averages: bool, keeps_solver: bool, keeps_rate: bool, is_comparable: bool
    ) -> None:
        """Continue from an earlier state of this network; see `fastmlp.Trainer.take_over`.

        Parameters
        ----------
        earlier : State
        averages : bool
            Whether the network will have an average of the parameters that are trained.
        keeps_solver, keeps_rate : bool
            Whether the state of the solver is taken over, and with it the rate that a schedule has changed.
        is_comparable : bool
            Whether the best value so far is one for this state, too.
        """
        self.resume(earlier.history, earlier.samples_seen, earlier.watch)
        if not is_comparable:
            self.watch.forget()
        elif earlier.best is not None and self.watch.watched == earlier.watch.watched:
            vectors = earlier.best.vectors[: 1 + averages]
            if len(vectors) <= averages:
                vectors.append(vectors[0].copy())
            self.best = Snapshot(vectors, earlier.best.epoch)
        if not keeps_solver:
            return
        self.seed, self.n_steps = earlier.seed, earlier.n_steps
        n = min(len(self.moments), len(earlier.moments))
        self.moments[:n] = earlier.moments[:n]
        self.raw = earlier.raw if averages else None
        if keeps_rate:
            self.base_rate = earlier.base_rate
