"""Parameters and class labels as JSON can hold them, and back."""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import activations, augmentations, initializers, losses, optimizers, schedules
from fastmlp._support.checks import shown

# What a parameter can be an instance of: its base, and the names of what a file can hold.
_KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "schedule": (schedules.Schedule, schedules.BY_NAME),
    "optimizer": (optimizers.Optimizer, optimizers.BY_NAME),
    "augmentation": (augmentations.Augmentation, augmentations.BY_NAME),
    "loss": (losses.Loss, losses.BY_NAME),
    "initializer": (initializers.Initializer, initializers.BY_NAME),
}
# Types of class labels that a file can hold: bool, integers, floats, strings; and objects that are strings.
_LABEL_KINDS = "biufU"


def describe_value(name: str, value: Any) -> Any:
    """Return the value of an attribute as JSON can hold it.

    Raises
    ------
    ValueError
        If a file cannot hold it.

    Examples
    --------
    >>> describe_value("learning_rate", schedules.InverseScaling(0.3))
    {'schedule': 'invscaling', 'power_t': 0.3}
    >>> describe_value("n_iter_no_change", np.inf)
    {'float': 'inf'}
    """
    for kind, (base, choices) in _KINDS.items():
        if isinstance(value, base):
            names = {cls: name for name, cls in choices.items()}
            if type(value) not in names:
                raise ValueError(
                    f"{name}={shown(value)} cannot be saved: only one of fastmlp's own kinds of {kind} can."
                )
            return {kind: names[type(value)], **asdict(value)}
    if isinstance(value, activations.Activation):
        return activations.canonical(value, name)
    if name == "scoring" and callable(value):
        return None
    if name == "random_state" and not isinstance(value, int | np.integer | None):
        return None
    if isinstance(value, dict):  # JSON's keys are strings, those of class_weight any labels
        return {"pairs": [[describe_value(name, item) for item in pair] for pair in value.items()]}
    if hasattr(value, "__len__") and not isinstance(value, str):
        return [describe_value(name, item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Real) and not isinstance(value, int):
        value = float(value)
    if isinstance(value, float) and not np.isfinite(value):
        return {"float": str(value)}  # JSON has no infinity
    if not isinstance(value, str | int | float | None):
        raise ValueError(f"{name}={value!r} is nothing that a file can hold.")
    return value


def value_of(described: Any) -> Any:
    """Return the value that `describe_value` was given; an array or a tuple as a list."""
    if isinstance(described, list):
        return [value_of(item) for item in described]
    if not isinstance(described, dict):
        return described
    if set(described) == {"float"}:
        return float(described["float"])
    if set(described) == {"pairs"}:
        return {value_of(key): value_of(item) for key, item in described["pairs"]}
    fields = dict(described)
    (kind,) = fields.keys() & _KINDS.keys()
    return _KINDS[kind][1][fields.pop(kind)](**fields)


def describe_labels(classes: NDArray[Any]) -> dict[str, Any]:
    """Return class labels as JSON can hold them.

    Raises
    ------
    ValueError
        If a file cannot hold them.

    Examples
    --------
    >>> describe_labels(np.array(["no", "yes"]))
    {'dtype': '<U3', 'values': ['no', 'yes']}
    """
    strings = classes.dtype.kind == "O" and all(isinstance(label, str) for label in classes)
    if classes.dtype.kind not in _LABEL_KINDS and not strings:
        raise ValueError(f"class labels of type {classes.dtype} cannot be saved; use numbers or strings.")
    if classes.dtype == np.longdouble or (classes.dtype.kind == "f" and not np.isfinite(classes).all()):
        raise ValueError(f"the class labels {classes!r} are nothing that a file can hold.")
    values = classes.tolist()
    if classes.dtype.kind == "U":
        classes = np.array(values)  # strings no longer than they need to be: what a reader allocates
    return {"dtype": "object" if strings else classes.dtype.str, "values": values}


def labels_of(dtype: str, values: list[Any]) -> NDArray[Any]:
    """Return the class labels that `describe_labels` was given.

    Raises
    ------
    ValueError
        If it is not a sorted list of labels of this type.
    """
    if not isinstance(dtype, str) or (dtype != "object" and np.dtype(dtype).kind not in _LABEL_KINDS):
        raise ValueError(f"class labels cannot be of type {dtype!r}")
    if np.dtype(dtype).kind == "U" and np.array(values).dtype != np.dtype(dtype):
        raise ValueError(f"class labels {shown(values)} are not of type {dtype}")
    labels = np.array(values, dtype=dtype)
    is_mixed = dtype == "object" and not all(isinstance(label, str) for label in labels)
    if not isinstance(values, list) or labels.ndim != 1 or labels.tolist() != values or is_mixed:
        raise ValueError(f"class labels {shown(values)} are not of type {dtype}")
    if len(labels) == 0 or any(one >= other for one, other in pairwise(values)):
        raise ValueError(f"class labels {shown(values)} are not in order")
    return labels
