"""The layers a network is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fastmlp.checks import number


@dataclass(frozen=True)
class Dense:
    """A fully connected layer: activation(W x + b).

    Parameters
    ----------
    units : int
        Number of outputs, at least 1.
    activation : str, default="relu"
        One of `fastmlp.activations.NAMES`; "leaky_relu(0.2)" and "elu(0.5)" with another slope or alpha than
        the default.
    initializer : str, object or None, default=None
        How the layer begins, see `fastmlp.initializers`; None for the network's way.

    Examples
    --------
    >>> Dense(10, "softmax")
    Dense(units=10, activation='softmax')
    """

    units: int
    activation: str = "relu"
    initializer: Any = field(default=None, repr=False, compare=False)

    def __post_init__(self):
        number("units", self.units, at_least=1, whole=True)
