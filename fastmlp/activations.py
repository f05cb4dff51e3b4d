"""The activations a layer can have; their formulas stand in engine/reference.py."""

from __future__ import annotations

#: Every activation, by scikit-learn's names. ``softmax`` looks across the units of its layer.
NAMES = ("identity", "relu", "tanh", "logistic", "softmax")

#: Other names in common use.
ALIASES = {"sigmoid": "logistic", "linear": "identity"}


def canonical(name: str, argument: str = "activation") -> str:
    """Return the name that fastmlp uses for an activation.

    Raises
    ------
    ValueError
        If there is no such activation; the message names the argument and what is allowed.

    Examples
    --------
    >>> canonical("sigmoid")
    'logistic'
    """
    known = ALIASES.get(name, name) if isinstance(name, str) else None
    if known not in NAMES:
        raise ValueError(f"{argument}={name!r} is not an activation; choose one of {', '.join(NAMES)}.")
    return known
