"""The state of an estimator as dictionaries, lists, arrays and numbers, for pickle, copies and skops.

skops asks its users to trust by name each class that a file has objects of. In this state the model, its
network, the trainer and their parts are dictionaries with the names of their classes, which are from a fixed
list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp import activations, augmentations, initializers, losses, optimizers, schedules
from fastmlp._support.pickle_forms import check_pickle_form
from fastmlp.estimators.building import Session
from fastmlp.estimators.targets import Classes, Indicators, Reals
from fastmlp.formats.model import FittedModel, Outputs, Record
from fastmlp.layers import Dense
from fastmlp.network.network import Network
from fastmlp.network.preparation import Preparation
from fastmlp.training.history import History
from fastmlp.training.trainer import Trainer
from fastmlp.training.watch import Watch

#: The entry of a state that has the version of its form, and that version. 0.1 and 0.2 had no such entry.
_VERSION_ENTRY, _VERSION = "fastmlp pickle", 1
#: The entry that has the attributes which are, or hold, objects of the classes below.
_OBJECTS = "fastmlp objects"

_LEAVES = (activations, augmentations, initializers, losses, optimizers, schedules)
#: Not callbacks: they are a user's own, and some write files.
_CLASSES: dict[str, type] = {
    cls.__name__: cls
    for cls in (
        Classes, Dense, FittedModel, History, Indicators, Network, Outputs, Preparation, Reals, Record,
        Session, Trainer, Watch, *(cls for leaf in _LEAVES for cls in leaf.BY_NAME.values()),
    )
}  # fmt: skip


def to_plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of an estimator: its attributes, with plain data in place of our own objects."""
    writer = _Writer()
    plain = {name: writer.plain(value) for name, value in attributes.items()}
    changed = {name: value for name, value in plain.items() if value is not attributes[name]}
    others = {name: value for name, value in attributes.items() if name not in changed}
    return {_VERSION_ENTRY: _VERSION, **others, _OBJECTS: changed}


def from_plain(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that `to_plain` was given, or those of a subclass whose state is its attributes.

    Raises
    ------
    ValueError
        If another version of fastmlp wrote the state in another form.
    """
    version = state.get(_VERSION_ENTRY)
    if version is None and _OBJECTS not in state and "network_" not in state:
        return dict(state)  # of a subclass that gives its attributes as they are
    check_pickle_form("this model", version, _VERSION)
    reader = _Reader()
    others = {name: value for name, value in state.items() if name not in (_VERSION_ENTRY, _OBJECTS)}
    return others | {name: reader.value(one) for name, one in state[_OBJECTS].items()}


class _Writer:
    """Makes plain data of values; an object that is met again becomes its number alone."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}  # by id, which is an object's own while `_objects` has it
        self._objects: list[Any] = []

    def plain(self, value: Any) -> Any:
        """Return plain data for a value, or the value itself where none of our objects is in it."""
        if type(value) is _CLASSES.get(type(value).__name__):
            return self._plain_object(value)
        if isinstance(value, np.dtype):
            return {"dtype": value.str}
        if type(value) in (list, tuple):
            items = [self.plain(one) for one in value]
            is_same = all(new is old for new, old in zip(items, value, strict=True))
            return value if is_same else type(value)(items)
        if type(value) is dict:
            pairs = [(key, self.plain(one)) for key, one in value.items()]
            is_same = all(new is value[key] for key, new in pairs)
            return value if is_same else {"pairs": pairs}
        return value

    def _plain_object(self, value: Any) -> dict[str, Any]:
        if id(value) in self._numbers:
            return {"number": self._numbers[id(value)]}
        number = self._numbers[id(value)] = len(self._objects)
        self._objects.append(value)
        state: dict[str, Any] = value.__getstate__() or {}
        plain = {name: self.plain(one) for name, one in state.items()}
        return {"class": type(value).__name__, "number": number, "state": plain}


class _Reader:
    """Makes the values of plain data again."""

    def __init__(self) -> None:
        self._objects: dict[int, Any] = {}

    def value(self, plain: Any) -> Any:
        """Return the value that `_Writer.plain` was given."""
        if type(plain) in (list, tuple):
            return type(plain)([self.value(one) for one in plain])
        if not isinstance(plain, dict):
            return plain
        if plain.keys() == {"dtype"}:
            return np.dtype(plain["dtype"])
        if plain.keys() == {"number"}:
            return self._objects[plain["number"]]
        if plain.keys() == {"pairs"}:
            return {key: self.value(inner) for key, inner in plain["pairs"]}
        if plain.keys() != {"class", "number", "state"}:
            return plain
        return self._object(plain)

    def _object(self, plain: dict[str, Any]) -> Any:
        made: Any = object.__new__(_CLASSES[plain["class"]])
        self._objects[plain["number"]] = made
        state = {name: self.value(inner) for name, inner in plain["state"].items()}
        if hasattr(made, "__setstate__"):
            made.__setstate__(state)
        else:
            made.__dict__.update(state)  # also of a frozen dataclass
        return made
