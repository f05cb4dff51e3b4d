"""The layers a network is made of."""

from __future__ import annotations

from dataclasses import dataclass

from fastmlp.checks import number


@dataclass(frozen=True)
class Dense:
    """A fully connected layer: activation(W x + b).

    Parameters
    ----------
    units : int
        Number of outputs, at least 1.
    activation : str, default="relu"
        One of `fastmlp.activations.NAMES`.

    Examples
    --------
    >>> Dense(10, "softmax")
    Dense(units=10, activation='softmax')
    """

    units: int
    activation: str = "relu"

    def __post_init__(self):
        number("units", self.units, at_least=1, whole=True)
