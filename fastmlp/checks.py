"""Checks of arguments, below everything else: names that stand for objects, numbers in a range, weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np


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


def are_equal(one: Any, other: Any) -> bool:
    """Return whether two values are equal; those that cannot be compared, as some with arrays, are not."""
    try:
        return bool(one == other)
    except ValueError:
        return False


def number(
    argument: str,
    value: Any,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = math.inf,
    whole: bool = False,
) -> None:
    """Check that a value is a number in a range; infinity is none unless ``below`` is None.

    Raises
    ------
    TypeError
        If it is not a number, or not a whole one where it must be.
    ValueError
        If it is out of range; the message names the argument, the value and the range.
    """
    kinds: Any = Integral if whole else Real
    if not isinstance(value, kinds):
        kind = "a whole number" if whole else "a number"
        raise TypeError(f"{argument}={value!r} must be {kind}, not {type(value).__name__}.")
    limits = {"at least": at_least, "above": above, "at most": at_most}
    if below != math.inf:
        limits["below"] = below
    fits = (
        (at_least is None or value >= at_least)
        and (above is None or value > above)
        and (at_most is None or value <= at_most)
        and (below is None or value < below)
        and not math.isnan(value)
    )
    if not fits:
        wanted = " and ".join(f"{word} {limit}" for word, limit in limits.items() if limit is not None)
        raise ValueError(f"{argument}={value!r} must be {wanted or 'finite'}.")


def weights(argument: str, values: Any, n_samples: int) -> np.ndarray | None:
    """Return a weight for each sample as float64; None stays None.

    Raises
    ------
    ValueError
        If they are not as many numbers as there are samples, finite and at least 0, or all are 0.
    """
    if values is None:
        return None
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{argument} must hold numbers: {error}.") from None
    if array.shape != (n_samples,):
        raise ValueError(
            f"{argument} has shape {array.shape}; it must be ({n_samples},), a weight for each sample."
        )
    bad = np.flatnonzero(~((array >= 0) & (array < np.inf)))
    if len(bad):
        raise ValueError(f"{argument}[{bad[0]}]={array[bad[0]]} must be a finite number of at least 0.")
    some_weight(argument, array)
    return np.ascontiguousarray(array)


def some_weight(argument: str, values: np.ndarray) -> None:
    """Refuse weights that are all zero."""
    if not values.any():
        raise ValueError(f"{argument} is zero for every sample; at least one weight must be above 0.")
