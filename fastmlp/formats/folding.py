"""Weights and biases that include what stands beside them: normalisations, standardisations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastmlp.formats.model import FittedModel
from fastmlp.layers import NORM_EPSILON, Dense
from fastmlp.network.preparation import Preparation

Linear = tuple[NDArray[np.floating], NDArray[np.floating]]


def with_batch_norm(layer: Dense, parts: Mapping[str, NDArray[np.floating]]) -> Linear:
    """Return a layer's weights (n_out, n_in) and biases in float64, with its batch normalisation in them."""
    weight, bias = parts["weight"].astype(np.float64), parts["bias"].astype(np.float64)
    if not layer.batch_norm:
        return weight, bias
    factor = parts["scale"] / np.sqrt(parts["variance"].astype(np.float64) + NORM_EPSILON)
    return weight * factor[:, None], bias - factor * parts["mean"]


def with_preparations(model: FittedModel, dtype: DTypeLike) -> list[Linear]:
    """Return each layer's weights (n_out, n_in) and biases, with the standardisations in the outer layers.

    The bias of a layer that normalises is added after the normalisation, so it is not among these: such a
    layer has zeros, or what the standardisation of the inputs adds.

    Raises
    ------
    ValueError
        If weights and biases of this type cannot hold a standardisation.
    """
    parts = [
        (
            one["weight"].astype(np.float64),
            np.zeros(layer.units) if layer.norm else one["bias"].astype(np.float64),
        )
        for layer, one in zip(model.network.layers, model.network.parts(), strict=True)
    ]
    inputs, targets = model.preparation, model.target_preparation
    with np.errstate(over="ignore", invalid="ignore"):
        if inputs is not None:
            weight, bias = parts[0]
            weight = weight * inputs.scale
            parts[0] = weight, bias - weight @ inputs.center
        if targets is not None:
            targets = targets.repeated(model.loss.outputs_per_target)
            weight, bias = parts[-1]
            parts[-1] = weight / targets.scale[:, None], bias / targets.scale + targets.center
        converted: list[Linear] = [(weight.astype(dtype), bias.astype(dtype)) for weight, bias in parts]
    if inputs is not None:
        _check_holds(inputs, "X", converted[0])
    if targets is not None:
        _check_holds(targets, "y", converted[-1])
    return converted


def _check_holds(preparation: Preparation, name: str, linear: Linear) -> None:
    """Raise ValueError if weights and biases are not precise enough for the standardisation in them."""
    dtype: np.dtype[Any] = linear[0].dtype
    if preparation.can_restore_in(dtype) and all(np.isfinite(values).all() for values in linear):
        return
    remedy = "fit with dtype='float64'" if dtype == np.float32 else f"shift and scale {name} first"
    raise ValueError(
        f"the standardisation of {name} cannot be part of weights and biases in {dtype}: a column lies too "
        f"far from 0 for its spread, or its spread is too large or too small a number; {remedy}."
    )
