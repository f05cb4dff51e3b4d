"""The gradients of a network's mean loss."""

from __future__ import annotations

from importlib import import_module

import numpy as np

from fastmlp._support.threads import count_threads
from fastmlp.engine.selection import ENGINES
from fastmlp.losses import Loss
from fastmlp.network.inputs import Inputs, Readable
from fastmlp.network.parameter_vector import ParameterVector


class Gradients:
    """The way from a loss back to parameters and inputs, for one vector of parameters and its inputs."""

    def __init__(self, parameters: ParameterVector, inputs: Inputs, engine: str) -> None:
        self._parameters, self._inputs, self._engine = parameters, inputs, engine

    def of(
        self, X: Readable, targets: np.ndarray, loss: Loss, sample_weight: np.ndarray | None, *,
        n_threads: int | None,
    ) -> tuple[float, np.ndarray, np.ndarray]:  # fmt: skip
        """Return the mean loss over X and targets as the engine reads them, and its gradients.

        They are those of `Network.gradients`: like the parameters, and like X as it was given.
        """
        d_parameters = self._parameters.new_vector()
        d_inputs = np.empty((X.shape[0], self._inputs.n_features), dtype=self._inputs.dtype)
        value: float = import_module(ENGINES[self._engine]).gradients(
            self._parameters.plan,
            self._parameters.values,
            X,
            self._inputs.prepared,
            d_parameters,
            d_inputs,
            loss=loss.name,
            loss_options=loss.options(),
            targets=targets,
            sample_weight=sample_weight,
            n_threads=count_threads(n_threads),
        )
        if self._inputs.preparation is not None:
            if self._inputs.needs_float64:
                d_inputs = d_inputs.astype(np.float64)  # the network's type may not have such scales
            d_inputs *= self._inputs.preparation.scale.astype(d_inputs.dtype)
        return value, d_parameters, d_inputs
