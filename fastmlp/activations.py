"""The activations a layer can have; their formulas stand in engine/reference/activations.py.

A name may carry its parameter: ``"leaky_relu(0.2)"`` has the slope 0.2 where ``"leaky_relu"`` has 0.01.
"""

from __future__ import annotations

import math

#: Every activation, the first five by scikit-learn's names. ``softmax`` looks across the units of its layer.
NAMES = (
    "identity", "relu", "tanh", "logistic", "softmax",
    "leaky_relu", "elu", "selu", "gelu", "gelu_tanh", "silu", "mish", "softplus", "prelu",
)  # fmt: skip

#: Other names in common use.
ALIASES = {"sigmoid": "logistic", "linear": "identity", "swish": "silu"}

#: What the parameter of an activation is called, and its default; at least 0 and finite.
#: prelu's is where the slopes of its units begin, which are then learned.
PARAMETERS = {"leaky_relu": ("slope", 0.01), "prelu": ("slope", 0.25), "elu": ("alpha", 1.0)}

#: Those whose derivative takes their value, not its sign alone.
BY_VALUE = frozenset({"tanh", "logistic", "softmax", "elu", "selu", "softplus"})

#: Those that are not monotonic: outputs do not tell their derivative, which the engine therefore keeps.
WITH_SLOPES = frozenset({"gelu", "gelu_tanh", "silu", "mish"})


def canonical(name: str, argument: str = "activation") -> str:
    """Return the name that fastmlp uses for an activation, with its parameter unless that is the default.

    Raises
    ------
    ValueError
        If there is no such activation, or it has no such parameter; the message names the argument and what
        is allowed.

    Examples
    --------
    >>> canonical("sigmoid"), canonical("elu(1)"), canonical("leaky_relu( 0.20 )")
    ('logistic', 'elu', 'leaky_relu(0.2)')
    """
    if not isinstance(name, str):
        raise ValueError(f"{argument}={name!r} is not an activation; choose one of {', '.join(NAMES)}.")
    base, bracket, rest = name.partition("(")
    kind = ALIASES.get(base, base)
    if kind not in NAMES:
        raise ValueError(f"{argument}={name!r} is not an activation; choose one of {', '.join(NAMES)}.")
    if not bracket:
        return kind
    if kind not in PARAMETERS:
        takers = ", ".join(f"{taker}({parameter})" for taker, (parameter, _) in PARAMETERS.items())
        raise ValueError(f"{argument}={name!r}: {kind} has no parameter; only {takers} have.")
    parameter, default = PARAMETERS[kind]
    try:
        value = float(rest.removesuffix(")")) if rest.endswith(")") else math.nan
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(
            f"{argument}={name!r}: the {parameter} of {kind} must be a finite number of at least 0, as in "
            f"'{kind}({default:g})'."
        )
    return kind if value == default else f"{kind}({abs(value)!r})"


def split(name: str) -> tuple[str, float]:
    """Return an activation without its parameter, and the parameter; 0 for those without one.

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
