"""The optimizers, by their settings; their steps: engine/reference/solvers.py, csrc/kernels/optimizers.h.

All of them but `LBFGS` take ``weight_decay``, which is decoupled: every step first multiplies the weights,
not the biases, by 1 - learning rate * ``weight_decay`` (I. Loshchilov, F. Hutter, "Decoupled Weight Decay
Regularization", 2017).
Penalties that are part of the loss are the trainer's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from fastmlp._support.checks import known, number


@dataclass(frozen=True, kw_only=True)
class _Decaying:
    """The base of the optimizers."""

    weight_decay: float = 0.0

    solver: ClassVar[str]

    def _check(self, **ranges: dict[str, Any]) -> None:
        """Check the fields that are common, and those that are named with their ranges."""
        common: dict[str, dict[str, Any]] = {"learning_rate": {"above": 0}, "weight_decay": {"at_least": 0}}
        for name, limits in (common | ranges).items():
            number(name, getattr(self, name), **limits)

    def options(self) -> dict[str, Any]:
        """Return what the engine is told, apart from the rates of each step."""
        return {"solver": self.solver, "weight_decay": self.weight_decay}


_SHARE: dict[str, Any] = {"at_least": 0, "below": 1}


@dataclass(frozen=True)
class SGD(_Decaying):
    """Stochastic gradient descent, with momentum and Nesterov's variant of it.

    Parameters
    ----------
    learning_rate : float, default=0.001
    momentum : float in [0, 1], default=0.9
        0 is plain gradient descent, which needs no memory of its own.
    nesterov : bool, default=True
    weight_decay : float, default=0
    """

    learning_rate: float = 0.001
    momentum: float = 0.9
    nesterov: bool = True

    solver: ClassVar[str] = "sgd"

    def __post_init__(self) -> None:
        self._check(momentum={"at_least": 0, "at_most": 1})

    @property
    def n_moments(self) -> int:
        """Vectors of the parameters' size that the solver keeps."""
        return int(self.momentum > 0)

    def options(self) -> dict[str, Any]:
        """Return what the engine is told, apart from the rates of each step."""
        return super().options() | {"nesterov": bool(self.nesterov)}


@dataclass(frozen=True)
class Adam(_Decaying):
    """Adam (D. P. Kingma, J. Ba, 2014), in the efficient order of the paper's section 2.

    Epsilon is added to the square root of the uncorrected second moment, as in scikit-learn; PyTorch
    adds it to the corrected one, and so does `AdamW`.

    Parameters
    ----------
    learning_rate : float, default=0.001
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
    epsilon : float, default=1e-8
    weight_decay : float, default=0
    """

    learning_rate: float = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    solver: ClassVar[str] = "adam"
    corrects_epsilon: ClassVar[bool] = False
    momentum: ClassVar[float] = 0.0  # a schedule of momentum does not concern Adam
    n_moments: ClassVar[int] = 2

    def __post_init__(self) -> None:
        self._check(beta_1=_SHARE, beta_2=_SHARE, epsilon={"above": 0})

    def options(self) -> dict[str, Any]:
        """Return what the engine is told, apart from the rates of each step."""
        return super().options() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "corrects_epsilon": self.corrects_epsilon,
        }


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (I. Loshchilov, F. Hutter, 2017), step for step as PyTorch's AdamW.

    Parameters
    ----------
    learning_rate : float, default=0.001
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
    epsilon : float, default=1e-8
        Added to the square root of the corrected second moment.
    weight_decay : float, default=0.01
        Biases are spared; PyTorch decays all parameters that it is given.
    """

    weight_decay: float = field(default=0.01, kw_only=True)

    corrects_epsilon: ClassVar[bool] = True


@dataclass(frozen=True)
class RMSprop(_Decaying):
    """RMSprop (T. Tieleman, G. Hinton, 2012), step for step as PyTorch's, not centered.

    The gradient is divided by the square root of its mean square plus epsilon.

    Parameters
    ----------
    learning_rate : float, default=0.01
    beta_2 : float in [0, 1), default=0.99
        How slowly the mean square forgets; PyTorch's ``alpha``.
    epsilon : float, default=1e-8
    momentum : float in [0, 1], default=0
        Gathers the steps in a velocity.
    weight_decay : float, default=0
    """

    learning_rate: float = 0.01
    beta_2: float = 0.99
    epsilon: float = 1e-8
    momentum: float = 0.0

    solver: ClassVar[str] = "rmsprop"

    def __post_init__(self) -> None:
        self._check(beta_2=_SHARE, epsilon={"above": 0}, momentum={"at_least": 0, "at_most": 1})

    @property
    def n_moments(self) -> int:
        """Vectors of the parameters' size that the solver keeps."""
        return 1 + int(self.momentum > 0)

    def options(self) -> dict[str, Any]:
        """Return what the engine is told, apart from the rates of each step."""
        return super().options() | {"beta_2": self.beta_2, "epsilon": self.epsilon}


@dataclass(frozen=True)
class AdaGrad(_Decaying):
    """AdaGrad (J. Duchi, E. Hazan, Y. Singer, 2011), step for step as PyTorch's.

    The gradient is divided by the square root of the sum of its squares plus epsilon.

    Parameters
    ----------
    learning_rate : float, default=0.01
    epsilon : float, default=1e-10
    weight_decay : float, default=0
    """

    learning_rate: float = 0.01
    epsilon: float = 1e-10

    solver: ClassVar[str] = "adagrad"
    momentum: ClassVar[float] = 0.0
    n_moments: ClassVar[int] = 1

    def __post_init__(self) -> None:
        self._check(epsilon={"above": 0})

    def options(self) -> dict[str, Any]:
        """Return what the engine is told, apart from the rates of each step."""
        return super().options() | {"epsilon": self.epsilon}


@dataclass(frozen=True)
class AdaDelta(_Decaying):
    """AdaDelta (M. D. Zeiler, 2012), step for step as PyTorch's.

    The gradient is multiplied by the root of the mean square of the steps so far, and divided by that of its
    own; epsilon is added to both mean squares.

    Parameters
    ----------
    learning_rate : float, default=1
    beta_2 : float in [0, 1), default=0.9
        How slowly the mean squares forget; PyTorch's ``rho``.
    epsilon : float, default=1e-6
    weight_decay : float, default=0
    """

    learning_rate: float = 1.0
    beta_2: float = 0.9
    epsilon: float = 1e-6

    solver: ClassVar[str] = "adadelta"
    momentum: ClassVar[float] = 0.0
    n_moments: ClassVar[int] = 2

    def __post_init__(self) -> None:
        self._check(beta_2=_SHARE, epsilon={"above": 0})

    def options(self) -> dict[str, Any]:
        """Return what the engine is told, apart from the rates of each step."""
        return super().options() | {"beta_2": self.beta_2, "epsilon": self.epsilon}


@dataclass(frozen=True)
class LBFGS:
    """L-BFGS (J. Nocedal, 1980; D. C. Liu, J. Nocedal, 1989), SciPy's L-BFGS-B: steps on the whole data set.

    For small data sets, where it often needs the fewest epochs; one epoch is one iteration, and reads the
    data once or a few times. Batch size and order of the samples have no meaning for it, nor have learning
    rates and momentum: a line search finds the length of each step.

    Parameters
    ----------
    max_fun : int, default=15000
        Training stops after this many evaluations of the loss and its gradient.
    history_size : int, default=10
        Steps that it remembers, to tell the curvature of the loss: memory of 2 * ``history_size`` vectors of
        parameters, in float64.
    tol : float, default=1e-4
        Training has converged when no element of the gradient is larger, or the loss hardly falls.
    """

    max_fun: int = 15000
    history_size: int = 10
    tol: float = 1e-4

    solver: ClassVar[str] = "lbfgs"
    learning_rate: ClassVar[float] = 1.0  # what a line search tries first, along the step it was given
    momentum: ClassVar[float] = 0.0
    n_moments: ClassVar[int] = 0

    def __post_init__(self) -> None:
        number("max_fun", self.max_fun, at_least=1, whole=True)
        number("history_size", self.history_size, at_least=1, whole=True)
        number("tol", self.tol, at_least=0)


Optimizer = SGD | Adam | RMSprop | AdaGrad | AdaDelta | LBFGS


def is_full_batch(solver: Any) -> bool:
    """Return whether a solver, or one of this name, takes all samples at once."""
    return solver == "lbfgs" or isinstance(solver, LBFGS)


#: The optimizers by name, as strings choose them.
BY_NAME = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSprop,
    "adagrad": AdaGrad,
    "adadelta": AdaDelta,
    "lbfgs": LBFGS,
}


def chosen(argument: str, value: Any) -> Optimizer:
    """Return the optimizer that a name or an instance stands for.

    Raises
    ------
    ValueError
        If it is neither, or of a class that the engine does not know.
    """
    optimizer: Optimizer = known(argument, value, BY_NAME)
    return optimizer
