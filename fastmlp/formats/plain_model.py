"""A fitted model in plain data: read from a file or from scikit-learn, to make an estimator of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.formats.model import Outputs, Targets
from fastmlp.layers import Dense
from fastmlp.network.network import Network
from fastmlp.network.preparation import Preparation

#: The standardisations, as their arrays are named: of the inputs, and of real targets.
PREPARATIONS = ("preparation", "target_preparation")


@dataclass(frozen=True, eq=False)
class PlainModel:
    """A fitted model in plain data.

    Attributes
    ----------
    estimator_name : {"MLPClassifier", "MLPRegressor"}
    parameters : mapping of str to object
        Of the estimator; those that are left out are at their defaults.
    n_features : int
    feature_names : ndarray of str or None
    layers : tuple of Dense
    dtype : str
        Of the arrays of the layers.
    arrays : mapping of str to ndarray
        ``layers.0.weight`` (n_out, n_in), ``layers.0.bias`` and so on, and ``preparation.center``,
        ``preparation.scale``, ``target_preparation.center``, ``target_preparation.scale``.
    labels : ndarray or None
        A classifier's classes.
    is_multilabel, is_sparse : bool
    derived : mapping of str to object, or None
        Attributes that follow from the layers and the targets, where there is something to compare.
    record : mapping of str to object
        What happened in the training: ``n_iter_``, ``t_``, ``loss_``, ``best_loss_``, ``loss_curve_``,
        ``validation_scores_``, ``validation_loss_curve_`` and, if it is known, ``validation_score_``.
    """

    estimator_name: str
    parameters: Mapping[str, Any]
    n_features: int
    feature_names: NDArray[Any] | None
    layers: tuple[Dense, ...]
    dtype: str
    arrays: Mapping[str, NDArray[Any]]
    labels: NDArray[Any] | None
    is_multilabel: bool
    is_sparse: bool
    derived: Mapping[str, Any] | None
    record: Mapping[str, Any]

    def preparation(self, name: str) -> Preparation | None:
        """Return one of the `PREPARATIONS`."""
        if f"{name}.center" not in self.arrays:
            return None
        return Preparation(self.arrays[f"{name}.center"], self.arrays[f"{name}.scale"])

    def network(self, dtype: str, engine: str) -> Network:
        """Return the network of the arrays, which computes in this type."""
        network = Network(
            self.layers,
            self.n_features,
            dtype=dtype,
            engine=engine,
            preparation=self.preparation("preparation"),
            random_state=0,
        )
        for i, parts in enumerate(network.parts()):
            for name, part in parts.items():
                part[:] = self.arrays[f"layers.{i}.{name}"]
        return network

    def check_outputs(self, targets: Targets, outputs: Outputs) -> None:
        """Raise ValueError unless the last layer and the derived attributes are those of such outputs."""
        last = self.layers[-1]
        if (last.units, last.activation) != (outputs.n_outputs, outputs.activation):
            raise ValueError(f"the last layer is {last}, not {outputs.n_outputs} {outputs.activation}")
        if self.derived is None:
            return
        expected = derived_attributes(len(self.layers), targets, outputs)
        for name in (*expected, *(self.derived.keys() - expected.keys())):
            found, value = self.derived.get(name), expected.get(name)
            if found != value or type(found) is not type(value):
                raise ValueError(f"{name} is {found!r}, but its layers and classes make it {value!r}")

    def check_arrays(self, outputs: Outputs) -> None:
        """Raise ValueError unless the arrays are those of the layers, of finite numbers."""
        sizes = [self.n_features, *(layer.units for layer in self.layers)]
        expected: dict[str, tuple[tuple[int, ...], str]] = {}
        for i, layer in enumerate(self.layers):
            expected[f"layers.{i}.weight"] = ((layer.units, sizes[i]), self.dtype)
            expected |= {f"layers.{i}.{name}": ((layer.units,), self.dtype) for name in layer.vectors}
        widths = (sizes[0], sizes[-1] // outputs.loss.outputs_per_target)
        for name, n in zip(PREPARATIONS, widths, strict=True):
            if f"{name}.center" in self.arrays:
                expected |= {f"{name}.center": ((n,), "float64"), f"{name}.scale": ((n,), "float64")}
        found = {name: (array.shape, array.dtype.name) for name, array in self.arrays.items()}
        if found != expected:
            raise ValueError(f"tensors {found}, expected {expected}")
        for name, array in self.arrays.items():
            if not np.isfinite(array).all():
                raise ValueError(f"tensor {name} holds NaN or infinity")
            if name.endswith(".variance") and array.min() < 0:
                raise ValueError(f"tensor {name} is negative")


def derived_attributes(n_layers: int, targets: Targets, outputs: Outputs) -> dict[str, Any]:
    """Return what a file says of a model although it follows from its layers and its targets."""
    derived = {
        "n_outputs_": outputs.n_outputs,
        "out_activation_": outputs.activation,
        "n_layers_": n_layers + 1,
        "_loss_name": outputs.loss.name,
    }
    return derived if targets.classes is None else derived | {"_multilabel": targets.is_multilabel}
