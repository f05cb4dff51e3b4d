"""A field of a dataclass that takes more types than it keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

_Given = TypeVar("_Given")
_Kept = TypeVar("_Kept")


class Field(Generic[_Given, _Kept]):
    """A field that keeps what a function makes of its value, also of its default.

    Type checkers read the type that the constructor takes and the type of the attribute from it.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Line:
    ...     numbers: Field[list[int], tuple[int, ...]] = Field([1], tuple)
    >>> Line(), Line([2, 3])
    (Line(numbers=(1,)), Line(numbers=(2, 3)))
    """

    def __init__(self, default: _Given, convert: Callable[[_Given], _Kept]) -> None:
        self._default, self._convert = convert(default), convert
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> _Kept:
        if instance is None:
            return self._default
        kept: _Kept = vars(instance)[self._name]
        return kept

    def __set__(self, instance: Any, value: _Given) -> None:
        vars(instance)[self._name] = self._convert(value)
