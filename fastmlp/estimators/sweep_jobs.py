"""Jobs side by side: each model's share of the progress bar, and what makes all of them stop."""

from __future__ import annotations

import threading

from fastmlp._support.progress import Reporter


class Stopped(Exception):
    """Ends the training of a model because another one failed or the user pressed Ctrl-C."""


class Share:
    """A model's share of the bar: what its trainer reports to, and what makes it stop."""

    def __init__(self, bar: Reporter, stop: threading.Event, n_epochs: int, n_samples: int):
        self._reporter, self._stop = bar.part(n_epochs, n_samples), stop

    def check(self) -> None:
        """Raise `Stopped` once all are to stop."""
        if self._stop.is_set():
            raise Stopped

    def update(self, epoch: int, n_samples: int, loss: float, val_score: float | None = None) -> None:
        """Report ``epoch`` finished epochs and ``n_samples`` of the next."""
        self.check()
        self._reporter.update(epoch, n_samples, loss, val_score)

    def finish(self, score: float | None = None) -> None:
        """Report the end of the model, also if it stopped early, and the validation score of its weights."""
        self._reporter.finish(score)


class Running:
    """Counts the jobs at work: ``with`` it around a job, and `wait` until there is none."""

    def __init__(self) -> None:
        self._n_jobs, self._changed = 0, threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            self._n_jobs += 1

    def __exit__(self, *error: object) -> None:
        with self._changed:
            self._n_jobs -= 1
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait until no job is at work."""
        with self._changed:
            self._changed.wait_for(lambda: self._n_jobs == 0)
