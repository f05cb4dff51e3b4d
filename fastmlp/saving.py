"""An estimator as a description and tensors, and back; storage.py makes a file of them.

Everything is data: names from fixed lists, numbers and strings. Nothing that is loaded is run.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastmlp import schedules
from fastmlp.layers import Dense
from fastmlp.network import Network
from fastmlp.preparation import Preparation
from fastmlp.storage import FormatError, write

# Fitted attributes that are plain numbers, strings or lists of numbers.
_PLAIN = (
    "n_features_in_", "n_outputs_", "out_activation_", "n_layers_", "n_iter_", "t_", "loss_", "best_loss_",
    "loss_curve_", "validation_scores_", "validation_loss_curve_", "_loss_name", "_multilabel",
)  # fmt: skip
# Parameters that are not data: they begin at their defaults in a loaded model.
_LEFT_OUT = ("callbacks",)
# Types of class labels that a file can hold: bool, integers, floats, strings, and objects that are strings.
_LABEL_KINDS = "biufUO"


def save(estimator: Any, path) -> None:
    """Write a fitted estimator to a file."""
    check_is_fitted(estimator)
    write(path, *_describe(estimator))


def _describe(estimator: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    network, fitted = estimator.network_, estimator.__dict__
    parameters = estimator.get_params(deep=False)
    description = {
        "estimator": type(estimator).__name__,
        "parameters": {
            name: _plain(name, value) for name, value in parameters.items() if name not in _LEFT_OUT
        },
        "dtype": network.dtype.name,
        "layers": [[layer.units, layer.activation] for layer in network.layers],
        "fitted": {name: _plain(name, fitted[name]) for name in _PLAIN if name in fitted},
    }
    if "classes_" in fitted:
        description["classes"] = _describe_labels(estimator.classes_)
    if "feature_names_in_" in fitted:
        description["feature_names"] = estimator.feature_names_in_.tolist()
    tensors = {}
    for i, (coef, intercept) in enumerate(zip(network.coefs_, network.intercepts_, strict=True)):
        tensors[f"layers.{i}.weight"], tensors[f"layers.{i}.bias"] = coef.T, intercept
    for name in ("preparation", "target_preparation"):
        if (preparation := fitted[f"{name}_"]) is not None:
            tensors[f"{name}.center"], tensors[f"{name}.scale"] = preparation.center, preparation.scale
    return description, tensors


def restore(cls: type, path, description: dict[str, Any], tensors: dict[str, np.ndarray]) -> Any:
    """Return the estimator of a class that a file describes.

    Raises
    ------
    FormatError
        If anything in the description or the tensors does not fit together.
    """
    try:
        parameters = dict(description["parameters"])
        if isinstance(parameters["learning_rate"], dict):
            fields = dict(parameters["learning_rate"])
            parameters["learning_rate"] = schedules.BY_NAME[fields.pop("schedule")](**fields)
        model = cls(**parameters)
        fitted = description["fitted"]
        model.__dict__.update({name: fitted[name] for name in _PLAIN if name in fitted})
        _restore_arrays(model, description, tensors)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(
            f"{path}: its description and its tensors do not fit together ({error})."
        ) from error
    return model


def _restore_arrays(model, description, tensors) -> None:
    """Check the shapes against the layers before anything is allocated for them, and take the values."""
    layers = [Dense(units, activation) for units, activation in description["layers"]]
    sizes = [model.n_features_in_, *(layer.units for layer in layers)]
    expected: dict[str, tuple[int, ...]] = {}
    for i, n_out in enumerate(sizes[1:]):
        expected |= {f"layers.{i}.weight": (n_out, sizes[i]), f"layers.{i}.bias": (n_out,)}
    for name, n in (("preparation", sizes[0]), ("target_preparation", sizes[-1])):
        if f"{name}.center" in tensors:
            expected |= {f"{name}.center": (n,), f"{name}.scale": (n,)}
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    if shapes != expected:
        raise ValueError(f"tensors {shapes}, expected {expected}")
    for name in ("preparation", "target_preparation"):
        found = f"{name}.center" in tensors
        prepared = Preparation(tensors[f"{name}.center"], tensors[f"{name}.scale"]) if found else None
        setattr(model, f"{name}_", prepared)
    model.network_ = Network(
        layers,
        sizes[0],
        dtype=description["dtype"],
        engine=model.engine,
        preparation=model.preparation_,
        random_state=0,
    )
    for i, (coef, intercept) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        coef[:], intercept[:] = tensors[f"layers.{i}.weight"].T, tensors[f"layers.{i}.bias"]
    if "classes" in description:
        model.classes_ = np.array(description["classes"]["values"], dtype=description["classes"]["dtype"])
    if "feature_names" in description:
        model.feature_names_in_ = np.array(description["feature_names"], dtype=object)


def _plain(name: str, value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, schedules.Schedule):
        names = {cls: name for name, cls in schedules.BY_NAME.items()}
        if type(value) not in names:
            raise ValueError(f"{name}={value!r} cannot be saved: only fastmlp's own schedules can.")
        return {"schedule": names[type(value)], **asdict(value)}
    if name == "random_state" and not isinstance(value, int | np.integer | None):
        return None
    if isinstance(value, np.ndarray | tuple | list):
        return [_plain(name, item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _describe_labels(classes: np.ndarray) -> dict[str, Any]:
    if classes.dtype.kind not in _LABEL_KINDS or (
        classes.dtype.kind == "O" and not all(isinstance(label, str) for label in classes)
    ):
        raise ValueError(f"class labels of type {classes.dtype} cannot be saved; use numbers or strings.")
    return {"dtype": classes.dtype.str if classes.dtype.kind != "O" else "object", "values": classes.tolist()}
