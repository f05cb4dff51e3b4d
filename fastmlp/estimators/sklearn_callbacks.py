"""scikit-learn's callbacks, since 1.9: what tells them of the epochs of a fit, each a task of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy, deepcopy
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing, in place of what gives an estimator `set_callbacks` in scikit-learn 1.9."""


@contextmanager
def telling_callbacks(estimator: Any, X, y, sample_weight) -> Iterator[_EpochTasks | None]:
    """Yield the observer of a training that tells the estimator's callbacks; None where there are none.

    Parameters
    ----------
    estimator : BaseMLP
        With a trainer that is ready.
    X, y, sample_weight
        As `fit` was given them.
    """
    if not getattr(estimator, "_skl_callbacks", ()):
        yield None
        return
    tasks = _EpochTasks(estimator, X, y, sample_weight)
    yield tasks
    tasks.end()


class _EpochTasks:
    """The task that a fit is, and one below it for each epoch."""

    def __init__(self, estimator: Any, X, y, sample_weight):
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._estimator = estimator
        self._told = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._fit = estimator._init_callback_context(max_subtasks=estimator.max_iter)
        self._fit.call_on_fit_task_begin(**self._told)
        self._epoch: Any = None

    def _present(self) -> dict[str, Any]:
        """Return the fitted attributes as they stand, for a copy that the training leaves alone."""
        learnt = {name: copy(value) for name, value in self._estimator._learnt().items()}
        return {**learnt, "network_": deepcopy(self._estimator.network_), "_trainer": None}

    def begin_epoch(self) -> None:
        """Tell of an epoch that begins, unless it has been told."""
        if self._epoch is None:
            self._epoch = self._fit.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(**self._told, reconstruction_attributes=self._present)

    def end_epoch(self, event: Any) -> bool:
        """Tell of an epoch's end, as a callback of the trainer; return whether to stop."""
        epoch, self._epoch = self._epoch, None
        return epoch.call_on_fit_task_end(**self._told, reconstruction_attributes=self._present)

    def end(self) -> None:
        """Tell of the fit's end, and before that of an epoch's that was broken off."""
        if self._epoch is not None:
            self._epoch.call_on_fit_task_end(**self._told)
        self._fit.call_on_fit_task_end(**self._told, reconstruction_attributes=self._present)


__all__ = ["CallbackSupportMixin", "telling_callbacks"]
