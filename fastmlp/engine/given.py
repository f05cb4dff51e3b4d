"""What the engines are given: copied or checked, so that nobody can lead them out of a buffer while they run.

Callbacks run between the slices of a fit and can change every array that they reach. Three rules:

- Arrays that the engines index by (rows, labels, sparse places) are checked, and read-only: they are copied,
  unless they are read-only already and own their memory.
- Arrays of numbers that are as long as the data or the parameters are read in place. Their shapes are
  checked, and `hold` keeps NumPy from moving their memory; numbers that are not finite end in divergence.
- Short ones (rates, momenta, centers and scales) are copied.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp._support.checks import frozen
from fastmlp.engine.plan import Plan
from fastmlp.engine.sparse_rows import SparseRows, is_sparse

Array = np.ndarray[Any, Any]


def samples(
    plan: Plan, X: Any, targets: Any = None, sample_weight: Any = None, *, loss: str | None = None,
    loss_options: Mapping[str, Any] | None = None,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """Return X, targets and weights as an engine may read them: labels are copied, the rest is not.

    Raises
    ------
    ValueError
        If a shape does not go with the plan or with X, or a label is out of range.
    """
    if is_sparse(X):
        X = SparseRows.of(X, plan.dtype)
    if len(X.shape) != 2 or X.shape[0] < 1 or X.shape[1] != plan.n_features:
        raise ValueError(
            f"X has shape {X.shape}; the engine takes one or more rows of {plan.n_features} features."
        )
    if not is_sparse(X):
        X = X.view()  # with a shape and strides of its own
    n_samples = X.shape[0]
    if loss is not None:
        if loss == "cross_entropy" and np.ndim(targets) == 1:
            targets = _labels(targets, n_samples, plan.n_outputs)
        else:
            n_quantiles = np.size((loss_options or {}).get("quantiles", 0.5)) if loss == "quantile" else 1
            targets = np.asarray(targets).view()
            if targets.shape != (n_samples, plan.n_outputs // n_quantiles):
                raise ValueError(
                    f"the targets have shape {targets.shape}; they must be "
                    f"({n_samples}, {plan.n_outputs // n_quantiles})."
                )
    if sample_weight is not None:
        sample_weight = np.ascontiguousarray(sample_weight, dtype=np.float64).view()
        if sample_weight.shape != (n_samples,):
            raise ValueError(f"sample_weight has shape {sample_weight.shape}; it must be ({n_samples},).")
    return X, targets, sample_weight


def _labels(targets: Any, n_samples: int, n_outputs: int) -> Array:
    labels = frozen(targets)
    if len(labels) != n_samples or labels.dtype.kind not in "iub":
        raise ValueError(f"the labels are {labels.dtype} of shape {labels.shape}, for {n_samples} samples.")
    if labels.dtype != np.int32 or labels.view(np.uint32).max() >= n_outputs:  # negative ones are large there
        if labels.min() < 0 or labels.max() >= n_outputs:
            low, high = labels.min(), labels.max()
            raise ValueError(f"labels are integers from 0 to {n_outputs - 1}; they go from {low} to {high}.")
        labels = frozen(labels, np.int32)
    return labels


def rows(chosen: Any, n_samples: int) -> Array:
    """Return a copy of row numbers, as int64.

    Raises
    ------
    ValueError
        If there are none, or one is out of range.
    """
    chosen = frozen(chosen)
    if chosen.ndim != 1 or not len(chosen) or chosen.dtype.kind not in "iu":
        raise ValueError(f"rows must be one or more row numbers, not {chosen.dtype} of shape {chosen.shape}.")
    if chosen.min() < 0 or chosen.max() >= n_samples:
        raise ValueError(
            f"rows must be from 0 to {n_samples - 1}; they go from {chosen.min()} to {chosen.max()}."
        )
    return frozen(chosen, np.int64)


def all_rows(n_samples: int) -> Array:
    """Return the numbers of all rows in their order, read-only."""
    every = np.arange(n_samples, dtype=np.int64)
    every.setflags(write=False)
    return every


def rates_and_momenta(rates: Any, momenta: Any, n_batches: int) -> tuple[Array, Array]:
    """Return copies of what a schedule gives for an epoch: its arrays may be those of the next epoch, too.

    Raises
    ------
    ValueError
        If there are fewer numbers than batches.
    """
    rates, momenta = np.array(rates, dtype=np.float64), np.array(momenta, dtype=np.float64)
    for name, numbers in (("rates", rates), ("momenta", momenta)):
        if numbers.ndim != 1:
            raise ValueError(f"the schedule gives {name} of shape {numbers.shape}, not ({n_batches},).")
    if min(len(rates), len(momenta)) < n_batches:
        raise ValueError(
            f"the schedule gives {len(rates)} rates and {len(momenta)} momenta for an epoch of "
            f"{n_batches} batches."
        )
    return rates, momenta


def preparation(pair: Any) -> tuple[Array, Array] | None:
    """Return copies of centers and scales; None stays None."""
    if pair is None:
        return None
    center, scale = (np.array(part, dtype=np.float64, order="C") for part in pair)
    return center, scale


def check_vectors(plan: Plan, *vectors: Any) -> None:
    """Refuse vectors that are not as the plan lays out parameters; None is none.

    Raises
    ------
    ValueError
        If one has another type or shape.
    """
    for vector in vectors:
        if vector is not None and (vector.dtype != plan.dtype or vector.shape != (plan.n_parameters,)):
            raise ValueError(
                f"a vector like the parameters must be {plan.dtype} of shape ({plan.n_parameters},), "
                f"not {vector.dtype} of shape {vector.shape}."
            )


def hold(*arrays: Any) -> list[Any]:
    """Keep the memory of these arrays in its place for as long as what is returned lives.

    ``resize(refcheck=False)`` moves the memory of an array even where others read it, but NumPy refuses it
    for arrays that have a weak reference.
    """
    held: list[Any] = []
    for array in arrays:
        parts = [array.values, array.columns, array.starts] if isinstance(array, SparseRows) else [array]
        for part in parts:
            while isinstance(part, np.ndarray | memoryview):
                held.append(weakref.ref(part))
                part = part.obj if isinstance(part, memoryview) else part.base
    return held


def one_type(**arrays: Any) -> None:
    """Refuse what is not arrays of one type, float32 or float64: biases are vectors, the others matrices.

    Raises
    ------
    TypeError
        If one is not an array, or of another type.
    ValueError
        If one has other dimensions.
    """
    first = next(iter(arrays))
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype not in (np.float32, np.float64):
            kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            raise TypeError(f"{name} is {kind}; it must be an array of float32 or float64.")
        if array.dtype != arrays[first].dtype:
            raise TypeError(
                f"{name} is {array.dtype}, and {first} {arrays[first].dtype}; all must have one type."
            )
        n_dimensions = 1 if "bias" in name else 2
        if array.ndim != n_dimensions:
            raise ValueError(f"{name} has shape {array.shape}; it must have {n_dimensions} dimensions.")


def shape(name: str, found: tuple[int, ...], expected: tuple[int, ...], why: str) -> None:
    """Refuse an array of another shape than expected.

    Raises
    ------
    ValueError
        If it has one; the message names both shapes.
    """
    if found != expected:
        raise ValueError(f"{name} has shape {found}, but {why}: it must be {expected}.")


def apart(written: Mapping[str, Array], read: Mapping[str, Array]) -> None:
    """Refuse arrays that are written to and overlap with others, or are read-only.

    Raises
    ------
    ValueError
        If there is one; the message names it.
    """
    for name, array in written.items():
        if not array.flags.writeable:
            raise ValueError(f"{name} is read-only, and would be written to.")
        for other, beside in {**written, **read}.items():
            if other != name and np.may_share_memory(array, beside):
                raise ValueError(f"{name} and {other} overlap, and {name} is written to.")
