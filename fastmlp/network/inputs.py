"""What a network takes: inputs, a loss that goes with its outputs, and targets that go with the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array

from fastmlp import losses
from fastmlp._support.checks import named, shown
from fastmlp._support.dates import refuse_columns, refuse_dates
from fastmlp._support.values import plain
from fastmlp.engine import sparse_rows

#: Types of input that the engine reads as they are; others become the first of these.
INPUT_DTYPES = (np.float64, np.float32, np.uint8)


def check_inputs(X, n_features: int, is_finite: Callable[[np.ndarray], bool]) -> np.ndarray:
    """Return X as the engine reads it, without a copy where it can be; refuse what is not fit to be read.

    ``is_finite`` looks through a C-contiguous array of floats.

    Raises
    ------
    ValueError
        If X is not two-dimensional, empty, of another width, or holds NaN, infinity or dates.
    """
    if not isinstance(X, sparse_rows.SparseRows):  # these were checked when they were read
        X = _check_array_or_matrix(X, is_finite)
    if X.shape[1] != n_features:
        raise ValueError(f"X has {X.shape[1]} features, but this network takes {n_features}.")
    return X


def _check_array_or_matrix(X, is_finite: Callable[[np.ndarray], bool]) -> np.ndarray:
    refuse_columns("X", X)
    X = check_array(
        X, accept_sparse="csr", dtype=list(INPUT_DTYPES), order=None, input_name="X",
        ensure_all_finite=issparse(X),
    )  # fmt: skip
    if not issparse(X) and X.dtype.kind == "f" and not (X.flags.c_contiguous and is_finite(X)):
        check_array(X, order=None, input_name="X")  # says what it found
    check_places(X)
    return X


def check_places(X) -> None:
    """Refuse a CSR matrix that points beyond its elements or columns, see `sparse_rows.check_places`."""
    if issparse(X):
        sparse_rows.check_places(X.indptr, X.indices, len(X.data), X.shape)


def check_sparse(X, **changes: Any) -> None:
    """Refuse what would fill a sparse X, or what its kernels do not know.

    Raises
    ------
    ValueError
        If X is sparse and one of the changes is not None, 0 or False.
    """
    for name, change in changes.items():
        if sparse_rows.is_sparse(X) and change:
            raise ValueError(
                f"{name}={change!r:.60} does not go with a sparse X; leave it out, or pass X.toarray()."
            )


def check_loss(loss: Any, activation: str, n_outputs: int) -> losses.Loss:
    """Return the loss that a name stands for; refuse one that does not go with these outputs."""
    loss = named("loss", loss, losses.BY_NAME)
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


def check_targets(y: Any, loss: losses.Loss, n_samples: int, n_outputs: int) -> np.ndarray:
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
    y = check_array(
        y, dtype=None if takes_labels else list(INPUT_DTYPES), ensure_2d=False, allow_nd=True,
        ensure_min_samples=0, input_name="y",
    )  # fmt: skip
    if y.ndim == 0:
        raise ValueError(f"y={shown(y[()])} must be an array of {n_samples} targets.")
    if len(y) != n_samples:
        raise ValueError(f"X has {n_samples} samples and y has {len(y)}; they must be as many.")
    if takes_labels:
        y = y.copy()  # the engines index by labels: nobody else may change them
        if y.ndim != 1 or y.dtype.kind not in "iub" or y.min() < 0 or y.max() >= n_outputs:
            raise ValueError(
                f"loss={loss.name!r} takes class labels, integers from 0 to {n_outputs - 1} in one "
                f"dimension, or probabilities of shape (n_samples, {n_outputs}); y is {y.dtype} of "
                f"shape {y.shape}" + (f" from {y.min()} to {y.max()}." if y.dtype.kind in "iub" else ".")
            )
        return np.ascontiguousarray(y, dtype=np.int32)
    y = y.reshape(-1, 1) if y.ndim == 1 else y
    n_targets = n_outputs // loss.outputs_per_target
    if y.shape != (n_samples, n_targets):
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
