"""scikit-learn's callbacks (1.9 and later): a fit is a task, and each of its epochs is a task below it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any

from fastmlp.callbacks import EpochEnd
from fastmlp.estimators.building import Fitting

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing, in place of what gives an estimator `set_callbacks` in scikit-learn 1.9."""


def has_callbacks(estimator: Any) -> bool:
    """Return whether callbacks of scikit-learn's are set."""
    return bool(getattr(estimator, "_skl_callbacks", ()))


@contextmanager
def observing(estimator: Any, fitting: Fitting, X: Any, y: Any, sample_weight: Any) -> Iterator[EpochTasks]:
    """Yield an observer that calls the estimator's callbacks at each epoch.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
    fitting : Fitting
    X, y, sample_weight
        As `fit` was given them.
    """
    tasks = EpochTasks(estimator, fitting, X, y, sample_weight)
    yield tasks
    tasks.end()


class EpochTasks:
    """The task that a fit is, and one below it for each epoch."""

    def __init__(self, estimator: Any, fitting: Fitting, X: Any, y: Any, sample_weight: Any):
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._fitting = fitting
        self._context = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._fit = estimator._init_callback_context(max_subtasks=fitting.settings.max_iter)
        self._fit.call_on_fit_task_begin(**self._context)
        self._epoch: Any = None

    def _present(self) -> dict[str, Any]:
        """Return the fitted attributes as they are now, in copies that training does not change."""
        model = self._fitting.model()
        model = replace(model, network=deepcopy(model.network), record=deepcopy(model.record))
        present: dict[str, Any] = {
            "model_": model,
            "_session": None,
            "n_features_in_": model.network.n_features,
        }
        if model.feature_names is not None:
            present["feature_names_in_"] = model.feature_names
        return present

    def begin_epoch(self) -> None:
        """Call the callbacks as an epoch begins, once for each epoch."""
        if self._epoch is None:
            self._epoch = self._fit.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(**self._context, reconstruction_attributes=self._present)

    def end_epoch(self, event: EpochEnd) -> bool:
        """Call the callbacks as an epoch ends; return whether to stop."""
        epoch, self._epoch = self._epoch, None
        return bool(epoch.call_on_fit_task_end(**self._context, reconstruction_attributes=self._present))

    def end(self) -> None:
        """Call the callbacks as the fit ends, and first for an epoch that was broken off."""
        if self._epoch is not None:
            self._epoch.call_on_fit_task_end(**self._context)
        self._fit.call_on_fit_task_end(**self._context, reconstruction_attributes=self._present)


__all__ = ["CallbackSupportMixin", "EpochTasks", "has_callbacks", "observing"]
