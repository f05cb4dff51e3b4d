"""The parameters of a study's estimators: checks, and the objects that they describe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastmlp import augmentations, initializers, losses, optimizers, schedules
from fastmlp.estimators.inspection import check_values
from fastmlp.estimators.loading import ESTIMATORS
from fastmlp.studies.file.schema import Place, nearest

#: What parameters that are not plain values are instances of: {"name": ..., and what its class takes}.
_OBJECTS: dict[str, Mapping[str, type]] = {
    "solver": optimizers.BY_NAME,
    "learning_rate": schedules.BY_NAME,
    "loss": losses.BY_NAME,
    "weight_init": initializers.BY_NAME,
    "augmentation": augmentations.BY_NAME,
}
#: The parameters that a study sets by itself.
_OWN = ("random_state", "callbacks", "warm_start", "verbose")


def built_parameters(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as the estimators take them, objects made of tables with a ``name``."""
    return {name: _built(name, value) for name, value in params.items()}


def _built(parameter: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_built(parameter, one) for one in value]
    if not isinstance(value, dict) or parameter not in _OBJECTS:
        return value
    choices, settings = _OBJECTS[parameter], dict(value)
    name = settings.pop("name", None)
    if name not in choices:
        raise ValueError(f"name={name!r} is not one of {', '.join(choices)}.")
    return choices[name](**settings)


class KnownParameters:
    """The parameters of the estimators that a study may train.

    Parameters
    ----------
    estimators : iterable of str
        Their names.
    """

    def __init__(self, estimators: Iterable[str]):
        self._estimators: dict[str, list[type]] = {}  # those that have each parameter
        for name in estimators:
            for parameter in ESTIMATORS[name]().get_params():
                self._estimators.setdefault(parameter, []).append(ESTIMATORS[name])

    def __contains__(self, name: str) -> bool:
        return name in self._estimators

    def check(self, params: dict[str, Any], place: Place) -> None:
        """Refuse parameters that no estimator has, or values that none takes.

        Raises
        ------
        StudyError
        """
        for name, value in params.items():
            if name in _OWN and name in self:
                raise place.at(name).wrong("belongs to the study; leave it out.")
            if name not in self:
                says = f"is not a parameter of {' or '.join(ESTIMATORS)}; {nearest(name, self._estimators)}"
                raise place.at(name).wrong(says)
            objections = [_objection(kind, name, value) for kind in self._estimators[name]]
            if all(objections):  # before the data are read, any estimator will do
                raise place.at(name).wrong(f"{value!r} will not do: {objections[0]}")


def _objection(kind: Any, name: str, value: Any) -> str:
    """Return why an estimator refuses a parameter, or an empty text."""
    if isinstance(value, bool) and not isinstance(kind().get_params()[name], bool):
        return "it is neither true nor false."  # which Python takes for 1 and 0
    try:
        check_values(kind(**built_parameters({name: value})))
    except (TypeError, ValueError) as error:
        return str(error)
    return ""
