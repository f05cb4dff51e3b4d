"""From a study file's values to what the estimators take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastmlp import augmentations, initializers, losses, optimizers, schedules

#: What parameters that are not plain values are instances of: {"name": ..., and what its class takes}.
_OBJECTS: dict[str, Mapping[str, type]] = {
    "solver": optimizers.BY_NAME,
    "learning_rate": schedules.BY_NAME,
    "loss": losses.BY_NAME,
    "weight_init": initializers.BY_NAME,
    "augmentation": augmentations.BY_NAME,
}


def built_parameters(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as the estimators take them, objects made of tables with a ``name``."""
    return {name: _built(name, value) for name, value in params.items()}


def _built(parameter: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_built(parameter, one) for one in value]
    if not isinstance(value, dict) or parameter not in _OBJECTS:
        return value
    choices, settings = _OBJECTS[parameter], dict(value)
    name = settings.pop("name", None)
    if name not in choices:
        raise ValueError(f"name={name!r} is not one of {', '.join(choices)}.")
    return choices[name](**settings)
