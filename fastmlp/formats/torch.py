"""A fitted estimator's parameters by the names that a ``torch.nn.Sequential`` has for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.estimators.exports import linear_parts

# What PyTorch calls the vectors of a normalisation, by our names.
_OF_NORM = {"scale": "weight", "bias": "bias", "mean": "running_mean", "variance": "running_var"}


def state_arrays(estimator: Any) -> dict[str, np.ndarray]:
    """Return copies of the parameters, in the type that the model computes in; without PyTorch."""
    network = estimator.network_
    arrays: dict[str, np.ndarray] = {}
    place = 0
    layers = zip(network.layers, network.parts(), linear_parts(estimator, network.dtype), strict=True)
    for layer, parts, (weight, bias) in layers:
        arrays |= {f"{place}.weight": weight, f"{place}.bias": bias}
        place += 1
        if layer.norm:
            arrays |= {f"{place}.{name}": parts[ours] for ours, name in _OF_NORM.items() if ours in parts}
            place += 1
        if "slope" in parts:
            arrays[f"{place}.weight"] = parts["slope"]
        place += 1
    return {name: np.array(values, dtype=network.dtype, order="C") for name, values in arrays.items()}
