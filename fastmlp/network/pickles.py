"""The state of a network in pickles and copies: a version, plain dictionaries and arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from fastmlp._support.pickle_forms import check_pickle_form
from fastmlp.engine.selection import operations_of
from fastmlp.layers import Dense
from fastmlp.network.construction import plan_of
from fastmlp.network.parameter_vector import ParameterVector
from fastmlp.network.preparation import Preparation

#: Of the form that `State.to_dict` returns; the states of fastmlp 0.2 and earlier have no version.
VERSION = 1


@dataclass(frozen=True, eq=False)
class State:
    """All that makes a network; ``parameters`` are under the names that files give them."""

    layers: tuple[Dense, ...]
    n_features: int
    dtype: str
    engine: str
    n_threads: int | None
    preparation: Preparation | None
    parameters: Mapping[str, np.ndarray]

    def to_dict(self) -> dict[str, Any]:
        """Return the state with a version, and a dictionary in place of each layer."""
        layers = [_attributes(layer) for layer in self.layers]
        return {"version": VERSION, **_attributes(self), "layers": layers}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> State:
        """Return the state that `to_dict` made a dictionary of.

        Raises
        ------
        ValueError
            If another version of fastmlp made it, in another form.
        """
        check_pickle_form("this network", state.get("version"), VERSION)
        values = {one.name: state[one.name] for one in fields(cls)}
        return cls(**values | {"layers": tuple(Dense(**layer) for layer in state["layers"])})

    def vector(self) -> ParameterVector:
        """Return the parameters, laid out for the engine and processor that are here."""
        # Where the processor cannot train in bfloat16 the network predicts all the same, in float32.
        operations = operations_of(self.engine, "float32" if self.dtype == "bfloat16" else self.dtype)
        vector = ParameterVector(plan_of(self.layers, self.n_features, self.dtype, operations))
        vector.assign_by_name(self.parameters)
        return vector


def _attributes(one: Any) -> dict[str, Any]:
    return {field.name: getattr(one, field.name) for field in fields(one)}
