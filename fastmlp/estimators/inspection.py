"""What studies ask of an estimator: checks of parameters, initial weights, a copy with another model."""

from __future__ import annotations

from copy import copy
from typing import Any

from fastmlp.estimators.building import begin
from fastmlp.formats.model import FittedModel


def check_parameters(estimator: Any) -> None:
    """Check all parameters, and how they go together.

    Raises
    ------
    TypeError, ValueError
    """
    estimator._check_params()


def check_values(estimator: Any) -> None:
    """Check each parameter by itself, not how they go together.

    Raises
    ------
    ValueError
    """
    estimator._validate_params()


def untrained(estimator: Any, X: Any, y: Any) -> FittedModel:
    """Return the model that an estimator's `fit` starts from: with its first weights, not trained.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        It is not changed. ``random_state`` must be an int for the weights to be those of its `fit`.
    X, y : array-like
        As for `fit`.

    Examples
    --------
    >>> import fastmlp
    >>> X, y, *_ = fastmlp.datasets.load_digits()
    >>> model = untrained(fastmlp.MLPClassifier((16,), random_state=0), X, y)
    >>> model.network, model.record.n_iter
    (<Network 64-16-10, float32>, 0)
    """
    return begin(estimator._settings(), estimator._read(X, y)).model()


def with_model(estimator: Any, model: FittedModel) -> Any:
    """Return a copy of an estimator that has this model; they share it."""
    copied = copy(estimator)
    copied._adopt(model)
    return copied
