"""How many threads a call may use."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import joblib

from fastmlp._support.checks import number

_default = threading.local()


@contextmanager
def one_thread_by_default() -> Iterator[None]:
    """Have ``n_threads=None`` mean one thread, in calls by this thread for as long as this is open.

    Examples
    --------
    >>> from fastmlp._support.threads import count_threads
    >>> with one_thread_by_default():
    ...     count_threads()
    1
    """
    before = getattr(_default, "n_threads", None)
    _default.n_threads = 1
    try:
        yield
    finally:
        _default.n_threads = before


@cache
def _count_processors() -> int:
    """Return how many processors there are for us: a container's quota is read from files, and stays."""
    return joblib.cpu_count()


def check_n_threads(n_threads: Any) -> None:
    """Refuse what is neither None nor a whole number of at least 1."""
    if n_threads is not None:
        number("n_threads", n_threads, at_least=1, whole=True)


def count_threads(n_threads: int | None = None) -> int:
    """Return the least of what the process may use, ``OMP_NUM_THREADS`` and ``n_threads``.

    What the process may use are the processors that it is bound to now, and its container's quota as
    `joblib.cpu_count` finds it. None is 1 within `one_thread_by_default`.

    Raises
    ------
    TypeError, ValueError
        If ``n_threads`` is neither None nor a whole number of at least 1.

    Examples
    --------
    >>> from fastmlp._support.threads import count_threads
    >>> count_threads(1)
    1
    """
    check_n_threads(n_threads)
    if n_threads is None:
        n_threads = getattr(_default, "n_threads", None)
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
