"""`fit_many`: many models at once, one on each core, from one copy of the data."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from joblib import Parallel, delayed, effective_n_jobs
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from fastmlp.base import BaseMLP, Data
from fastmlp.checks import shown
from fastmlp.complaints import complaints
from fastmlp.estimators import MLPClassifier, MLPRegressor
from fastmlp.machine import needs_blas
from fastmlp.progress import ModelsBar, show_models_progress
from fastmlp.recipe import is_classification


def fit_many(
    configurations, X, y, X_val=None, y_val=None, *, sample_weight=None, estimator=None, n_jobs=None,
    progress=None,
) -> list[Any]:  # fmt: skip
    """Train a model for each configuration, as many at a time as there are jobs, from one copy of the data.

    Each model is trained by one thread and has the same bits as one that is fitted alone with the same
    parameters and ``random_state``. The data are checked, converted, encoded and, where ``prepare`` says so,
    measured once for all models. Training runs outside Python's global lock, so that threads are enough,
    and nothing is copied or sent to other processes.

    Parameters
    ----------
    configurations : iterable of dict or of estimators
        Parameters of the estimator, such as scikit-learn's ``ParameterGrid`` and ``ParameterSampler`` yield
        them, or unfitted estimators of fastmlp, which are cloned.
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    X_val, y_val : array-like, optional
        Validation data, scored after every epoch into each model's ``validation_scores_``.
    sample_weight : array-like of shape (n_samples,), optional
        See `MLPClassifier.fit`.
    estimator : MLPClassifier, MLPRegressor or None, default=None
        What the parameters are set on: a clone of it for each. None takes a classifier or a regressor, as
        y suggests, with its defaults.
    n_jobs : int or None, default=None
        Models trained at a time, as in joblib: None is 1 unless ``joblib.parallel_config`` says otherwise, -1
        all cores. The jobs are always threads.
    progress : bool or None, default=None
        Whether to draw a progress bar over all models; None draws one on a terminal, if rich is installed.

    Returns
    -------
    list of MLPClassifier or MLPRegressor
        Fitted, in the order of the configurations.

    Raises
    ------
    TypeError, ValueError
        If a configuration is none or has a parameter that is not known or out of range; the message names
        its index, and nothing is trained. What is raised while a model is trained has a note that tells
        the index.
    KeyboardInterrupt
        After Ctrl-C. All jobs have stopped by then.

    Warns
    -----
    What the models have to warn of, such as ``ConvergenceWarning`` and `DivergenceWarning`, comes at the end,
    once for all the models that it concerns, with their indices.

    Notes
    -----
    If a model's engine needs BLAS, as ``engine="blas"`` does, BLAS is limited to one thread until all models
    are trained. That holds for the whole process, and its results on one thread may differ from those on
    several in the last digits.

    Callbacks are called from the threads; each model has copies of its own. Models without a
    ``random_state`` share NumPy's global one, in no fixed order.

    Examples
    --------
    >>> import fastmlp
    >>> from sklearn.model_selection import ParameterGrid
    >>> X, y, X_test, y_test = fastmlp.datasets.load_digits()
    >>> grid = ParameterGrid({"hidden_layer_sizes": [(16,), (32, 32)], "learning_rate_init": [0.003, 0.03]})
    >>> base = fastmlp.MLPClassifier(
    ...     batch_size=32, learning_rate="one_cycle", max_iter=10, prepare="image", random_state=0)
    >>> models = fastmlp.fit_many(
    ...     grid, X[:1000], y[:1000], X_val=X[1000:], y_val=y[1000:], estimator=base, n_jobs=2)
    >>> best = max(models, key=lambda model: model.validation_scores_[-1])
    >>> len(models), best.score(X_test, y_test) > 0.9
    (4, True)
    """
    n_jobs = effective_n_jobs(n_jobs)
    models = _make_models(configurations, estimator, y)
    data = _read_once(models, X, y, sample_weight, X_val, y_val)
    warned: list[list[Warning]] = [[] for _ in models]
    stop, running = threading.Event(), _Running()

    def train(index):
        model = models[index]
        with running:
            try:
                warned[index] = _train(model, data[type(model)], bar, stop)
            except BaseException as error:
                error.add_note(f"This was configurations[{index}] of fit_many, {model}.")
                raise

    with ExitStack() as stack:
        if any(needs_blas(model.engine) for model in models):
            stack.enter_context(threadpool_limits(1, user_api="blas"))
        bar = stack.enter_context(show_models_progress(progress, len(models)))
        try:
            # Threads also where joblib.parallel_config asks for processes: only they share the data.
            Parallel(max(1, min(n_jobs, len(models))), require="sharedmem")(
                delayed(train)(index) for index in range(len(models))
            )
        finally:  # an error or Ctrl-C leaves jobs that are still at work
            stop.set()
            running.wait()
    for warning in _grouped(warned):
        warnings.warn(warning, stacklevel=2)
    return models


def _make_models(configurations, estimator, y) -> list[Any]:
    """Return the estimators to be trained; refuse parameters that no data could make good."""
    if isinstance(configurations, Mapping | str):
        raise TypeError(
            f"configurations={shown(configurations)} must be a list of dicts, one for each model. A dict of "
            "lists becomes one by sklearn.model_selection.ParameterGrid."
        )
    if estimator is None:
        estimator = MLPClassifier() if is_classification(y) else MLPRegressor()
    elif not isinstance(estimator, BaseMLP):
        raise TypeError(f"estimator={shown(estimator)} must be an instance of MLPClassifier or MLPRegressor.")
    models = []
    for index, configuration in enumerate(configurations):
        try:
            models.append(_make_model(configuration, estimator))
        except (TypeError, ValueError) as error:
            raise type(error)(f"configurations[{index}]: {error}") from None
    return models


def _make_model(configuration, estimator):
    if isinstance(configuration, BaseMLP):
        model = clone(configuration)
    elif isinstance(configuration, Mapping):
        model = clone(estimator).set_params(**clone(dict(configuration), safe=False))
    else:
        raise TypeError(
            f"{shown(configuration)} is neither a dict of parameters nor an estimator of fastmlp."
        )
    model._check_params()
    if getattr(model, "n_threads", 1) is None:
        model.n_threads = 1
    return model


def _read_once(models, X, y, sample_weight, X_val, y_val) -> dict[type, Data]:
    """Read the data once for each class of models, and tell all of them what was learnt from it."""
    readers: dict[type, BaseMLP] = {}
    data: dict[type, Data] = {}
    for model in models:
        kind = type(model)
        if kind not in readers:
            readers[kind] = clone(model)
            data[kind] = readers[kind]._read(X, y, sample_weight, X_val, y_val)
        vars(model).update(vars(readers[kind]) | vars(model))
    return data


def _train(model, data, bar, stop) -> list[Warning]:
    """Train a model whose data are read; return what the user should be warned of."""
    share = _Share(bar, stop, model.max_iter, data.X.shape[0])
    share.check()
    model._build(data)
    model._train(data, model.max_iter, share)
    share.finish()
    return complaints(model, data)


class _Stopped(Exception):
    """Ends the training of a model because another one failed or the user pressed Ctrl-C."""


class _Share:
    """A model's share of the bar: what its trainer reports to, and what makes it stop."""

    def __init__(self, bar: ModelsBar, stop: threading.Event, n_epochs: int, n_samples: int):
        self._bar, self._stop = bar, stop
        self._n_epochs, self._n_samples = n_epochs, n_samples
        self._drawn = 0.0

    def check(self) -> None:
        """Raise `_Stopped` once all are to stop."""
        if self._stop.is_set():
            raise _Stopped

    def update(self, epoch, n_samples, loss, val_score=None) -> None:
        """Draw ``epoch`` finished epochs and ``n_samples`` of the next."""
        self.check()
        reached = (epoch + n_samples / self._n_samples) / self._n_epochs
        self._bar.advance(reached - self._drawn, score=val_score)
        self._drawn = reached

    def finish(self) -> None:
        """Draw a whole model, also if it stopped early."""
        self._bar.advance(1 - self._drawn, done=True)


class _Running:
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
        with self._changed:
            self._changed.wait_for(lambda: self._n_jobs == 0)


def _grouped(warned: list[list[Warning]]) -> list[Warning]:
    """Return each warning once, with the indices of all models that it is about."""
    indices: dict[tuple[type[Warning], str], list[int]] = {}
    for index, found in enumerate(warned):
        for warning in found:
            indices.setdefault((type(warning), str(warning)), []).append(index)
    return [kind(f"configurations[{_ranges(of)}]: {text}") for (kind, text), of in indices.items()]


def _ranges(indices: list[int]) -> str:
    """Return rising numbers in short.

    Examples
    --------
    >>> _ranges([0, 1, 2, 5, 7, 8])
    '0-2, 5, 7-8'
    """
    spans: list[list[int]] = []
    for index in indices:
        if spans and index == spans[-1][1] + 1:
            spans[-1][1] = index
        else:
            spans.append([index, index])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in spans)
