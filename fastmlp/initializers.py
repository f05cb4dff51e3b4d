"""How a layer's weights and biases begin.

An initializer's ``draw(random_state, n_in, n_out)`` returns weights (n_in, n_out) and biases (n_out,), in
float64. Biases begin at zero unless a class says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp._support.checks import named, number, shown

Drawn = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Initializer:
    """The base of the initializers."""

    def draw(self, random_state: np.random.RandomState, n_in: int, n_out: int) -> Drawn:
        """Return weights (n_in, n_out) and biases (n_out,)."""
        raise NotImplementedError


@dataclass(frozen=True)
class GlorotUniform(Initializer):
    """Uniform in +-sqrt(factor / (n_in + n_out)), weights and biases alike, drawn as scikit-learn does.

    X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
    The same `numpy.random.RandomState` gives the weights that scikit-learn's MLP begins with.

    Parameters
    ----------
    factor : float, default=6
        scikit-learn takes 2 when the hidden activation is logistic.
    """

    factor: float = 6.0

    def __post_init__(self) -> None:
        number("factor", self.factor, above=0)

    def draw(self, random_state: np.random.RandomState, n_in: int, n_out: int) -> Drawn:
        """Return weights (n_in, n_out) and biases (n_out,)."""
        bound = np.sqrt(self.factor / (n_in + n_out))
        return random_state.uniform(-bound, bound, (n_in, n_out)), random_state.uniform(-bound, bound, n_out)


@dataclass(frozen=True)
class _Scaled(Initializer):
    """Weights of a variance that depends on the layer's sizes."""

    def variance(self, n_in: int, n_out: int) -> float:
        """Return the variance of a weight."""
        raise NotImplementedError


class _Normal(_Scaled):
    """Normally distributed, not truncated."""

    def draw(self, random_state: np.random.RandomState, n_in: int, n_out: int) -> Drawn:
        """Return weights (n_in, n_out) and biases (n_out,)."""
        deviation = np.sqrt(self.variance(n_in, n_out))
        return random_state.normal(0, deviation, (n_in, n_out)), np.zeros(n_out)


class _Uniform(_Scaled):
    """Uniform in +-sqrt(3 variance)."""

    def draw(self, random_state: np.random.RandomState, n_in: int, n_out: int) -> Drawn:
        """Return weights (n_in, n_out) and biases (n_out,)."""
        bound = np.sqrt(3 * self.variance(n_in, n_out))
        return random_state.uniform(-bound, bound, (n_in, n_out)), np.zeros(n_out)


class GlorotNormal(_Normal):
    """Normal with variance 2 / (n_in + n_out): Glorot and Bengio, 2010; also called Xavier's."""

    def variance(self, n_in: int, n_out: int) -> float:
        """Return the variance of a weight."""
        return 2 / (n_in + n_out)


class HeNormal(_Normal):
    """Normal with variance 2 / n_in, for ReLU.

    K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep into Rectifiers", 2015.
    """

    def variance(self, n_in: int, n_out: int) -> float:
        """Return the variance of a weight."""
        return 2 / n_in


class HeUniform(_Uniform):
    """Uniform with the variance of `HeNormal`."""

    variance = HeNormal.variance


class LecunNormal(_Normal):
    """Normal with variance 1 / n_in, for SELU and tanh.

    Y. LeCun, L. Bottou, G. Orr, K.-R. Müller, "Efficient BackProp", 1998.
    """

    def variance(self, n_in: int, n_out: int) -> float:
        """Return the variance of a weight."""
        return 1 / n_in


class LecunUniform(_Uniform):
    """Uniform with the variance of `LecunNormal`."""

    variance = LecunNormal.variance


@dataclass(frozen=True)
class TorchDefault(Initializer):
    """Uniform in +-1 / sqrt(n_in), weights and biases alike: how PyTorch's Linear begins."""

    def draw(self, random_state: np.random.RandomState, n_in: int, n_out: int) -> Drawn:
        """Return weights (n_in, n_out) and biases (n_out,)."""
        bound = 1 / np.sqrt(n_in)
        return random_state.uniform(-bound, bound, (n_in, n_out)), random_state.uniform(-bound, bound, n_out)


@dataclass(frozen=True)
class Normal(Initializer):
    """Normal with a deviation that does not depend on the layer.

    Parameters
    ----------
    scale : float, default=0.01
        The standard deviation.
    biases : bool, default=False
        Whether the biases are drawn likewise.
    """

    scale: float = 0.01
    biases: bool = False

    def __post_init__(self) -> None:
        number("scale", self.scale, at_least=0)

    def draw(self, random_state: np.random.RandomState, n_in: int, n_out: int) -> Drawn:
        """Return weights (n_in, n_out) and biases (n_out,)."""
        weights = random_state.normal(0, self.scale, (n_in, n_out))
        return weights, random_state.normal(0, self.scale, n_out) if self.biases else np.zeros(n_out)


@dataclass(frozen=True)
class Zeros(Initializer):
    """Zeros: for the last layer only, since in others all units would stay alike."""

    def draw(self, random_state: np.random.RandomState, n_in: int, n_out: int) -> Drawn:
        """Return weights (n_in, n_out) and biases (n_out,)."""
        return np.zeros((n_in, n_out)), np.zeros(n_out)


#: The initializers by name, as strings choose them.
BY_NAME: dict[str, type[Initializer]] = {
    "glorot_uniform": GlorotUniform,
    "glorot_normal": GlorotNormal,
    "he_uniform": HeUniform,
    "he_normal": HeNormal,
    "lecun_uniform": LecunUniform,
    "lecun_normal": LecunNormal,
    "torch": TorchDefault,
    "normal": Normal,
    "zeros": Zeros,
}


def one_per_layer(argument: str, value: Any, n_layers: int) -> list[Initializer]:
    """Return an initializer for each layer, of one for all of them or a list of as many.

    Raises
    ------
    ValueError
        If it is neither; the message names the argument, the value and what is allowed.
    """
    values = list(value) if isinstance(value, list | tuple) else [value] * n_layers
    if len(values) != n_layers:
        raise ValueError(
            f"{argument}={shown(value)} must be one initializer, or one for each of {n_layers} layers."
        )
    return [named(argument, one, BY_NAME) for one in values]
