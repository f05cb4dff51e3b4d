"""What `fit_many` returns: a list of models that knows the best of them, and what became of each."""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, SupportsIndex, TypeVar, overload

import numpy as np
from sklearn.base import is_classifier

from fastmlp._support.optional import needed
from fastmlp.estimators.fit_warnings import ranges
from fastmlp.losses import Quantile

#: The class of the models, where the caller names it.
_Model = TypeVar("_Model")

# Columns of a data frame, and the curve that each is of.
_LOSSES = {"validation_loss": "val_loss", "training_loss": "loss"}


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a configuration.

    Attributes
    ----------
    model : MLPClassifier or MLPRegressor
        Unfitted if there is an error.
    index : int
        The configuration's.
    names : tuple of str
        The parameters that it sets.
    error : Exception or None
        What was raised as the model was trained.
    seconds : float
        Spent on its epochs, validation left out.
    diverged : bool
    """

    model: Any
    index: int
    names: tuple[str, ...]
    error: Exception | None = None
    seconds: float = math.nan
    diverged: bool = False


class FittedModels(list[_Model]):
    """The models that `fit_many` has trained: a list that knows the best of them.

    A slice, a copy and a sum of such lists are such lists, too.

    Parameters
    ----------
    models : iterable of MLPClassifier or MLPRegressor, default=()
    outcomes : iterable of Outcome, default=()
        What is known of these models beside their attributes.

    Attributes
    ----------
    best : MLPClassifier or MLPRegressor
        The model with the best validation score.
    scores : ndarray of shape (n_models,)
        The validation score of each.
    errors : list of Exception or None
        What was raised as each was trained.

    Examples
    --------
    >>> import fastmlp
    >>> X, y, *_ = fastmlp.datasets.load_digits()
    >>> base = fastmlp.MLPClassifier(max_iter=5, learning_rate="one_cycle", prepare="image", random_state=0)
    >>> rates = [{"learning_rate_init": rate} for rate in (1e-5, 0.01, 1e-3)]
    >>> models = fastmlp.fit_many(rates, X[:500], y[:500], X[500:], y[500:], estimator=base)
    >>> models.best.learning_rate_init
    0.01
    >>> [column for column in models.to_frame()]  # doctest: +NORMALIZE_WHITESPACE
    ['learning_rate_init', 'validation_score', 'validation_loss', 'training_loss', 'epochs', 'seconds',
     'diverged', 'error']
    """

    def __init__(self, models: Iterable[_Model] = (), outcomes: Iterable[Outcome] = ()):
        super().__init__(models)
        self._outcomes = list(outcomes)

    @property
    def best(self) -> _Model:
        """The first model with the highest ``validation_score_``: the score of the weights that it has.

        A model whose training diverged, and has the weights of the last epoch before that, is below all that
        did not diverge; one with a score that is not a number, or with an error, does not count.

        Raises
        ------
        ValueError
            If no model has a score, some were trained without validation data, or the scores measure
            different things.
        """
        trained = [model for model in self if _is_fitted(model)]
        if not trained:
            errors = [error for error in self.errors if error is not None]
            reason = f"the first error of {len(errors)} is {errors[0]!r}." if errors else "the list is empty."
            raise ValueError(f"There is no best model, as none is trained: {reason}")
        unscored = [i for i, model in enumerate(self) if _is_fitted(model) and _score_of(model) is None]
        if unscored:
            raise ValueError(
                f"There is no validation score of models[{ranges(unscored)}] to choose the best by: give "
                "X_val and y_val to fit_many. Models with early_stopping=True hold data out by themselves, "
                "unless their solver is 'lbfgs'."
            )
        measures = dict.fromkeys(map(_measure_of, trained))
        if len(measures) > 1:
            raise ValueError(
                f"The validation scores of these models are {' and '.join(measures)}, which cannot be "
                "compared: give all of them the same scoring=, or choose among those that are alike."
            )
        ranked = [
            (not outcome.diverged, _score_of(model), model)
            for model, outcome in zip(self, self._known(), strict=True)
            if _is_fitted(model) and not math.isnan(_score_of(model))
        ]
        if not ranked:
            raise ValueError(f"None of the {len(trained)} validation scores is a number.")
        return max(ranked, key=lambda one: one[:2])[2]

    @property
    def scores(self) -> np.ndarray:
        """The ``validation_score_`` of each model; NaN where there is none."""
        scores = [_score_of(model) for model in self]
        return np.array([math.nan if score is None else score for score in scores], dtype=np.float64)

    @property
    def errors(self) -> list[Exception | None]:
        """What was raised as each model was trained, if ``on_error="keep"``; None for one that is fitted."""
        return [outcome.error for outcome in self._known()]

    def to_frame(self) -> Any:
        """Return a pandas data frame with a row for each model; pandas must be installed.

        Returns
        -------
        pandas.DataFrame
            With a column for each parameter that any configuration sets, and then "validation_score",
            "validation_loss" and "training_loss" of the weights that the model has, "epochs", "seconds" of
            training, "diverged", and "error", the text of what was raised or None. What there is not is NaN.
            The index is that of the configurations.
        """
        pd = needed("pandas", "FittedModels.to_frame", "pip install pandas")
        known = self._known()
        index = pd.Index([outcome.index for outcome in known], name="configuration", dtype="int64")
        columns: dict[str, list[Any]] = {
            name: [getattr(model, name) for model in self]
            for name in dict.fromkeys(name for outcome in known for name in outcome.names)
        }
        columns["validation_score"] = list(self.scores)
        for name, curve in _LOSSES.items():
            columns[name] = [_of_kept_epoch(model, curve) for model in self]
        columns["epochs"] = [_n_iter_of(model) for model in self]
        columns["seconds"] = [outcome.seconds for outcome in known]
        columns["diverged"] = [outcome.diverged for outcome in known]
        columns["error"] = [None if outcome.error is None else _text_of(outcome.error) for outcome in known]
        # As objects first, that pandas may not look into lists and tuples.
        series = {name: pd.Series(values, index, dtype=object) for name, values in columns.items()}
        return pd.DataFrame({name: one.infer_objects() for name, one in series.items()}, index=index)

    def copy(self) -> FittedModels[_Model]:
        """Return a list of the same models."""
        return self[:]

    @overload
    def __getitem__(self, index: SupportsIndex) -> _Model: ...
    @overload
    def __getitem__(self, index: slice) -> FittedModels[_Model]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> _Model | FittedModels[_Model]:
        if isinstance(index, slice):
            return FittedModels(super().__getitem__(index), self._outcomes)
        return super().__getitem__(index)

    def __add__(self, other: list[Any]) -> FittedModels[Any]:  # of models only
        if not isinstance(other, list):
            return NotImplemented
        return FittedModels([*self, *other], [*self._outcomes, *getattr(other, "_outcomes", ())])

    def __getstate__(self) -> dict[str, Any]:
        return {"_outcomes": [replace(one, error=_portable(one.error)) for one in self._outcomes]}

    def _known(self) -> list[Outcome]:
        """Return the outcome of each model; of one that the user put here, what can be seen of it."""
        known = {id(outcome.model): outcome for outcome in self._outcomes}
        return [known.get(id(model)) or outcome_of(model, i, ()) for i, model in enumerate(self)]


def outcome_of(model: Any, index: int, names: tuple[str, ...]) -> Outcome:
    """Return the outcome of a model, without times if it was read from a file."""
    if not _is_fitted(model):
        return Outcome(model, index, names)
    history = model.history_
    seconds = float(np.sum(history.seconds)) if history.seconds else math.nan
    return Outcome(model, index, names, seconds=seconds, diverged=history.diverged)


def parameters_set(configuration: Any) -> tuple[str, ...]:
    """Return the names of the parameters that a configuration sets: of an estimator, to no default.

    Examples
    --------
    >>> from fastmlp import MLPRegressor
    >>> parameters_set({"alpha": 0.1}), parameters_set(MLPRegressor(hidden_layer_sizes=(4,), max_iter=3))
    (('alpha',), ('hidden_layer_sizes', 'max_iter'))
    """
    if isinstance(configuration, Mapping):
        return tuple(configuration)
    defaults = type(configuration)().get_params(deep=False)
    parameters = configuration.get_params(deep=False)
    return tuple(name for name, value in parameters.items() if repr(value) != repr(defaults[name]))


def described(value: Any) -> str:
    """Return the representation of a value without the address that it happens to have.

    Examples
    --------
    >>> described(described)
    '<function described>'
    """
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def _of_kept_epoch(model: Any, curve: str) -> float:
    """Return what a list of a history says of the epoch whose weights the model has; NaN for nothing."""
    if not _is_fitted(model):
        return math.nan
    value = model.history_.of_kept_epoch(curve)
    return math.nan if value is None else value


def _n_iter_of(model: Any) -> int:
    return int(model.n_iter_) if _is_fitted(model) else 0


def _is_fitted(model: Any) -> bool:
    return model.__sklearn_is_fitted__()


def _score_of(model: Any) -> Any:
    """Return the validation score of a model's weights; None without one."""
    return getattr(model, "validation_score_", None) if _is_fitted(model) else None


def _measure_of(model: Any) -> str:
    """Return what the validation score of a model measures."""
    if model.scoring is not None:
        return model.scoring if isinstance(model.scoring, str) else described(model.scoring)
    if is_classifier(model):
        return "accuracy"
    return "d2_pinball_score" if isinstance(model.model_.loss, Quantile) else "r2"


def _portable(error: Exception | None) -> Exception | None:
    """Return an error that can be pickled and read again, by its text if it cannot be itself."""
    if error is None:
        return None
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # each class has its own reasons
        return RuntimeError(_text_of(error))
    return error


def _text_of(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
