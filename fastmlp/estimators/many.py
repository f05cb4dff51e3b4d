"""`fit_many`: many models at once, one on each core, from one copy of the data."""

from __future__ import annotations

import os
import threading
import traceback
import warnings
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any, TypeVar, overload

from joblib import Parallel, delayed, effective_n_jobs
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from fastmlp._support.checks import shown
from fastmlp._support.progress import Reporter, say, show_models_progress
from fastmlp._support.threads import one_thread_by_default
from fastmlp.engine.selection import needs_blas
from fastmlp.estimators.base import BaseMLP
from fastmlp.estimators.classifier import MLPClassifier
from fastmlp.estimators.fit_warnings import grouped
from fastmlp.estimators.fitted_models import FittedModels, Outcome, outcome_of, parameters_set
from fastmlp.estimators.reading import Samples
from fastmlp.estimators.regressor import MLPRegressor
from fastmlp.estimators.sweep_folder import Finished
from fastmlp.estimators.sweep_jobs import Running, Share, Stopped
from fastmlp.formats.safetensors_file import FormatError
from fastmlp.tabular.tasks import choose_task

_Estimator = TypeVar("_Estimator", bound=BaseMLP)

_ON_ERROR = ("raise", "keep")


@overload
def fit_many(
    configurations: Iterable[Mapping[str, Any]], X: Any, y: Any, X_val: Any = None, y_val: Any = None, *,
    sample_weight: Any = None, estimator: _Estimator, n_jobs: int | None = None,
    progress: bool | None = None, on_error: str = "raise", resume: str | os.PathLike[str] | None = None,
) -> FittedModels[_Estimator]: ...  # fmt: skip
@overload  # y or the configurations decide what the models are
def fit_many(
    configurations: Iterable[Mapping[str, Any] | MLPClassifier | MLPRegressor], X: Any, y: Any,
    X_val: Any = None, y_val: Any = None, *, sample_weight: Any = None,
    estimator: MLPClassifier | MLPRegressor | None = None, n_jobs: int | None = None,
    progress: bool | None = None, on_error: str = "raise", resume: str | os.PathLike[str] | None = None,
) -> FittedModels[Any]: ...  # fmt: skip
def fit_many(
    configurations: Iterable[Mapping[str, Any] | MLPClassifier | MLPRegressor], X: Any, y: Any,
    X_val: Any = None, y_val: Any = None, *, sample_weight: Any = None, estimator: Any = None,
    n_jobs: int | None = None, progress: bool | None = None, on_error: str = "raise",
    resume: str | os.PathLike[str] | None = None,
) -> FittedModels[Any]:  # fmt: skip
    """Train a model for each configuration, as many at a time as there are jobs, from one copy of the data.

    Each model is trained by one thread, if its ``n_threads`` is None, and has the same bits as one that is
    fitted alone with the same parameters and ``random_state``. The data are checked, converted, encoded
    and, where ``prepare`` says so, measured once for all models. Training runs outside Python's global lock,
    so that threads are enough, and nothing is copied or sent to other processes.

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
        What the parameters are set on: a clone of it for each. None takes a classifier or a regressor with
        its defaults, chosen by y as ``task="auto"`` of `fastmlp.fit` does.
    n_jobs : int or None, default=None
        Models trained at a time, as in joblib: None is 1 unless ``joblib.parallel_config`` says otherwise, -1
        all cores. The jobs are always threads.
    progress : bool or None, default=None
        Whether to draw a progress bar over all models; None draws one on a terminal, if rich is installed.
        Where y chose, a line on standard error says so, under the conditions of `fastmlp.fit`.
    on_error : {"raise", "keep"}, default="raise"
        What an error in the training of a model does, such as of one that diverges in its first epoch:
        "raise" stops the others and raises it; "keep" trains the others, keeps it in ``errors`` of the list
        that is returned, and leaves the unfitted estimator in the model's place.
    resume : str, path-like or None, default=None
        A folder to which each model is written as soon as it is finished. Called again with the same folder,
        `fit_many` reads the models of the same parameters and data, and trains the others, also those that
        had an error. See the notes.

    Returns
    -------
    FittedModels
        A list of MLPClassifier or MLPRegressor, fitted, in the order of the configurations. It knows the
        ``best`` of them, their ``scores`` and ``errors``, and makes a table of them: ``to_frame()``. See
        `fastmlp.FittedModels`.

    Raises
    ------
    TypeError, ValueError
        If a configuration is none or has a parameter that is not known or out of range; the message names
        its index, and nothing is trained.
    Exception
        What is raised while a model is trained, unless ``on_error="keep"``. It has a note with the index, and
        an attribute ``models``: the `FittedModels` that are finished.
    KeyboardInterrupt
        After Ctrl-C, with that attribute, too. All jobs have stopped by then.

    Warns
    -----
    What the models have to warn of, such as ``ConvergenceWarning`` and `DivergenceWarning`, comes at the end,
    once for all the models that it concerns, with their indices. A file in the folder of ``resume`` that is
    damaged is warned of, too, and its model trained anew.

    Notes
    -----
    If a model's engine needs BLAS, as ``engine="blas"`` does, BLAS is limited to one thread until all models
    are trained. That holds for the whole process, and its results on one thread may differ from those on
    several in the last digits.

    Callbacks are called from the threads; each model has copies of its own. Models without a
    ``random_state`` share NumPy's global one, in no fixed order.

    The files of ``resume`` are those of `MLPClassifier.save`, each written at once or not at all; several
    processes may share a folder. A file's name is a digest of the model's class, its parameters but
    ``n_threads`` and ``verbose``, and the data; of callables, in ``scoring`` and ``callbacks``, only the
    representation counts. A model that is read has its weights, parameters, scores and losses, but not the
    state of its solver, with which `partial_fit` would go on, and its warnings are not repeated.
    ``random_state`` must be an int or None.

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
    >>> models.best.score(X_test, y_test) > 0.9
    True
    >>> models.to_frame()[["learning_rate_init", "epochs", "diverged"]]
                   learning_rate_init  epochs  diverged
    configuration
    0                           0.003      10     False
    1                           0.030      10     False
    2                           0.003      10     False
    3                           0.030      10     False

    After an error or Ctrl-C, what is finished can be had; with ``resume="folder"`` it is also kept for the
    next call.

    >>> def fail(event):
    ...     raise OSError("the log cannot be written")
    >>> try:
    ...     models = fastmlp.fit_many([{}, {"callbacks": [fail]}], X[:1000], y[:1000], estimator=base)
    ... except OSError as error:
    ...     models = error.models
    >>> len(models)
    1
    """
    if on_error not in _ON_ERROR:
        raise ValueError(f"on_error={on_error!r} must be one of {', '.join(map(repr, _ON_ERROR))}.")
    n_jobs = effective_n_jobs(n_jobs)
    chosen, models = _make_models(configurations, estimator, y, progress)
    samples = _read_once(models, X, y, sample_weight, X_val, y_val)
    finished = None if resume is None else Finished(resume, models, samples)
    sweep = _Sweep(models, samples, [parameters_set(one) for one in chosen], on_error, finished)
    try:
        with ExitStack() as stack:
            if any(needs_blas(model.engine) for model in models):
                stack.enter_context(threadpool_limits(1, user_api="blas"))
            sweep.run(n_jobs, stack.enter_context(show_models_progress(progress, len(models))))
        for warning in grouped(sweep.warned):
            warnings.warn(warning, stacklevel=2)
    except BaseException as error:
        vars(error)["models"] = sweep.models()
        raise
    return sweep.models()


class _Sweep:
    """The models on their way to being trained, and the outcomes of those that are."""

    def __init__(
        self, models: list[Any], samples: dict[type, Samples], names: list[tuple[str, ...]], on_error: str,
        finished: Finished | None,
    ):  # fmt: skip
        self._models, self._samples, self._names = models, samples, names
        self._on_error, self._finished = on_error, finished
        self._outcomes: dict[int, Outcome] = {}
        self._stop, self._running = threading.Event(), Running()
        self.warned: list[list[Warning]] = [[] for _ in models]

    def models(self) -> FittedModels[Any]:
        """Return the models that are finished, in the order of their configurations."""
        outcomes = [outcome for _, outcome in sorted(self._outcomes.items())]
        return FittedModels([outcome.model for outcome in outcomes], outcomes)

    def run(self, n_jobs: int, bar: Reporter) -> None:
        """Train what is not finished, as many models at a time as there are jobs."""
        missing = [index for index in range(len(self._models)) if not self._is_finished(index, bar)]
        try:
            # Threads also where joblib.parallel_config asks for processes: only they share the data.
            Parallel(max(1, min(n_jobs, len(missing))), require="sharedmem")(
                delayed(self._do)(index, bar) for index in missing
            )
        finally:  # an error or Ctrl-C leaves jobs that are still at work
            self._stop.set()
            self._running.wait()
        for outcome in self._outcomes.values():
            if outcome.error is not None:  # what its frames refer to are the data
                traceback.clear_frames(outcome.error.__traceback__)

    def _is_finished(self, index: int, bar: Reporter) -> bool:
        """Return whether a model is there from an earlier call."""
        if self._finished is None:
            return False
        try:
            outcome = self._finished.get(index, self._models[index], self._names[index])
        except FormatError as error:
            self.warned[index].append(UserWarning(f"{error} The model was trained anew."))
            return False
        if outcome is None:
            return False
        self._outcomes[index] = outcome
        bar.advance(1, done=True, score=outcome.model.validation_score_)
        return True

    def _do(self, index: int, bar: Reporter) -> None:
        """Train a model and write it to its file; on an error leave it unfitted, or raise."""
        model, names = self._models[index], self._names[index]
        samples = self._samples[type(model)]
        unfitted = clone(model)
        share = Share(bar, self._stop, model.max_iter, samples.n_samples)
        with self._running:
            try:
                try:
                    self.warned[index] += _train(model, samples, share)
                except Exception as error:
                    if self._on_error == "raise" or isinstance(error, Stopped):
                        raise
                    self._outcomes[index] = Outcome(unfitted, index, names, error)
                    share.finish()
                    return
                self._outcomes[index] = outcome = outcome_of(model, index, names)
                if self._finished is not None:
                    self._finished.add(outcome)
            except BaseException as error:
                error.add_note(f"This was configurations[{index}] of fit_many, {unfitted}.")
                raise
            share.finish(model.validation_score_)


def _make_models(
    configurations: Any, estimator: Any, y: Any, progress: bool | None
) -> tuple[list[Any], list[Any]]:
    """Return the configurations and their estimators; refuse parameters that no data could make good."""
    if isinstance(configurations, Mapping | str) or not isinstance(configurations, Iterable):
        raise TypeError(
            f"configurations={shown(configurations)} must be a list of dicts, one for each model. A dict of "
            "lists becomes one by sklearn.model_selection.ParameterGrid."
        )
    configurations = list(configurations)
    if estimator is None and any(isinstance(configuration, Mapping) for configuration in configurations):
        task = choose_task(y)
        estimator, other = MLPClassifier(), MLPRegressor()
        if not task.is_classification:
            estimator, other = other, estimator
        say(task.sentence("estimator=", f"{type(other).__name__}()"), progress)
    elif estimator is not None and not isinstance(estimator, BaseMLP):
        raise TypeError(f"estimator={shown(estimator)} must be an instance of MLPClassifier or MLPRegressor.")
    models = []
    for index, configuration in enumerate(configurations):
        try:
            models.append(_make_model(configuration, estimator))
        except (TypeError, ValueError) as error:
            raise type(error)(f"configurations[{index}]: {error}") from None
    return configurations, models


def _make_model(configuration: Any, estimator: Any) -> Any:
    if isinstance(configuration, BaseMLP):
        model = clone(configuration)
    elif isinstance(configuration, Mapping):
        model = clone(estimator).set_params(**clone(dict(configuration), safe=False))
    else:
        raise TypeError(
            f"{shown(configuration)} is neither a dict of parameters nor an estimator of fastmlp."
        )
    model._check_params()
    return model


def _read_once(
    models: list[Any], X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any
) -> dict[type, Samples]:
    """Read the data once for each class of models."""
    samples: dict[type, Samples] = {}
    for model in models:
        if type(model) not in samples:
            samples[type(model)] = model._read(X, y, sample_weight, X_val, y_val)
    return samples


def _train(model: Any, samples: Samples, share: Share) -> list[Warning]:
    """Train a model whose data are read; return what the user should be warned of."""
    share.check()
    with one_thread_by_default():
        found: list[Warning] = model._fit_samples(samples, share)
    return found
