"""The groups of runs of a study: parameters, points, searches and seeds.

The fields of `Group` and `Search` are keys of the file, see `fastmlp.studies.file.schema`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from sklearn.model_selection import ParameterGrid, ParameterSampler

from fastmlp.studies.file.distributions import sampled_from
from fastmlp.studies.file.schema import NOT_IN_FILE, OneOf, filled, seed, within

#: No study has more seeds or points; what does is a slip.
_MANY = 10_000
#: Values of a parameter. Within `Group`, ``list`` is a field.
_Values = list[Any]


def _some_values(value: Any) -> str:
    """Refuse a list of no values."""
    return "" if value else f"must be a list of values, not {value!r}."


@dataclass(frozen=True)
class Run:
    """One fit: a group's parameters at one of its points, and a seed.

    Attributes
    ----------
    group, point : str
    seed : int
    params : dict
        Parameters of the estimator, as the file has them.
    train : int or None
        Train on so many of the first training rows; None for all.
    continues : str or None
        The run, ``group/point``, whose model is trained on.
    wants_train_score : bool
        Whether the first training rows are scored after every epoch.
    snapshots : tuple of int
        Epochs after which the first layer's weights are kept, 0 for the start.
    """

    group: str
    point: str
    seed: int
    params: dict[str, Any]
    train: int | None = None
    continues: str | None = None
    wants_train_score: bool = False
    snapshots: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """The group and its point, as a study file refers to them."""
        return joined(self.group, self.point)

    @property
    def key(self) -> str:
        """The name of this run within its study."""
        return f"{self.name}/seed {self.seed}"


@dataclass(frozen=True)
class Search:
    """A search among points that are drawn at random.

    Attributes
    ----------
    kind : {"random", "halving"}
        Whether all of them are trained in full, or the best few with more epochs or samples.
    over : dict
        By parameter, a list of values or a range, as the file has it.
    n : int
        How many points.
    seed : int
        For drawing them.
    resource : {"max_iter", "n_samples"}
        What a halving search gives more of to fewer points.
    factor : int
        How many times more to how many times fewer.
    smallest, largest : int
        Of the resource.
    """

    kind: Annotated[str, OneOf(("random", "halving"))]
    over: Annotated[dict[str, Any], filled]
    n: Annotated[int, within(1, _MANY)] = 10
    seed: Annotated[int, seed] = 0
    resource: Annotated[str, OneOf(("max_iter", "n_samples"))] = "max_iter"
    factor: Annotated[int, within(2)] = 3
    smallest: Annotated[int, within(1)] = 1
    largest: int | None = None

    def distributions(self) -> dict[str, Any]:
        """Return what scikit-learn's searches draw from."""
        return {name: sampled_from(values) for name, values in self.over.items()}


@dataclass(frozen=True)
class Group:
    """Runs that belong together: their parameters and points, and seeds.

    A group has a list of named points, a grid, a search, or a single point without a name. With
    ``continues`` its runs train on the models of another group, with ``best_of`` they take the parameters of
    its best point.
    """

    name: str = field(metadata=NOT_IN_FILE)
    about: str = ""
    set: dict[str, Any] = field(default_factory=dict)
    list: Annotated[dict[str, dict[str, Any]], filled] = field(default_factory=dict)
    grid: Annotated[dict[str, Annotated[_Values, _some_values]], filled] = field(default_factory=dict)
    search: Search | None = None
    seeds: Annotated[int, within(1, _MANY)] = 1
    train: Annotated[int | None, within(1)] = None
    continues: Annotated[str | None, filled] = None
    best_of: Annotated[str | None, filled] = None

    @property
    def is_open(self) -> bool:
        """Whether its points are known only while it runs."""
        return self.search is not None and self.search.kind == "halving"

    @property
    def resource(self) -> str | None:
        """What a halving search gives more of to fewer points."""
        return self.search.resource if self.search is not None and self.is_open else None

    @property
    def after(self) -> str | None:
        """The group that must be done before."""
        before = self.continues or self.best_of
        return None if before is None else split(before)[0]

    def points(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the name and the own parameters of each point; none of a group that is open."""
        if self.is_open:
            return
        if self.list:
            yield from self.list.items()
        else:
            settings = self.search.over if self.search is not None else self.grid
            points = ({name: point[name] for name in settings} for point in self._drawn())
            yield from {labelled(point): point for point in points}.items()  # each once

    def _drawn(self) -> Iterable[dict[str, Any]]:
        """Return the points of a search or a grid, by names in the alphabet's order, not the file's."""
        if self.search is None:
            return ParameterGrid(self.grid)
        return ParameterSampler(self.search.distributions(), self.search.n, random_state=self.search.seed)


def joined(group: str, point: str) -> str:
    """Return the name of a point as a study file refers to it."""
    return f"{group}/{point}" if point else group


def split(reference: str) -> tuple[str, str]:
    """Return the group and the point of a name; the point is empty where it names the whole group."""
    group, _, point = reference.partition("/")
    return group, point


def labelled(point: dict[str, Any]) -> str:
    """Return the name of a point of a grid or a search."""
    return ", ".join(f"{name}={json.dumps(value)}" for name, value in point.items())
