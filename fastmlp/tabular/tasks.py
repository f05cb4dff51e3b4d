"""Classification or regression: the rule by which targets decide, and a sentence that says what and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse

from fastmlp._support.dates import refuse_dates
from fastmlp._support.values import holds_categories, kinds_of, plain, without_missing

TASKS = ("auto", "classification", "regression")

#: Integers are classes if there are at most so many, each at least so many times on average.
MOST_CLASSES, FEWEST_OF_EACH = 100, 5


@dataclass(frozen=True)
class Task:
    """What targets are taken for.

    Attributes
    ----------
    is_classification : bool
        Regression, if not.
    reason : str
        A clause that says why, such as "y holds strings".
    """

    is_classification: bool
    reason: str

    def sentence(self, option: str = "task=", other: str | None = None) -> str:
        """Return a line that says which task it is, why, and how to choose the other.

        Parameters
        ----------
        option : str, default="task="
            What the user sets for that.
        other : str, optional
            To what, as it is written; by default the name of the other task.

        Examples
        --------
        >>> choose_task(["a", "b"]).sentence()
        "Classification: y holds strings. For regression set task='regression'."
        >>> choose_task([0.5, 2.0]).sentence("--task")
        'Regression: y holds numbers with fractions. For classification set --task classification.'
        """
        this, that = TASKS[1:] if self.is_classification else TASKS[:0:-1]
        setting = _setting(option, that) if other is None else f"{option}{other}"
        return f"{this.capitalize()}: {self.reason}. For {that} set {setting}."


def choose_task(y: Any, task: str = "auto", *, option: str = "task=") -> Task:
    """Return whether y is to be classified or regressed, and why.

    Classes are strings, booleans, categories (pandas, polars, Arrow; also of numbers), label indicators
    (two or more columns of 0 and 1, or a sparse matrix of these), integers from 0 or 1 up without gaps, if
    they are at most 100 and each comes five times on average, and numbers that are only 0 and 1. All other
    numbers are regressed.

    Parameters
    ----------
    y : array-like or sparse matrix
    task : {"auto", "classification", "regression"}, default="auto"
        "auto" follows these rules; the others only ask whether y can be that.
    option : str, default="task="
        How the user sets ``task``; messages say it.

    Raises
    ------
    ValueError
        If the task is not known, or y cannot be what it says: fractions are no classes, and text that is
        not numbers cannot be regressed. Dates are refused unless they are to be classes.

    Examples
    --------
    >>> choose_task([0, 1, 2] * 5)
    Task(is_classification=True, reason='y holds the integers 0 to 2, each about 5 times')
    >>> choose_task([3, 70, 12])
    Task(is_classification=False, reason='y holds integers that begin at 3, not at 0 or 1')
    """
    if not isinstance(task, str) or task not in TASKS:
        choices = f"{', '.join(map(repr, TASKS[:-1]))} or {TASKS[-1]!r}"
        raise ValueError(f"{_setting(option, task)} is not known; choose {choices}.")
    if task == "regression" or (task == "auto" and not holds_categories(y)):
        refuse_dates("y", y)
    if task == "auto":
        return Task(*_judge(y))
    values = None if issparse(y) else _values(y)
    if task == "classification" and values is not None and values.dtype.kind == "f":
        fractions = np.flatnonzero(np.isfinite(values) & (np.trunc(values) != values))
        if len(fractions):
            raise ValueError(
                f"{_setting(option, task)} needs classes, and y holds numbers with fractions, such as "
                f"{values.flat[fractions[0]]}. Choose {_setting(option, 'regression')}, or give each number "
                "a class."
            )
    if task == "regression" and values is not None and kinds_of(values) & {"string", "bytes"}:
        for text in values.ravel().tolist():
            try:
                float(text)
            except (TypeError, ValueError):
                raise ValueError(
                    f"{_setting(option, task)} needs numbers, and y holds strings, such as {text!r}. Choose "
                    f"{_setting(option, 'classification')}, or make numbers of them."
                ) from None
    return Task(task == "classification", f"by {_setting(option, task)}")


def _judge(y: Any) -> tuple[bool, str]:
    """Return whether y are classes, and the reason."""
    if issparse(y):
        if y.ndim == 2 and y.shape[1] > 1 and np.isin(y.tocsr().data, (0, 1)).all():
            return True, "y holds label indicators"
        return False, "y is sparse, and no label indicators of 0 and 1"
    if holds_categories(y):
        return True, "y holds categories"
    values = _values(y)
    kinds = kinds_of(values)
    for kind, name in (("string", "strings"), ("bytes", "strings"), ("boolean", "booleans")):
        if kind in kinds:
            return True, f"y holds {name}"
    if values.ndim > 1:
        if values.ndim == 2 and values.dtype.kind in "iuf" and np.isin(values, (0, 1)).all():
            return True, "y holds label indicators"
        return False, f"y has {values.shape[1]} columns of numbers"
    numbers = plain(without_missing(values))  # the estimators refuse what is missing
    if numbers.size == 0:
        return False, "y is empty"
    if numbers.dtype.kind in "iuf" and np.isin(numbers, (0, 1)).all():
        return True, "y holds only 0 and 1"
    if kinds_of(numbers) == {"integer"}:
        return _judge_integers(numbers)
    if numbers.dtype.kind == "f" and (np.trunc(numbers) == numbers).all():
        return False, "y holds floating-point numbers"
    return False, "y holds numbers with fractions"


def _judge_integers(values: np.ndarray) -> tuple[bool, str]:
    """Return whether integers, of which some are neither 0 nor 1, are classes, and the reason."""
    lowest, highest = int(values.min()), int(values.max())
    if lowest not in (0, 1):
        return False, f"y holds integers that begin at {lowest}, not at 0 or 1"
    if highest - lowest >= MOST_CLASSES:
        return False, f"y holds integers up to {highest}, more than {MOST_CLASSES} classes"
    n = len(np.unique(values))  # of many different values it would take seconds
    if highest - lowest + 1 != n:
        return False, "y holds integers with gaps"
    each, holds = len(values) / n, f"y holds the integers {lowest} to {highest}, each"
    if each < FEWEST_OF_EACH:
        return False, f"{holds} {each:.3g} times on average, fewer than {FEWEST_OF_EACH}"
    return True, f"{holds} about {round(each)} times"


def _values(y: Any) -> np.ndarray:
    """Return y as an array; a column, a list or a series of n values has shape (n,)."""
    values = np.atleast_1d(plain(np.asarray(y)))
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _setting(option: str, task: Any) -> str:
    """Return how a task is set: task='regression', or --task regression on a command line."""
    return f"{option}{task!r}" if option.endswith("=") else f"{option} {task}"
