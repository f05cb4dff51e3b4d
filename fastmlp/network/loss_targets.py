"""The loss that goes with a network's outputs, and the targets that go with the loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array

from fastmlp import losses
from fastmlp._support.checks import frozen, shown
from fastmlp._support.dates import refuse_dates
from fastmlp._support.values import plain
from fastmlp.losses import Loss
from fastmlp.network.inputs import INPUT_DTYPES


def check_loss(loss: str | Loss, activation: str, n_outputs: int) -> Loss:
    """Return the loss that a name stands for; refuse one that does not go with these outputs."""
    loss = losses.chosen("loss", loss)
    if loss.output_activations is not None and activation not in loss.output_activations:
        raise ValueError(
            f"loss={loss.name!r} goes with an output activation of "
            f"{' or '.join(loss.output_activations)}, as {loss.reason}; this network ends with "
            f"{activation}."
        )
    if n_outputs % loss.outputs_per_target:
        raise ValueError(
            f"loss={shown(loss)} takes {loss.outputs_per_target} outputs for each target; this network has "
            f"{n_outputs}."
        )
    return loss


def check_targets(y: ArrayLike, loss: Loss, n_samples: int, n_outputs: int) -> np.ndarray:
    """Return y as the engine reads it: int32 labels, or a (n_samples, n_targets) matrix.

    Raises
    ------
    ValueError
        If y has the wrong length or shape, holds NaN, infinity or dates, or labels or targets out of range.
    """
    refuse_dates("y", y)
    if getattr(getattr(y, "dtype", None), "kind", "") == "O":
        y = plain(np.asarray(y))
    takes_labels = loss.takes_labels and np.shape(y) != (n_samples, n_outputs)
    targets: np.ndarray = check_array(
        y, dtype=None if takes_labels else list(INPUT_DTYPES), ensure_2d=False, allow_nd=True,
        ensure_min_samples=0, input_name="y",
    )  # fmt: skip
    if targets.ndim == 0:
        raise ValueError(f"y={shown(targets[()])} must be an array of {n_samples} targets.")
    if len(targets) != n_samples:
        raise ValueError(f"X has {n_samples} samples and y has {len(targets)}; they must be as many.")
    return _labels(targets, loss, n_outputs) if takes_labels else _matrix(targets, loss, n_outputs)


def _labels(y: np.ndarray, loss: Loss, n_outputs: int) -> np.ndarray:
    """Return class labels as int32."""
    y = frozen(y)  # the engines index by labels: nobody else may change them
    if y.ndim != 1 or y.dtype.kind not in "iub" or y.min() < 0 or y.max() >= n_outputs:
        raise ValueError(
            f"loss={loss.name!r} takes class labels, integers from 0 to {n_outputs - 1} in one "
            f"dimension, or probabilities of shape (n_samples, {n_outputs}); y is {y.dtype} of "
            f"shape {y.shape}" + (f" from {y.min()} to {y.max()}." if y.dtype.kind in "iub" else ".")
        )
    return frozen(y, np.int32)


def _matrix(y: np.ndarray, loss: Loss, n_outputs: int) -> np.ndarray:
    """Return numbers as (n_samples, n_targets), in the range of the loss."""
    y = y.reshape(-1, 1) if y.ndim == 1 else y
    n_targets = n_outputs // loss.outputs_per_target
    if y.shape != (len(y), n_targets):
        each = f", {loss.outputs_per_target} for each target" if loss.outputs_per_target > 1 else ""
        raise ValueError(f"y has shape {y.shape}, but this network has {n_outputs} outputs{each}.")
    lowest, highest = loss.target_range
    if y.min() < lowest or y.max() > highest:
        allowed = f"from {lowest:g} to {highest:g}" if np.isfinite(highest) else f"of at least {lowest:g}"
        raise ValueError(f"loss={loss.name!r} takes targets {allowed}; y goes from {y.min()} to {y.max()}.")
    if loss.takes_labels:
        totals = y.sum(axis=1, dtype=np.float64)
        worst = int(np.abs(totals - 1).argmax())
        if abs(totals[worst] - 1) > 1e-6:
            raise ValueError(
                f"loss={loss.name!r} takes rows of probabilities that sum to 1; row {worst} of y sums to "
                f"{totals[worst]:.9g}."
            )
    return y
