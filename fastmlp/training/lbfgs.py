"""Training by L-BFGS: SciPy minimises the loss of all samples, which the engine evaluates.

SciPy asks for the loss and its gradient at one point after another, and accepts some of them as iterates. The
network's parameters follow, and go back to the last iterate when all is over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from fastmlp._support.checks import shown
from fastmlp.network.network import Network
from fastmlp.optimizers import LBFGS
from fastmlp.schedules import Constant

#: Called with a loss; True ends the minimisation.
Ending: TypeAlias = Callable[[float], bool]

# What does not go with L-BFGS, and why: it needs a smooth loss that is the same at every call, and its
# gradient. Whatever else makes the loss random or the gradient another one belongs here.
_REASONS = {
    "schedule": "a line search finds the length of its steps",
    "l1": "the penalty is not smooth where a weight is 0; use l2 or alpha",
    "clip_value": "a gradient that was cut is not that of the loss",
    "clip_norm": "a gradient that was cut is not that of the loss",
    "ema_decay": "its line searches begin where the last one ended, not at an average",
    "dropout": "the loss would be another one at every call",
    "input_dropout": "the loss would be another one at every call",
    "input_noise": "the loss would be another one at every call",
    "batch_norm": "its running statistics are gathered from batches; use layer_norm",
    "callbacks": "its iterations, which are epochs, are all its steps",
    "augmentation": "the loss must be the same at every call",
    "dtype": "it does not find its way by rounded gradients; use 'float32' or 'float64'",
}


def check_goes_with(network: Network, **settings: Any) -> None:
    """Refuse a setting of the training that does not go with L-BFGS.

    Raises
    ------
    ValueError
        If one is neither 0, None nor a constant schedule, or the network trains in bfloat16.
    """
    if network.is_mixed:
        settings["dtype"] = "bfloat16"
    settings["dropout"] = max(layer.dropout for layer in network.layers)
    settings["batch_norm"] = any(layer.batch_norm and layer.trainable for layer in network.layers)
    for name, value in settings.items():
        if value and not isinstance(value, Constant):
            raise ValueError(f"{name}={shown(value)} does not go with L-BFGS: {_REASONS[name]}.")


class FullBatchLoss:
    """The mean loss of all samples plus the penalty of the weights' squares, and its gradient.

    Parameters
    ----------
    network : Network
    gradient : callable
        What `Network.full_batch` yields.
    decay : float
        Half of it times |W|^2 is added to the loss; biases carry no penalty.
    """

    def __init__(self, network: Network, gradient: Callable[[NDArray[Any]], float], decay: float):
        self.network, self.decay = network, decay
        self.n_calls, self.has_converged = 0, False
        self._gradient, self._d_parameters = gradient, network.new_vector()

    def __call__(self, x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the loss and its gradient at the parameters x, in float64; the network has them then.

        Raises
        ------
        FloatingPointError
            If one of them is infinite or not a number.
        """
        self.n_calls += 1
        np.copyto(self.network.parameters, x)
        with np.errstate(over="ignore", invalid="ignore"):  # the result is looked at below
            loss = self._gradient(self._d_parameters)
            d = self._d_parameters.astype(np.float64)
            for layer in self.network.plan.layers:
                if not layer.trainable:
                    d[layer.parameters] = 0
                    continue
                weight = layer.weight_of(x)
                loss += 0.5 * self.decay * np.square(weight).sum()
                layer.weight_of(d)[:] += self.decay * weight
        for i, layer in enumerate(self.network.plan.layers):
            if not np.isfinite(d[layer.parameters]).all():
                raise FloatingPointError(f"the gradient of layer {i}")
        if not np.isfinite(loss):
            raise FloatingPointError(f"the outputs of layer {len(self.network.layers) - 1}")
        return float(loss), d


class _OutOfTime(Exception):
    """Ends a line search."""


def minimise(
    loss: FullBatchLoss,
    optimizer: LBFGS,
    max_iter: int,
    end_iteration: Ending,
    end_evaluation: Ending,
) -> str:
    """Minimise a loss from the network's present parameters on; it ends with those of the last iterate.

    Parameters
    ----------
    loss : FullBatchLoss
        Its ``has_converged`` says afterwards whether a minimum was found.
    optimizer : LBFGS
    max_iter : int
    end_iteration, end_evaluation : callable
        Called with the loss of each iterate and of each point that is tried; True ends the fit.

    Returns
    -------
    str
        What ended it before it had converged; empty if it had, or one of the callables said so.
    """
    parameters = loss.network.parameters
    last, is_stopped = parameters.copy(), False

    def evaluate(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, d = loss(x)
        if end_evaluation(value):
            raise _OutOfTime
        return value, d

    def take(intermediate_result: Any) -> None:  # SciPy looks at the argument's name
        nonlocal is_stopped
        np.copyto(parameters, intermediate_result.x)
        np.copyto(last, parameters)
        if end_iteration(float(intermediate_result.fun)):
            is_stopped = True
            raise StopIteration

    options = {"maxiter": max_iter, "maxfun": optimizer.max_fun, "maxcor": optimizer.history_size}
    try:
        result = minimize(
            evaluate,
            parameters.astype(np.float64),
            method="L-BFGS-B",
            jac=True,
            callback=take,
            options={**options, "gtol": optimizer.tol},
        )
    except _OutOfTime:
        return ""
    finally:
        np.copyto(parameters, last)
    if is_stopped:
        return ""
    loss.has_converged = bool(result.success)
    if loss.has_converged:
        return ""
    if result.nit >= max_iter:
        return f"all {max_iter} iterations are made"
    if result.nfev > optimizer.max_fun:
        return f"the loss was evaluated more than max_fun={optimizer.max_fun} times"
    return "its line search found no lower loss, as when rounding hides it"
