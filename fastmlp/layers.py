"""The layers a network is made of."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from fastmlp import activations
from fastmlp._support import converting
from fastmlp._support.checks import number, shown
from fastmlp.activations import Activation
from fastmlp.initializers import Initializer

#: PyTorch's, for both normalisations and for the running statistics of a batch normalisation.
NORM_EPSILON = 1e-5
NORM_MOMENTUM = 0.1


def _name_of(activation: str | Activation) -> str:
    return activation if isinstance(activation, str) else activations.canonical(activation)


@dataclass(frozen=True, repr=False)
class Dense:
    """A fully connected layer: activation(W x + b), or with a normalisation activation(a norm(W x) + b).

    A normalisation has a learned scale a for each unit, and its shift is the bias b: W x needs none of its
    own. PyTorch has the same as ``Linear(bias=False)``, ``BatchNorm1d`` or ``LayerNorm``, activation,
    ``Dropout``.

    Parameters
    ----------
    units : int
        Number of outputs, at least 1.
    activation : str or Activation, default="relu"
        One of `fastmlp.activations.NAMES`, or an object such as ``LeakyReLU(0.2)``, which is kept by its
        name: "leaky_relu(0.2)" and "elu(0.5)" with another slope or alpha than the default. "prelu(0.1)"
        begins with another slope, and learns one for each unit, as PyTorch's ``PReLU(units)``.
    initializer : str, Initializer or None, default=None
        How the layer begins, see `fastmlp.initializers`; None for the network's way.
    dropout : float in [0, 1), default=0
        The share of outputs that each step of training sets to zero; the others are divided by 1 - dropout
        (N. Srivastava et al., 2014). Predictions take all of them as they are.
    batch_norm : bool, default=False
        Normalise each unit over the batch (S. Ioffe, C. Szegedy, 2015); predictions by the running mean and
        variance, which move by a tenth with every batch.
    layer_norm : bool, default=False
        Normalise each sample over the units (J. L. Ba, J. R. Kiros, G. E. Hinton, 2016).
    trainable : bool, default=True
        False freezes the layer: its parameters and running statistics stay as they are.

    Examples
    --------
    >>> Dense(10, "softmax")
    Dense(units=10, activation='softmax')
    """

    units: int
    activation: converting.Field[str | Activation, str] = converting.Field("relu", _name_of)  # noqa: RUF009
    initializer: str | Initializer | None = field(default=None, repr=False, compare=False)
    dropout: float = 0.0
    batch_norm: bool = False
    layer_norm: bool = False
    trainable: bool = True

    def __post_init__(self) -> None:
        number("units", self.units, at_least=1, whole=True)
        number("dropout", self.dropout, at_least=0, below=1)
        for name in ("batch_norm", "layer_norm", "trainable"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name}={shown(getattr(self, name))} must be True or False.")
        if self.batch_norm and self.layer_norm:
            raise ValueError("batch_norm=True and layer_norm=True: a layer has one normalisation at most.")

    @property
    def norm(self) -> str:
        """The normalisation: "batch", "layer" or ""."""
        return "batch" if self.batch_norm else "layer" if self.layer_norm else ""

    @property
    def plan_options(self) -> dict[str, Any]:
        """What the plan of the layer has beside sizes and activation, by the names of `LayerPlan`."""
        return {"norm": self.norm, "dropout": float(self.dropout), "trainable": self.trainable}

    @property
    def vectors(self) -> tuple[str, ...]:
        """What the layer has beside its weights, a number for each unit."""
        return learned_vectors(self.activation, self.norm) + running_statistics(self.norm)

    def __repr__(self) -> str:
        changed = [f"units={self.units}", f"activation={self.activation!r}"]
        changed += [
            f"{one.name}={getattr(self, one.name)!r}"
            for one in fields(self)[2:]
            if one.repr and getattr(self, one.name) != one.default
        ]
        return f"Dense({', '.join(changed)})"


def learned_vectors(activation: str, norm: str) -> tuple[str, ...]:
    """Return the names of the vectors, a number for each unit, that such a layer learns."""
    slope = activations.split(activation)[0] == "prelu"
    return ("bias",) + ("scale",) * bool(norm) + ("slope",) * slope


def running_statistics(norm: str) -> tuple[str, ...]:
    """Return the names of the vectors that training moves but does not learn."""
    return ("mean", "variance") * (norm == "batch")


def initial_value(vector: str, activation: str) -> float:
    """Return what the numbers of a layer's vector are before training; initializers choose the biases."""
    return {"scale": 1.0, "variance": 1.0, "slope": activations.split(activation)[1]}.get(vector, 0.0)


#: What a layer can have beside units, an activation and an initializer.
SETTINGS = tuple(one.name for one in fields(Dense) if one.name not in ("units", "activation", "initializer"))
