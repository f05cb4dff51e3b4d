"""The state of an estimator as dictionaries, lists, arrays and numbers, for pickle, copies and skops.

skops asks its users to trust by name each class that a file has objects of. In this state the network, the
trainer and their parts are dictionaries with the names of their classes, which are from a fixed list.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp import activations, augmentations, initializers, losses, optimizers, schedules
from fastmlp.engine.plan import LayerPlan, Plan
from fastmlp.layers import Dense
from fastmlp.network.network import Network
from fastmlp.network.preparation import Preparation
from fastmlp.training.history import History
from fastmlp.training.trainer import Trainer
from fastmlp.training.watch import Watch

_LEAVES = (activations, augmentations, initializers, losses, optimizers, schedules)
#: Not callbacks: they are a user's own, and some write files.
_CLASSES: dict[str, type] = {
    cls.__name__: cls
    for cls in (
        Dense, History, LayerPlan, Network, Plan, Preparation, Trainer, Watch,
        *(cls for leaf in _LEAVES for cls in leaf.BY_NAME.values()),
    )
}  # fmt: skip
#: The entry of the state that has the attributes which are, or hold, objects of these classes.
_OBJECTS = "fastmlp objects"


def to_plain(state: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of an estimator with plain data for our own objects."""
    numbers: dict[int, int] = {}
    plain = {name: _plain(value, numbers) for name, value in state.items()}
    changed = {name: value for name, value in plain.items() if value is not state[name]}
    return {**{name: value for name, value in state.items() if name not in changed}, _OBJECTS: changed}


def from_plain(state: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes that `to_plain` was given; those of older pickles are left as they are."""
    objects: dict[int, Any] = {}
    others = {name: value for name, value in state.items() if name != _OBJECTS}
    return others | {name: _object(value, objects) for name, value in state.get(_OBJECTS, {}).items()}


def _plain(value: Any, numbers: dict[int, int]) -> Any:
    """Return plain data for a value, or the value itself where none of our objects is in it.

    ``numbers`` has the objects that were met, by their id: one that is met again is a number alone.
    """
    if type(value) is _CLASSES.get(type(value).__name__):
        if id(value) in numbers:
            return {"number": numbers[id(value)]}
        numbers[id(value)] = len(numbers)
        state: Any = value.__getstate__() or {}
        state = {name: _plain(one, numbers) for name, one in state.items()}
        return {"class": type(value).__name__, "number": numbers[id(value)], "state": state}
    if isinstance(value, np.dtype):
        return {"dtype": value.str}
    if type(value) in (list, tuple):
        inner = [_plain(one, numbers) for one in value]
        is_same = all(new is old for new, old in zip(inner, value, strict=True))
        return value if is_same else type(value)(inner)
    if type(value) is dict:
        pairs = [(key, _plain(one, numbers)) for key, one in value.items()]
        is_same = all(new is value[key] for key, new in pairs)
        return value if is_same else {"pairs": pairs}
    return value


def _object(value: Any, objects: dict[int, Any]) -> Any:
    """Return the value that `_plain` was given."""
    if type(value) in (list, tuple):
        return type(value)([_object(one, objects) for one in value])
    if not isinstance(value, dict):
        return value
    if value.keys() == {"dtype"}:
        return np.dtype(value["dtype"])
    if value.keys() == {"number"}:
        return objects[value["number"]]
    if value.keys() == {"pairs"}:
        return {key: _object(inner, objects) for key, inner in value["pairs"]}
    if value.keys() != {"class", "number", "state"}:
        return value
    one: Any = object.__new__(_CLASSES[value["class"]])
    objects[value["number"]] = one
    state = {name: _object(inner, objects) for name, inner in value["state"].items()}
    if hasattr(one, "__setstate__"):
        one.__setstate__(state)
    else:
        one.__dict__.update(state)
    return one
