"""`fit`: one line from data to model, with a recipe that suits the data."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np

from fastmlp._support.dates import refuse_columns
from fastmlp._support.progress import say
from fastmlp.estimators.classifier import MLPClassifier
from fastmlp.estimators.regressor import MLPRegressor
from fastmlp.network.preparation import kind_for
from fastmlp.optimizers import is_full_batch
from fastmlp.tabular.tasks import choose_task

#: What `fit` chooses for images (bytes) and tables (numbers), where the caller says nothing. The images'
#: rates were chosen on 10,000 held-out training images of MNIST and Fashion-MNIST, the tables' by
#: cross-validation on scikit-learn's embedded and generated data sets.
RECIPES = {
    "image": {
        "hidden_layer_sizes": (256, 128),
        "solver": "sgd",
        "learning_rate": "one_cycle",
        "learning_rate_init": 0.1,
        "batch_size": 64,
        "max_iter": 10,
    },
    "table": {
        "hidden_layer_sizes": (128, 64),
        "solver": "adam",
        "learning_rate": "one_cycle",
        "learning_rate_init": 0.003,
        "alpha": 0.1,
        "batch_size": 32,
        "max_iter": 40,
    },
}

# What a recipe says of batches and epochs.
_OF_STEPS = ("learning_rate", "learning_rate_init", "batch_size", "max_iter")


@overload
def fit(
    X: Any, y: Any, X_val: Any = None, y_val: Any = None, *, sample_weight: Any = None,
    task: Literal["classification"], progress: bool | None = None, **params: Any,
) -> MLPClassifier: ...  # fmt: skip
@overload
def fit(
    X: Any, y: Any, X_val: Any = None, y_val: Any = None, *, sample_weight: Any = None,
    task: Literal["regression"], progress: bool | None = None, **params: Any,
) -> MLPRegressor: ...  # fmt: skip
@overload  # the data decide which of the two it is
def fit(
    X: Any, y: Any, X_val: Any = None, y_val: Any = None, *, sample_weight: Any = None,
    task: str = "auto", progress: bool | None = None, **params: Any,
) -> Any: ...  # fmt: skip
def fit(
    X: Any, y: Any, X_val: Any = None, y_val: Any = None, *, sample_weight: Any = None,
    task: str = "auto", progress: bool | None = None, **params: Any,
) -> MLPClassifier | MLPRegressor:  # fmt: skip
    """Train a model on X and y, with the data standardised and a recipe that suits them.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Bytes (uint8) are taken for images and standardised with one mean and scale; numbers for a table,
        standardised column by column. The model keeps the standardisation and applies it in ``predict``.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    X_val, y_val : array-like, optional
        Validation data, scored after every epoch.
    sample_weight : array-like of shape (n_samples,), optional
        See `MLPClassifier.fit`.
    task : {"auto", "classification", "regression"}, default="auto"
        ``"auto"`` classifies strings, booleans, categories, label indicators (two or more columns of 0 and
        1), integers from 0 or 1 up without gaps, if they are at most 100 and each comes five times on
        average, and numbers that are only 0 and 1. All other numbers are regressed.
    progress : bool or None, default=None
        Whether to draw a progress bar; None draws one on a terminal, if rich is installed. With
        ``task="auto"`` a line on standard error says which task was chosen, why, and how to choose the other:
        with True always, with None on a terminal and in interactive sessions, with False never.
    **params
        Parameters of `MLPClassifier` or `MLPRegressor`; they take precedence over the recipe.

    Returns
    -------
    MLPClassifier or MLPRegressor
        Fitted.

    Examples
    --------
    >>> import fastmlp
    >>> data = fastmlp.datasets.load_digits()
    >>> model = fastmlp.fit(data.X_train, data.y_train, random_state=0)
    >>> model.score(data.X_test, data.y_test) > 0.95
    True
    """
    chosen = choose_task(y, task)
    refuse_columns("X", X)  # before NumPy is asked for its shape
    kind = params.get("prepare", "auto")
    if not isinstance(kind, str) or kind not in RECIPES:
        kind = kind_for(X)
    recipe = {**RECIPES[kind], "prepare": "auto", **params}
    if is_full_batch(params.get("solver")):  # epochs and rates are those of a stochastic solver
        recipe = {name: value for name, value in recipe.items() if name in params or name not in _OF_STEPS}
    elif "batch_size" not in params and np.ndim(X) == 2:
        recipe["batch_size"] = max(1, min(recipe["batch_size"], np.shape(X)[0]))
    estimator = MLPClassifier if chosen.is_classification else MLPRegressor
    if task == "auto":
        say(chosen.sentence(), progress)
    return estimator(**recipe)._fit_with_progress(X, y, sample_weight, X_val, y_val, progress)
