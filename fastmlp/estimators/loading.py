"""The scikit-learn face: MLPClassifier and MLPRegressor, and loading them from a file."""

from __future__ import annotations

from typing import Any

from fastmlp.estimators.classifier import MLPClassifier
from fastmlp.estimators.regressor import MLPRegressor
from fastmlp.formats.description import restore
from fastmlp.formats.safetensors_file import FormatError, read

ESTIMATORS = {cls.__name__: cls for cls in (MLPClassifier, MLPRegressor)}


def load(path: Any) -> Any:
    """Return the model that ``model.save(path)`` wrote.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    MLPClassifier or MLPRegressor
        Ready to predict; `partial_fit` goes on training with a fresh state of the solver.

    Raises
    ------
    FormatError
        If the file is not a whole fastmlp model, or of a newer format than this version reads.
    """
    description, tensors = read(path)
    name = description.get("estimator")
    if not isinstance(name, str) or name not in ESTIMATORS:
        raise FormatError(f"{path}: estimator {name!r} is not one of {', '.join(ESTIMATORS)}.")
    return restore(ESTIMATORS[name], path, description, tensors)
