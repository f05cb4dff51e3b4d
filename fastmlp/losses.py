"""The losses, each a mean over the samples of a batch; their formulas stand in engine/reference.py.

``output_activations`` are the activations of the last layer that a loss goes with; None stands for any.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class CrossEntropy:
    """-log p of the true class, for a softmax output; targets are class labels 0 .. n_outputs - 1."""

    name: ClassVar[str] = "cross_entropy"
    output_activations: ClassVar[tuple[str, ...]] = ("softmax",)
    takes_labels: ClassVar[bool] = True


@dataclass(frozen=True)
class BinaryCrossEntropy:
    """-t log p - (1 - t) log(1 - p), summed over logistic outputs; targets t lie in [0, 1]."""

    name: ClassVar[str] = "binary_cross_entropy"
    output_activations: ClassVar[tuple[str, ...]] = ("logistic",)
    takes_labels: ClassVar[bool] = False


@dataclass(frozen=True)
class SquaredError:
    """Half the squared difference, summed over the outputs, for any output activation."""

    name: ClassVar[str] = "squared_error"
    output_activations: ClassVar[None] = None
    takes_labels: ClassVar[bool] = False


Loss = CrossEntropy | BinaryCrossEntropy | SquaredError

#: The losses by name, as strings choose them.
BY_NAME = {loss.name: loss for loss in (CrossEntropy, BinaryCrossEntropy, SquaredError)}
