"""What a picture of a model is given, checked: the model, its labels and their names."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from fastmlp._support.checks import kind_of, listed, shown


def check_model(model: Any) -> None:
    """Refuse what is not a fitted estimator that predicts.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError
        If it is not an estimator.
    """
    if isinstance(model, type) or not (hasattr(model, "fit") and hasattr(model, "predict")):
        raise TypeError(
            f"model is {kind_of(model)}; it must be a fitted classifier or regressor, such as MLPClassifier."
        )
    check_is_fitted(model)


def labels_of(model: Any, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the true and the predicted labels, if the model is a classifier that knows them.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError
        If it is not an estimator.
    ValueError
        If it is no classifier, one of label indicators, or does not know a label.
    """
    check_model(model)
    if not is_classifier(model):
        raise ValueError(f"model is a {type(model).__name__}; a classifier is needed here.")
    y = np.asarray(y)
    if y.ndim != 1 or not len(y):
        raise ValueError(f"y has shape {y.shape}; it must be (n_samples,), one label for each sample.")
    check_consistent_length(X, y)
    predicted = np.asarray(model.predict(X))
    if predicted.ndim != 1:
        raise ValueError("model predicts label indicators; one of single labels is needed here.")
    unknown = sorted(set(y.tolist()) - set(model.classes_.tolist()), key=str)
    if unknown:
        raise ValueError(f"y has the label {unknown[0]!r}; the model knows {listed(model.classes_)}.")
    return y, predicted


def names_of(model: Any, class_names: Any) -> list[str]:
    """Return a name for each of the model's classes."""
    names = list(map(str, model.classes_.tolist() if class_names is None else class_names))
    if len(names) != len(model.classes_):
        raise ValueError(
            f"class_names={shown(class_names)} must be {len(model.classes_)}, one for each class of the "
            "model."
        )
    return names
