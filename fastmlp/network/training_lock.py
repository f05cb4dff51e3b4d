"""One fit of a network at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class TrainingLock:
    """Lets nobody else train a network while one fit holds it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the network for as long as this is open.

        Raises
        ------
        RuntimeError
            If another fit holds it.
        """
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(
                "this network is being trained by another fit; wait for it, or train a copy (copy.deepcopy)."
            )
        try:
            yield
        finally:
            self._lock.release()
