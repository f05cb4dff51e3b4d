"""How many threads a call may use."""

from __future__ import annotations

import os
from functools import cache

import joblib


@cache
def _count_processors() -> int:
    """Return how many processors there are for us: a container's quota is read from files, and stays."""
    return joblib.cpu_count()


def count_threads(n_threads: int | None = None) -> int:
    """Return the least of what the process may use, ``OMP_NUM_THREADS`` and ``n_threads``.

    What the process may use are the processors that it is bound to now, and its container's quota as
    `joblib.cpu_count` finds it.

    Examples
    --------
    >>> from fastmlp.threads import count_threads
    >>> count_threads(1)
    1
    """
    wanted = [_count_processors()]
    if hasattr(os, "sched_getaffinity"):  # on Linux
        wanted.append(len(os.sched_getaffinity(0)))
    # OpenMP takes a list, one number for each level of nesting; the first is ours.
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if first.isdecimal() and int(first) > 0:
        wanted.append(int(first))
    if n_threads is not None:
        wanted.append(n_threads)
    return min(wanted)
