"""The pictures of a study: kinds, what each may be told, and the files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A kind of picture.

    Attributes
    ----------
    options : dict
        By name, what refuses a value with ValueError.
    needs_runs : bool
    """

    options: Mapping[str, Callable[[Any], None]]
    needs_runs: bool = True


def _list_of_epochs(value: Any) -> None:
    if not isinstance(value, list) or not all(type(one) is int and one >= 0 for one in value):
        raise ValueError(f"must be a list of epochs, 0 for the start, not {value!r}.")


#: The kinds, by name.
KINDS: dict[str, Kind] = {"curves": Kind({}), "first_layer": Kind({"epochs": _list_of_epochs})}
