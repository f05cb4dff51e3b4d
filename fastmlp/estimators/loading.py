"""Estimators from model files and from scikit-learn's perceptrons."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from fastmlp.estimators.classifier import MLPClassifier
from fastmlp.estimators.composing import fill, outline
from fastmlp.estimators.regressor import MLPRegressor
from fastmlp.formats.description import MISFITS, parse
from fastmlp.formats.safetensors_file import FormatError, read
from fastmlp.formats.sklearn import plain_model_of

ESTIMATORS: dict[str, Any] = {cls.__name__: cls for cls in (MLPClassifier, MLPRegressor)}


def load(path: str | os.PathLike[str]) -> Any:
    """Return the model that ``model.save(path)`` wrote.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    MLPClassifier or MLPRegressor
        Ready to predict; `partial_fit` trains it further with a fresh state of the solver.

    Raises
    ------
    FormatError
        If the file is not a whole fastmlp model, or of a newer format than this version reads.
    """
    return restore(path, *read(path))


def restore(
    path: str | os.PathLike[str], description: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]
) -> MLPClassifier | MLPRegressor:
    """Return the estimator that a file describes.

    Parameters
    ----------
    path : str or path-like
        For messages.
    description : mapping
    tensors : mapping of str to ndarray
        As `fastmlp.formats.safetensors_file.read` returns them.

    Raises
    ------
    FormatError
        If anything in the description or the tensors does not fit together.
    """
    name = description.get("estimator")
    if not isinstance(name, str) or name not in ESTIMATORS:
        raise FormatError(f"{path}: estimator {name!r} is not one of {', '.join(ESTIMATORS)}.")
    cls = ESTIMATORS[name]
    try:
        plain = parse(description, tensors, cls().get_params())
        outlined = outline(cls, plain)
        plain.check_arrays(outlined.outputs)  # before anything is allocated for them
        estimator: MLPClassifier | MLPRegressor = fill(outlined, plain)
    except MISFITS as error:
        raise FormatError(
            f"{path}: its description and its tensors do not fit together ({error})."
        ) from error
    return estimator


def from_sklearn(model: Any) -> Any:
    """Return a fitted scikit-learn perceptron as one of fastmlp's, which predicts the same.

    Parameters
    ----------
    model : sklearn.neural_network.MLPClassifier or sklearn.neural_network.MLPRegressor
        Fitted, by any solver and loss. It is left as it is, and nothing is shared with it.

    Returns
    -------
    MLPClassifier or MLPRegressor
        With the same parameters and fitted attributes, in the type of its weights. `partial_fit` trains it
        further with a fresh state of the solver.

    Raises
    ------
    TypeError
        If it is neither of the two.
    NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> import fastmlp
    >>> from sklearn.neural_network import MLPClassifier
    >>> X, y, X_test, y_test = fastmlp.datasets.load_digits()
    >>> theirs = MLPClassifier((32,), early_stopping=True, random_state=0).fit(X / 16, y)
    >>> ours = fastmlp.from_sklearn(theirs)
    >>> bool(abs(ours.predict_proba(X_test / 16) - theirs.predict_proba(X_test / 16)).max() < 1e-12)
    True
    """
    plain = plain_model_of(model, {name: cls().get_params() for name, cls in ESTIMATORS.items()})
    estimator: MLPClassifier | MLPRegressor = fill(outline(ESTIMATORS[plain.estimator_name], plain), plain)
    return estimator
