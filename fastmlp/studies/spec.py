"""What a study file says: data, runs and tables. Whatever is wrong with it is told before anything runs."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sklearn.model_selection import ParameterGrid

from fastmlp import augmentations, initializers, losses, optimizers, schedules
from fastmlp.estimators import ESTIMATORS

#: What parameters that are not plain values are instances of: {"name": ..., and what its class takes}.
_OBJECTS: dict[str, Mapping[str, type]] = {
    "solver": optimizers.BY_NAME,
    "learning_rate": schedules.BY_NAME,
    "loss": losses.BY_NAME,
    "weight_init": initializers.BY_NAME,
    "augmentation": augmentations.BY_NAME,
}
#: Of each run, what a table can show beside its parameters.
SHOWN = ("train", "validation", "test", "loss", "epochs", "seconds")

# The keys of each part of a file: the types of what they may hold, and whether they are needed.
_STUDY = {
    "title": ((str,), True), "about": ((str,), False), "data": ((dict,), True), "base": ((dict,), False),
    "runs": ((dict,), True), "tables": ((list,), False),
}  # fmt: skip
_DATA = {
    "name": ((str,), True), "target": ((str,), False), "estimator": ((str,), False), "seed": ((int,), False),
    "validation": ((int, float), False), "test": ((int, float), False),
}  # fmt: skip
_RUNS = {
    "about": ((str,), False), "seeds": ((int,), False), "set": ((dict,), False), "grid": ((dict,), False),
}  # fmt: skip
_TABLE = {
    "title": ((str,), True), "runs": ((str,), True), "show": ((list,), False), "published": ((dict,), False),
}  # fmt: skip


class StudyError(ValueError):
    """A study file that is not what it should be; the message names the file, the key and what is allowed."""


@dataclass(frozen=True)
class Data:
    """The data of a study: a built-in set or a file, and how its parts are set aside."""

    name: str
    target: str | None = None
    estimator: str | None = None
    validation: float = 0.1
    test: float = 0.2
    seed: int = 0


@dataclass(frozen=True)
class Run:
    """One fit: a group's parameters at one point of its grid, and a seed."""

    group: str
    point: str
    seed: int
    params: dict[str, Any]

    @property
    def key(self) -> str:
        """The name of this run within its study."""
        return "/".join([self.group, *filter(None, [self.point]), f"seed {self.seed}"])


@dataclass(frozen=True)
class Group:
    """Runs that belong together: their parameters, a grid over some of them, and seeds."""

    name: str
    about: str
    params: dict[str, Any]
    grid: dict[str, list[Any]]
    seeds: int

    def runs(self) -> Iterator[Run]:
        """Yield every point of the grid with every seed."""
        for point in ParameterGrid(self.grid):
            point = {name: point[name] for name in self.grid}  # in the file's order, not the alphabet's
            label = ", ".join(f"{name}={json.dumps(value)}" for name, value in point.items())
            for seed in range(self.seeds):
                yield Run(self.name, label, seed, {**self.params, **point})


@dataclass(frozen=True)
class Table:
    """What to tabulate of a group: a row for each point, means over the seeds, published figures."""

    title: str
    runs: str
    show: tuple[str, ...]
    published: dict[str, float]


@dataclass(frozen=True)
class Study:
    """A study file, read and checked."""

    title: str
    about: str
    data: Data
    groups: dict[str, Group]
    tables: tuple[Table, ...]

    def runs(self) -> list[Run]:
        """Return all runs, in the file's order."""
        return [run for group in self.groups.values() for run in group.runs()]


def load_study(path: str | Path) -> Study:
    """Return the study that a TOML file describes.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    StudyError
        If it is no TOML, or a key, a type or a value is wrong.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: not a TOML file ({error}).") from None
    return _Reader(str(path)).study(content)


class _Reader:
    """Reads one file; knows its name for what it has to say."""

    def __init__(self, path: str):
        self._path = path
        self._parameters: dict[str, Any] = {}

    def wrong(self, key: str, says: str) -> StudyError:
        return StudyError(f"{self._path}: {key}: {says}")

    def study(self, content: dict[str, Any]) -> Study:
        self.check("", content, _STUDY)
        data = self.data(content["data"])
        kinds = [data.estimator] if data.estimator else list(ESTIMATORS)
        self._parameters = {name: kind for kind in kinds for name in ESTIMATORS[kind]().get_params()}
        base = self.parameters("base", content.get("base", {}))
        if not content["runs"]:
            raise self.wrong("runs", "there must be at least one, such as [runs.baseline].")
        groups = {name: self.group(name, runs, base) for name, runs in content["runs"].items()}
        tables = [
            self.table(f"tables[{i}]", table, groups) for i, table in enumerate(content.get("tables", []))
        ]
        return Study(content["title"], content.get("about", ""), data, groups, tuple(tables))

    def check(self, key: str, content: Any, allowed: Mapping[str, tuple[tuple[type, ...], bool]]) -> None:
        """Refuse keys that are not known, those that are missing, and values of another type."""
        if not isinstance(content, dict):
            raise self.wrong(key, f"must be a table of keys and values, not {content!r}.")
        for name, value in content.items():
            inner = f"{key}.{name}" if key else name
            if name not in allowed:
                raise self.wrong(inner, f"is not known; {_nearest(name, allowed)}")
            types, _ = allowed[name]
            if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
                wanted = " or ".join(_TYPE_NAMES[one] for one in types)
                raise self.wrong(inner, f"must be {wanted}, not {value!r}.")
        for name, (_, is_needed) in allowed.items():
            if is_needed and name not in content:
                raise self.wrong(f"{key}.{name}" if key else name, "is missing.")

    def data(self, content: dict[str, Any]) -> Data:
        self.check("data", content, _DATA)
        data = Data(**content)
        for name in ("validation", "test"):
            share = getattr(data, name)
            if not (0 < share < 1 or (isinstance(share, int) and share >= 1)):
                raise self.wrong(f"data.{name}", f"must be a share below 1 or a number of rows, not {share}.")
        if data.estimator is not None and data.estimator not in ESTIMATORS:
            choices = " or ".join(ESTIMATORS)
            raise self.wrong("data.estimator", f"must be {choices}, not {data.estimator!r}.")
        return data

    def group(self, name: str, content: Any, base: dict[str, Any]) -> Group:
        key = f"runs.{name}"
        self.check(key, content, _RUNS)
        seeds = content.get("seeds", 1)
        if seeds < 1:
            raise self.wrong(f"{key}.seeds", f"must be at least 1, not {seeds}.")
        grid = {}
        for parameter, values in content.get("grid", {}).items():
            if not isinstance(values, list) or not values:
                raise self.wrong(f"{key}.grid.{parameter}", f"must be a list of values, not {values!r}.")
            grid[parameter] = [
                self.parameters(f"{key}.grid", {parameter: value})[parameter] for value in values
            ]
        own = self.parameters(f"{key}.set", content.get("set", {}))
        return Group(name, content.get("about", ""), {**base, **own}, grid, seeds)

    def parameters(self, key: str, content: dict[str, Any]) -> dict[str, Any]:
        """Return parameters of the estimator as the file has them, once they are found to be some."""
        for name, value in content.items():
            if name in ("random_state", "callbacks") or name not in self._parameters:
                says = "belongs to the study; leave it out." if name in self._parameters else (
                    f"is not a parameter of {' or '.join(ESTIMATORS)}; {_nearest(name, self._parameters)}"
                )  # fmt: skip
                raise self.wrong(f"{key}.{name}", says)
            try:
                built = built_parameters({name: value})
                kind = ESTIMATORS[self._parameters[name]]
                kind(**built)._validate_params()
            except (TypeError, ValueError) as error:
                raise self.wrong(f"{key}.{name}", f"{value!r} will not do: {error}") from None
        return content

    def table(self, key: str, content: Any, groups: dict[str, Group]) -> Table:
        self.check(key, content, _TABLE)
        if content["runs"] not in groups:
            raise self.wrong(
                f"{key}.runs", f"{content['runs']!r} is none; {_nearest(content['runs'], groups)}"
            )
        show = tuple(content.get("show", ("validation", "test")))
        for one in show:
            if one not in SHOWN:
                raise self.wrong(f"{key}.show", f"{one!r} is not one of {', '.join(SHOWN)}.")
        return Table(content["title"], content["runs"], show, content.get("published", {}))


_TYPE_NAMES = {str: "a text", int: "a whole number", float: "a number", dict: "a table", list: "a list"}


def _nearest(name: str, known) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}."


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
