"""What other packages ask of an estimator: whether its parameters will do, and what another model scores."""

from __future__ import annotations

from typing import Any

from fastmlp.formats.model import FittedModel


def check_parameters(estimator: Any) -> None:
    """Refuse parameters that suit no data.

    Raises
    ------
    TypeError, ValueError
    """
    estimator._check_params()


def check_values(estimator: Any) -> None:
    """Refuse parameters that are wrong by themselves, whatever the others are.

    Raises
    ------
    ValueError
    """
    estimator._validate_params()


def with_model(estimator: Any, model: FittedModel) -> Any:
    """Return a copy of an estimator that has this model; they share it."""
    copied = estimator.__copy__()
    copied._adopt(model)
    return copied
