"""The parameters of an estimator at one moment, and the layers, optimizer and schedule that they describe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp import activations, initializers, optimizers, schedules
from fastmlp._support.checks import named, shown
from fastmlp.layers import Dense
from fastmlp.optimizers import LBFGS, SGD, Optimizer, is_full_batch
from fastmlp.schedules import Schedule

#: Softmax is for outputs; across the units of a hidden layer scikit-learn's users do not expect it.
HIDDEN_ACTIVATIONS = {*activations.NAMES, *activations.ALIASES} - {"softmax"}

#: The value of ``verbose`` that asks for a progress bar.
PROGRESS_BAR = "bar"

# scikit-learn has these two for SGD only.
_OF_SGD = ("invscaling", "adaptive")
_DEFAULT_BATCH_SIZE = 200
_IMMUTABLE = {bool, int, float, str}


class EstimatorSettings:
    """The parameters of an estimator as they are now, with the same names.

    What the user or a callback sets later does not change them. Parameters that only one of the two
    estimators has are at their defaults in the other: ``label_smoothing=0`` and ``class_weight=None``.

    Parameters
    ----------
    parameters : mapping of str to object
    """

    label_smoothing: float = 0.0
    class_weight: Any = None

    def __init__(self, parameters: Mapping[str, Any]):
        self._names = tuple(parameters)
        vars(self).update(parameters)

    if TYPE_CHECKING:  # the parameters, which a type checker cannot see

        def __getattr__(self, name: str) -> Any: ...

    @cached_property
    def frozen(self) -> dict[str, Any]:
        """The parameters by name, in copies that a change in place leaves alone."""
        return {name: frozen(getattr(self, name)) for name in self._names}

    def check(self) -> None:
        """Refuse parameters that suit no data."""
        self.hidden_layers()
        self.optimizer()

    def hidden_layers(self) -> list[Dense]:
        """Return the hidden layers."""
        sizes: Any = self.hidden_layer_sizes
        sizes = [sizes] if isinstance(sizes, Integral) else list(sizes)
        if any(not isinstance(size, Integral) or size < 1 for size in sizes):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {shown(sizes)}.")
        names = [
            activations.canonical(one) if isinstance(one, activations.Activation) else one
            for one in self._per_layer("activation", len(sizes))
        ]
        for name in names:
            if not isinstance(name, str) or name.partition("(")[0] not in HIDDEN_ACTIVATIONS:
                raise ValueError(
                    f"activation={shown(name)} is not one for hidden layers; choose from "
                    f"{', '.join(sorted(HIDDEN_ACTIVATIONS))}."
                )
        others = {one: self._per_layer(one, len(sizes)) for one in ("dropout", "batch_norm", "layer_norm")}
        return [
            Dense(
                int(size),
                activations.canonical(names[i]),
                dropout=others["dropout"][i],
                batch_norm=bool(others["batch_norm"][i]),
                layer_norm=bool(others["layer_norm"][i]),
            )
            for i, size in enumerate(sizes)
        ]

    def initializers(self, hidden: Sequence[Dense]) -> list[initializers.Initializer]:
        """Return what draws the weights of each layer, the output's included."""
        if self.weight_init is not None:
            return initializers.one_per_layer("weight_init", self.weight_init, len(hidden) + 1)
        # scikit-learn halves the spread of the initial weights for logistic hidden units.
        logistic = any(layer.activation in ("logistic", "sigmoid") for layer in hidden)
        return [initializers.GlorotUniform(2.0 if logistic else 6.0)] * (len(hidden) + 1)

    def optimizer(self) -> Optimizer:
        """Return the optimizer; refuse a weight decay that it does not have."""
        solver: Any = self.solver
        if not isinstance(solver, str):
            optimizer = optimizers.chosen("solver", solver)
        elif solver == "sgd":
            optimizer = SGD(self.learning_rate_init, self.momentum, self.nesterovs_momentum)
        elif solver in ("adam", "adamw"):
            kind: Any = optimizers.BY_NAME[solver]
            optimizer = kind(self.learning_rate_init, self.beta_1, self.beta_2, self.epsilon)
        elif solver == "lbfgs":
            optimizer = LBFGS(self.max_fun, tol=self.tol)
        else:
            optimizer = optimizers.BY_NAME[solver](self.learning_rate_init)
        if is_full_batch(optimizer):
            if self.weight_decay:
                raise ValueError(
                    f"weight_decay={self.weight_decay!r} does not go with L-BFGS: decay is not part of the "
                    "loss that it minimises; use l2 or alpha."
                )
            return optimizer
        if self.weight_decay is not None:
            optimizer = replace(optimizer, weight_decay=self.weight_decay)
        return optimizer

    def schedule(self, optimizer: Optimizer) -> Schedule:
        """Return the schedule of the learning rate."""
        schedule: Any = self.learning_rate
        if schedule in _OF_SGD and not isinstance(optimizer, SGD):
            schedule = "constant"
        elif schedule == "invscaling":
            schedule = schedules.InverseScaling(self.power_t)
        return named("learning_rate", schedule, schedules.BY_NAME)

    def prints_epochs(self) -> bool:
        """Return whether each epoch prints a line."""
        return bool(self.verbose) and not self.draws_bar()

    def draws_bar(self) -> bool:
        """Return whether `fit` draws a progress bar."""
        return bool(self.verbose == PROGRESS_BAR)

    def most_samples_of_a_batch(self) -> int:
        """Return the batch size; a data set of fewer samples is one batch."""
        return _DEFAULT_BATCH_SIZE if self.batch_size == "auto" else int(self.batch_size)

    def _per_layer(self, name: str, n_layers: int) -> list[Any]:
        """Return a parameter's value for each hidden layer, of one for all of them or a list of as many."""
        value = getattr(self, name)
        values = [value] * n_layers if isinstance(value, str) or np.ndim(value) == 0 else list(value)
        if len(values) != n_layers:
            raise ValueError(
                f"{name}={shown(value)} must be one value, or one for each of {n_layers} hidden layers."
            )
        return values


def frozen(value: Any) -> Any:
    """Return a value that a change of the given one in place leaves alone.

    Examples
    --------
    >>> frozen([8, [4]]), frozen({"a": 2.0})
    ((8, (4,)), (('a', 2.0),))
    """
    if value is None or type(value) in _IMMUTABLE:  # most parameters: a tenth of the time
        return value
    if isinstance(value, dict):
        return tuple((key, frozen(one)) for key, one in value.items())
    if hasattr(value, "__array__"):
        return frozen(np.asarray(value).tolist()) if np.ndim(value) else value
    if isinstance(value, Sequence) and not isinstance(value, str) and not callable(value):
        return tuple(frozen(one) for one in value)
    return value
