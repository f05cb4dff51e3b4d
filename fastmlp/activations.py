"""The activations a layer can have, by name or as objects: ``"leaky_relu(0.2)"`` is ``LeakyReLU(0.2)``.

Where one is taken, so is the other, and they mean the same. A name may carry its parameter in brackets;
without brackets the parameter has its default. The engine knows these activations only: their values and
derivatives stand in engine/reference/activations.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import ClassVar

from fastmlp._support.checks import number, shown


@dataclass(frozen=True)
class Activation:
    """The base of the activations. ``str`` of one is its name, as layers and files keep it.

    Examples
    --------
    >>> str(LeakyReLU(0.2)), str(LeakyReLU()), str(Tanh())
    ('leaky_relu(0.2)', 'leaky_relu', 'tanh')
    """

    name: ClassVar[str]

    def __post_init__(self) -> None:
        for parameter in fields(self):
            value = getattr(self, parameter.name)
            number(parameter.name, value, at_least=0)
            object.__setattr__(self, parameter.name, abs(float(value)))

    def __str__(self) -> str:
        values = {parameter.name: getattr(self, parameter.name) for parameter in fields(self)}
        changed = [repr(values[one.name]) for one in fields(self) if values[one.name] != one.default]
        return f"{self.name}({', '.join(changed)})" if changed else self.name


@dataclass(frozen=True)
class Identity(Activation):
    """f(z) = z; also called linear."""

    name: ClassVar[str] = "identity"


@dataclass(frozen=True)
class ReLU(Activation):
    """f(z) = max(0, z)."""

    name: ClassVar[str] = "relu"


@dataclass(frozen=True)
class Tanh(Activation):
    """f(z) = tanh(z)."""

    name: ClassVar[str] = "tanh"


@dataclass(frozen=True)
class Logistic(Activation):
    """f(z) = 1 / (1 + exp(-z)); also called sigmoid."""

    name: ClassVar[str] = "logistic"


@dataclass(frozen=True)
class Softmax(Activation):
    """f(z)_i = exp(z_i) / sum_j exp(z_j), over the units of the layer: probabilities that sum to 1."""

    name: ClassVar[str] = "softmax"


@dataclass(frozen=True)
class LeakyReLU(Activation):
    """f(z) = z where z >= 0, slope z below.

    Parameters
    ----------
    slope : float, default=0.01
        At least 0; PyTorch's ``negative_slope``.

    Examples
    --------
    >>> from fastmlp.layers import Dense
    >>> Dense(4, LeakyReLU(0.2))
    Dense(units=4, activation='leaky_relu(0.2)')
    """

    slope: float = 0.01

    name: ClassVar[str] = "leaky_relu"


@dataclass(frozen=True)
class ELU(Activation):
    """f(z) = z where z >= 0, alpha (exp(z) - 1) below.

    D.-A. Clevert, T. Unterthiner, S. Hochreiter, "Fast and Accurate Deep Network Learning by Exponential
    Linear Units", 2015.

    Parameters
    ----------
    alpha : float, default=1
        At least 0.
    """

    alpha: float = 1.0

    name: ClassVar[str] = "elu"


@dataclass(frozen=True)
class SELU(Activation):
    """f(z) = 1.0507 z where z >= 0, 1.7581 (exp(z) - 1) below.

    With these numbers, and weights from `fastmlp.initializers.LecunNormal`, the outputs of a layer keep mean
    0 and variance 1. G. Klambauer et al., "Self-Normalizing Neural Networks", 2017.
    """

    name: ClassVar[str] = "selu"


@dataclass(frozen=True)
class GELU(Activation):
    """f(z) = z P(z), P the normal distribution: (1 + erf(z / sqrt(2))) / 2.

    D. Hendrycks, K. Gimpel, "Gaussian Error Linear Units", 2016.
    """

    name: ClassVar[str] = "gelu"


@dataclass(frozen=True)
class GELUTanh(Activation):
    """f(z) = z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2: PyTorch's ``GELU(approximate="tanh")``."""

    name: ClassVar[str] = "gelu_tanh"


@dataclass(frozen=True)
class SiLU(Activation):
    """f(z) = z / (1 + exp(-z)); also called swish."""

    name: ClassVar[str] = "silu"


@dataclass(frozen=True)
class Mish(Activation):
    """f(z) = z tanh(log(1 + exp(z))). D. Misra, "Mish", 2019."""

    name: ClassVar[str] = "mish"


@dataclass(frozen=True)
class Softplus(Activation):
    """f(z) = log(1 + exp(z))."""

    name: ClassVar[str] = "softplus"


@dataclass(frozen=True)
class PReLU(Activation):
    """f(z) = z where z >= 0, slope z below, with a slope for each unit that is learned.

    PyTorch's ``PReLU(units)``. K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep into Rectifiers", 2015.

    Parameters
    ----------
    slope : float, default=0.25
        Where the slopes of all units begin, at least 0.
    """

    slope: float = 0.25

    name: ClassVar[str] = "prelu"


#: The activations by name, as strings choose them; the first five names are scikit-learn's.
BY_NAME: dict[str, type[Activation]] = {
    kind.name: kind
    for kind in (
        Identity, ReLU, Tanh, Logistic, Softmax,
        LeakyReLU, ELU, SELU, GELU, GELUTanh, SiLU, Mish, Softplus, PReLU,
    )
}  # fmt: skip

#: Every activation's name.
NAMES = tuple(BY_NAME)

#: Other names in common use.
ALIASES = {"sigmoid": "logistic", "linear": "identity", "swish": "silu"}

#: What the parameter of an activation is called, and its default.
PARAMETERS: dict[str, tuple[str, float]] = {
    kind.name: (parameter.name, float(getattr(kind(), parameter.name)))
    for kind in (LeakyReLU, PReLU, ELU)
    for parameter in fields(kind)
}

#: Those whose derivative takes their value, not its sign alone.
BY_VALUE = frozenset({"tanh", "logistic", "softmax", "elu", "selu", "softplus"})

#: Those that are not monotonic: outputs do not tell their derivative, which the engine therefore keeps.
WITH_SLOPES = frozenset({"gelu", "gelu_tanh", "silu", "mish"})


def canonical(activation: str | Activation, argument: str = "activation") -> str:
    """Return the name that fastmlp uses for an activation, with its parameter unless that is the default.

    Raises
    ------
    ValueError
        If there is no such activation, or it has no such parameter; the message names the argument and what
        is allowed.

    Examples
    --------
    >>> canonical("sigmoid"), canonical("elu(1)"), canonical("leaky_relu( 0.20 )"), canonical(LeakyReLU(0.2))
    ('logistic', 'elu', 'leaky_relu(0.2)', 'leaky_relu(0.2)')
    """
    if not isinstance(activation, str):
        if type(activation) in BY_NAME.values():
            return str(activation)
        raise ValueError(
            f"{argument}={shown(activation)} is not an activation; choose one of {', '.join(NAMES)}, or an "
            f"instance of {', '.join(kind.__name__ for kind in BY_NAME.values())}."
        )
    base, bracket, rest = activation.partition("(")
    name = ALIASES.get(base, base)
    if name not in NAMES:
        raise ValueError(f"{argument}={activation!r} is not an activation; choose one of {', '.join(NAMES)}.")
    if not bracket:
        return name
    if name not in PARAMETERS:
        takers = ", ".join(f"{taker}({parameter})" for taker, (parameter, _) in PARAMETERS.items())
        raise ValueError(f"{argument}={activation!r}: {name} has no parameter; only {takers} have.")
    parameter, default = PARAMETERS[name]
    try:
        value = float(rest.removesuffix(")")) if rest.endswith(")") else math.nan
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(
            f"{argument}={activation!r}: the {parameter} of {name} must be a finite number of at least 0, as "
            f"in '{name}({default:g})'."
        )
    return str(BY_NAME[name](**{parameter: value}))


def split(name: str) -> tuple[str, float]:
    """Return an activation's name without its parameter, and the parameter; 0 for those without one.

    Examples
    --------
    >>> split("elu"), split("elu(0.5)"), split("tanh")
    (('elu', 1.0), ('elu', 0.5), ('tanh', 0.0))
    """
    kind, bracket, rest = name.partition("(")
    if bracket:
        return kind, float(rest.removesuffix(")"))
    return kind, PARAMETERS.get(kind, ("", 0.0))[1]


def has_slopes(name: str) -> bool:
    """Return whether the engine keeps an activation's derivative, see `WITH_SLOPES`; of prelu, its input."""
    return split(name)[0] in {*WITH_SLOPES, "prelu"}
