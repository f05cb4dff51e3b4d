"""Writing an estimator to a model file."""

from __future__ import annotations

import json
import os
from typing import Any

from sklearn.utils.validation import check_is_fitted

from fastmlp.estimators.composing import outline
from fastmlp.formats.description import MISFITS, describe, parse
from fastmlp.formats.model import FittedModel
from fastmlp.formats.safetensors_file import write


def save(estimator: Any, path: str | os.PathLike[str], **notes: Any) -> None:
    """Write a fitted estimator to a file: what `MLPClassifier.save` does.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
    path : str or path-like
    **notes
        More entries of the file's description, in what JSON can hold; loading ignores them.

    Raises
    ------
    TypeError
        If it is of a subclass, which a file does not know.
    ValueError
        If `load` would not read what the file would hold.
    """
    check_is_fitted(estimator)
    model: FittedModel = estimator.model_
    cls = type(estimator)
    if (cls.__module__.partition(".")[0], cls.__name__) != ("fastmlp", model.estimator_name):
        raise TypeError(
            f"{cls.__module__}.{cls.__qualname__} cannot be saved to a model file: it holds models of "
            "MLPClassifier and MLPRegressor alone, not of subclasses. Use pickle or joblib.dump."
        )
    parameters = estimator.get_params(deep=False)
    try:
        description, tensors = describe(model, parameters)
        plain = parse(json.loads(json.dumps(description, allow_nan=False)), tensors, parameters)
        outlined = outline(cls, plain)
        outlined.estimator._check_params()
        plain.check_arrays(outlined.outputs)
    except MISFITS as error:
        raise ValueError(f"this model cannot be saved: {error}") from error
    write(path, {**notes, **description}, tensors)
