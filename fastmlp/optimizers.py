"""The optimizers: what a solver is told; its steps stand in engine/reference.py and csrc/optimizers.inc.c."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fastmlp.checks import number


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent, with momentum and Nesterov's variant of it.

    Parameters
    ----------
    learning_rate : float, default=0.001
    momentum : float in [0, 1], default=0.9
        0 is plain gradient descent, which needs no memory of its own.
    nesterov : bool, default=True
    """

    learning_rate: float = 0.001
    momentum: float = 0.9
    nesterov: bool = True

    solver: ClassVar[str] = "sgd"

    def __post_init__(self):
        number("learning_rate", self.learning_rate, above=0)
        number("momentum", self.momentum, at_least=0, at_most=1)

    @property
    def n_moments(self) -> int:
        """Vectors of the parameters' size that the solver keeps."""
        return int(self.momentum > 0)

    def options(self) -> dict:
        """Return what the engine is told, apart from the rates of each step."""
        return {"solver": self.solver, "nesterov": bool(self.nesterov)}


@dataclass(frozen=True)
class Adam:
    """Adam (D. P. Kingma, J. Ba, 2014), in the efficient order of the paper's section 2.

    Epsilon is added to the square root of the uncorrected second moment, as in scikit-learn; PyTorch
    adds it to the corrected one.

    Parameters
    ----------
    learning_rate : float, default=0.001
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
    epsilon : float, default=1e-8
    """

    learning_rate: float = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    solver: ClassVar[str] = "adam"
    momentum: ClassVar[float] = 0.0  # a schedule of momentum does not concern Adam
    n_moments: ClassVar[int] = 2

    def __post_init__(self):
        number("learning_rate", self.learning_rate, above=0)
        for name in ("beta_1", "beta_2"):
            number(name, getattr(self, name), at_least=0, below=1)
        number("epsilon", self.epsilon, above=0)

    def options(self) -> dict:
        """Return what the engine is told, apart from the rates of each step."""
        return {"solver": self.solver, "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


Optimizer = SGD | Adam

#: The optimizers by name, as strings choose them.
BY_NAME = {"sgd": SGD, "adam": Adam}
