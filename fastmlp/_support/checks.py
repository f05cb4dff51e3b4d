"""Checks of arguments, below everything else, and how their messages show names and values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any

import numpy as np

from fastmlp._support.dates import refuse_columns

# What a message shows of a value, in letters, and of a list, in elements.
_MOST_LETTERS, _MOST_ELEMENTS = 200, 10
# X and y in the text of an error, but not as a quoted value or a column's name in a list.
_DATA_NAME = re.compile(r"(?<![\w'\"])(?<!^- )[Xy](?![\w'\"])", re.MULTILINE)


def shown(value: Any) -> str:
    """Return a value's repr for a message: on one line, and cut off where it is long.

    Examples
    --------
    >>> shown([1, 2]), len(shown(list(range(1000))))
    ('[1, 2]', 203)
    """
    text = re.sub(r"\s*\n\s*", " ", repr(value))
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}..."


def listed(values: Iterable[Any]) -> str:
    """Return the first few values for a message, and how many more there are.

    Examples
    --------
    >>> listed(["a", "b"]), listed(range(300))
    ("'a', 'b'", '0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 290 more')
    """
    values = values.tolist() if isinstance(values, np.ndarray) else list(values)
    first = ", ".join(map(shown, values[:_MOST_ELEMENTS]))
    return first + (f" and {len(values) - _MOST_ELEMENTS} more" if len(values) > _MOST_ELEMENTS else "")


def as_printed(values: np.ndarray) -> str:
    """Return an array as NumPy prints it, of a long one the first and the last elements."""
    return np.array2string(values, threshold=_MOST_ELEMENTS)


def kind_of(value: Any) -> str:
    """Return what kind of object a value is, for a message.

    Examples
    --------
    >>> kind_of("a"), kind_of(str), kind_of(None)
    ('a str', 'the class str', 'None')
    """
    if value is None:
        return "None"
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"


@contextmanager
def naming(X: str, y: str) -> Iterator[None]:
    """Have errors about X and y name the caller's arguments, such as X_val and y_val.

    An error that names neither X nor y gets both names in front. Text in quotes and lists of columns are data
    and stay as they are.
    """
    names = {"X": X, "y": y}
    try:
        yield
    except (TypeError, ValueError) as error:
        text, n_found = _DATA_NAME.subn(lambda found: names[found[0]], str(error))
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(text if n_found else f"{X} and {y}: {text}") from None


def check_together(X_val: Any, y_val: Any) -> None:
    """Refuse validation inputs without targets, and targets without inputs."""
    if (X_val is None) == (y_val is None):
        return
    message = f"X_val and y_val must be given together; {'y_val' if y_val is None else 'X_val'} is None."
    if len(_shape(X_val)) == 1:
        message += " X_val has one dimension: pass weights of the samples by name, sample_weight=."
    raise ValueError(message)


def check_third_is_weights(sample_weight: Any) -> None:
    """Refuse validation data in the place of ``sample_weight``, the third argument of `MLPClassifier.fit`."""
    shape = _shape(sample_weight)
    if len(shape) > 1:
        raise ValueError(
            f"sample_weight has shape {shape}; it must be of one dimension, a weight for each sample. It is "
            "the third argument: pass validation data by name, X_val= and y_val=."
        )


def _shape(values: Any) -> tuple[int | str, ...]:
    """Return the shape of an array-like; rows of different lengths have a "?" in the place of one."""
    try:
        return tuple(values.shape if hasattr(values, "shape") else np.asarray(values).shape)
    except ValueError:
        return len(values), "?"


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
        f"{argument}={shown(value)} is not known; choose one of {', '.join(map(repr, choices))}, "
        f"or an instance of {classes}."
    )


def known(argument: str, value: Any, choices: Mapping[str, type]) -> Any:
    """Return an instance for ``value`` as `named` does, but refuse subclasses of the classes in ``choices``.

    The compiled engine computes these by name, and would ignore what a subclass changes.

    Raises
    ------
    ValueError
        If it is not one of them; the message names the argument, the value and what is allowed.
    """
    instance = named(argument, value, choices)
    if type(instance) not in choices.values():
        classes = ", ".join(sorted({cls.__name__ for cls in choices.values()}))
        raise ValueError(
            f"{argument}={shown(instance)} is an instance of {type(instance).__name__}, a class that the "
            f"engine does not know: it would ignore what that class changes. Choose one of "
            f"{', '.join(map(repr, choices))}, or an instance of {classes}."
        )
    return instance


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
    """Check that a value is a number in a range; infinity is allowed only if ``below`` is None.

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
        raise TypeError(f"{argument}={shown(value)} must be {kind}, not {type(value).__name__}.")
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
        raise ValueError(f"{argument}={shown(value)} must be {wanted or 'finite'}.")


def weights(argument: str, values: Any, n_samples: int) -> np.ndarray | None:
    """Return a weight for each sample as float64; None stays None.

    Raises
    ------
    ValueError
        If they are not as many numbers as there are samples, finite and at least 0, or all are 0.
    """
    if values is None:
        return None
    refuse_columns(argument, values)
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
    return np.array(array, order="C")  # a copy: a callback may change the caller's


def some_weight(argument: str, values: np.ndarray) -> None:
    """Refuse weights that are all zero."""
    if not values.any():
        raise ValueError(f"{argument} is zero for every sample; at least one weight must be above 0.")


def frozen(values: Any, dtype: Any = None) -> np.ndarray:
    """Return numbers as a contiguous read-only array that owns its memory: a copy, unless they are one."""
    array: np.ndarray = values
    if not isinstance(values, np.ndarray) or values.flags.writeable or not values.flags.owndata:
        array = np.array(values, dtype=dtype, order="C")
    array = np.asarray(array, dtype=dtype, order="C")
    array.setflags(write=False)
    return array
