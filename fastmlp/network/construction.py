"""What a network is made of: its layers once they are checked, their plan, and how each begins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from fastmlp import activations, initializers
from fastmlp._support.checks import named, number, shown
from fastmlp.engine.plan import Plan, make_plan
from fastmlp.initializers import Initializer
from fastmlp.layers import Dense


def checked(layers: Sequence[Dense]) -> tuple[Dense, ...]:
    """Return the layers of a network, their activations by the names that fastmlp uses.

    Raises
    ------
    ValueError
        If they are not one or more layers, an activation is not known, or the last layer has dropout.
    """
    if not (isinstance(layers, Sequence) and layers and all(isinstance(layer, Dense) for layer in layers)):
        raise ValueError(f"layers={shown(layers)} must be a list of one or more instances of Dense.")
    canonical = tuple(replace(layer, activation=activations.canonical(layer.activation)) for layer in layers)
    if canonical[-1].dropout:
        raise ValueError(
            f"layers={shown(layers)}: the last layer has dropout={canonical[-1].dropout}, but only "
            "layers before it can drop some of their outputs."
        )
    return canonical


def frozen(layers: Sequence[Dense], numbers: Iterable[int]) -> tuple[Dense, ...]:
    """Return the layers, those of these numbers frozen and the others not; negative ones count from the end.

    Raises
    ------
    ValueError
        If there is no layer of a number.
    """
    n, chosen = len(layers), set()
    for one in numbers:
        number("layers", one, at_least=-n, at_most=n - 1, whole=True)
        chosen.add(one % n)
    return tuple(replace(layer, trainable=i not in chosen) for i, layer in enumerate(layers))


def plan_of(layers: Sequence[Dense], n_features: int, computed_in: str, operations: str) -> Plan:
    """Lay out the parameters of these layers; those of a network in bfloat16 are float32."""
    return make_plan(
        n_features,
        tuple(layer.units for layer in layers),
        tuple(layer.activation for layer in layers),
        np.dtype("float32" if computed_in == "bfloat16" else computed_in),
        operations,
        tuple(layer.plan_options for layer in layers),
    )


def initializers_of(
    layers: Sequence[Dense], initializer: str | Initializer | Sequence[str | Initializer]
) -> list[Initializer]:
    """Return the initializer of each layer: its own, or else the network's."""
    networks = initializers.one_per_layer("initializer", initializer, len(layers))
    return [
        one if layer.initializer is None else named("initializer", layer.initializer, initializers.BY_NAME)
        for layer, one in zip(layers, networks, strict=True)
    ]
