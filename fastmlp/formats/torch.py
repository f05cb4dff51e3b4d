"""A fitted model's parameters by the names that a ``torch.nn.Sequential`` has for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastmlp.formats.folding import with_preparations
from fastmlp.formats.model import FittedModel

# What PyTorch calls the vectors of a normalisation, by our names.
_OF_NORM = {"scale": "weight", "bias": "bias", "mean": "running_mean", "variance": "running_var"}


def state_arrays(model: FittedModel) -> dict[str, NDArray[np.floating]]:
    """Return copies of the parameters, in the type that the model computes in; PyTorch is not needed."""
    network = model.network
    arrays: dict[str, NDArray[np.floating]] = {}
    place = 0
    layers = zip(network.layers, network.parts(), with_preparations(model, network.dtype), strict=True)
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
