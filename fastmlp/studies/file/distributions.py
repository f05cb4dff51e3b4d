"""What a random search draws from: a list of values, or a range of numbers."""

from __future__ import annotations

import sys
from typing import Any

from scipy import stats

#: The keys of a range.
KEYS = ("low", "high", "log", "whole")


def sampled_from(values: Any) -> Any:
    """Return what scikit-learn's searches draw from: the list itself, or a distribution of SciPy.

    Parameters
    ----------
    values : list or dict
        Values to choose from, or a range: ``low`` and ``high``, both numbers; ``log``, whether all orders of
        magnitude are as likely; ``whole``, whether only whole numbers are drawn, ``high`` among them.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> sampled_from({"low": 8, "high": 512, "log": True, "whole": True}).rvs(random_state=0)
    76
    """
    if isinstance(values, list) and values:
        return values
    if not isinstance(values, dict) or not {"low", "high"} <= set(values) <= set(KEYS):
        raise ValueError(f"{values!r} must be a list of values, or a range {{low = ..., high = ...}}.")
    low, high, log, whole = (values.get(key, False) for key in KEYS)
    kinds, wanted = ((int,), "whole numbers") if whole else ((int, float), "numbers")
    if not all(type(bound) in kinds and abs(bound) < sys.float_info.max for bound in (low, high)):
        raise ValueError(f"low={low!r} and high={high!r} must be {wanted}.")
    if not all(isinstance(one, bool) for one in (log, whole)):
        raise ValueError(f"log={log!r} and whole={whole!r} must be true or false.")
    if not low < high or (log and low <= 0):
        raise ValueError(f"low={low} must be below high={high}{', and above 0' if log else ''}.")
    low, high = float(low), float(high)
    if whole:  # so that the bounds are as likely as any other
        low, high = low - 0.5, high + 0.5
    drawn = stats.loguniform(low, high) if log else stats.uniform(low, high - low)
    return _Rounded(drawn, whole)


class _Rounded:
    """A distribution of numbers as a file has them: whole ones, or of four digits."""

    def __init__(self, of: Any, whole: bool):
        self._of, self._whole = of, whole

    def rvs(self, *args: Any, **kwargs: Any) -> float:
        """Draw one."""
        value = float(self._of.rvs(*args, **kwargs))
        return round(value) if self._whole else float(f"{value:.4g}")
