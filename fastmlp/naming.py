"""Names that stand for objects: ``solver="sgd"`` for ``SGD()``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def named(argument: str, value: Any, choices: Mapping[str, type]) -> Any:
    """Return an instance for ``value``: an instance itself, or the name of a class in ``choices``.

    Raises
    ------
    ValueError
        If it is neither; the message names the argument, the value and what is allowed.
    """
    if isinstance(value, str) and value in choices:
        return choices[value]()
    if isinstance(value, tuple({base for cls in choices.values() for base in cls.__mro__[:-1]})):
        return value
    classes = ", ".join(sorted({cls.__name__ for cls in choices.values()}))
    raise ValueError(
        f"{argument}={value!r} is not known; choose one of {', '.join(map(repr, choices))}, "
        f"or an instance of {classes}."
    )
