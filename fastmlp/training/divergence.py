"""Divergence: how it is found, and the message about it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.network.network import Network

#: Parameters above this are tried out after an epoch. Useful networks stay far below.
HUGE = 1e4


class DivergenceWarning(RuntimeWarning):
    """Training diverged; it stopped, and the network has the last good epoch's parameters."""


def is_sound(parameters: NDArray[np.floating[Any]], predicts_finite: Callable[[], bool]) -> bool:
    """Return whether an epoch left parameters that can be computed with.

    The last update comes after the last loss, and finite parameters can still overflow: huge ones are
    tried on a batch, by ``predicts_finite``.
    """
    largest = max(parameters.max(), -parameters.min())
    return largest < HUGE or bool(np.isfinite(largest) and predicts_finite())


def find_broken(network: Network, vectors: Collection[NDArray[np.floating[Any]]]) -> str:
    """Return the words for the layer that broke."""
    for i, layer in enumerate(network.plan.layers):
        if not all(np.isfinite(vector[layer.parameters]).all() for vector in vectors):
            return f"the parameters of layer {i}"
    return f"the outputs of layer {len(network.layers) - 1}"


def describe(where: str, last_epoch: int, advice: str) -> str:
    """Return the message for training that broke in the epoch after ``last_epoch``."""
    return (
        f"training diverged in epoch {last_epoch + 1}: {where} or the loss became infinite or not a number. "
        f"The network has the parameters of epoch {last_epoch}"
        + (", its initial ones" if last_epoch == 0 else "")
        + f"; {advice}."
    )
