"""What a study is, and what its file may hold: data, groups of runs, tables, figures and claims.

The fields of these classes are the keys of the file, see `fastmlp.studies.file.schema`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from fastmlp.estimators.loading import ESTIMATORS
from fastmlp.studies.file.claim_language import Check, read_check
from fastmlp.studies.file.figure_kinds import FIGURE_KINDS
from fastmlp.studies.file.groups import Group, Run, split
from fastmlp.studies.file.measures import MEASURES
from fastmlp.studies.file.schema import (
    NOT_IN_FILE,
    OR_ONE,
    Called,
    OneOf,
    Parsed,
    Place,
    check_known,
    checked,
    filled,
    finite,
    keys_of,
    read,
    seed,
    within,
)

#: Groups, or points of them; a single one needs no list.
_Runs = Annotated[tuple[str, ...], OR_ONE]
_Checks = tuple[Annotated[Check, Parsed(read_check)], ...]
_Finite = Annotated[float, finite()]
_Positive = Annotated[float, finite(above=0)]


def _share(value: Any) -> str:
    """Refuse what is neither a share of the rows nor a number of them."""
    is_one = 0 < value < 1 or (isinstance(value, int) and value >= 1)
    return "" if is_one else f"must be a share below 1 or a number of rows, not {value}."


def _share_or_none(value: Any) -> str:
    """Refuse what `_share` refuses, but not 0."""
    return "" if type(value) is int and value == 0 else _share(value)


@dataclass(frozen=True)
class Data:
    """The data of a study: a built-in set or a file, and how its parts are set aside.

    Of a built-in set the last training rows are the validation part, or with ``shuffle`` any of them; with
    ``validation = 0`` all rows are trained on.

    ``sep``, ``decimal`` and ``encoding`` say how a file of text is written, where it does not show that.

    Features become (x - ``center``) * ``scale``; without either they are left as they are. ``digest`` is
    that of the file while a study runs: other contents are other data.
    """

    name: str
    target: str | None = None
    estimator: Annotated[str | None, OneOf(ESTIMATORS)] = None
    validation: Annotated[int | float, _share_or_none] = 0.1
    test: Annotated[int | float, _share] = 0.2
    seed: Annotated[int, seed] = 0
    shuffle: bool = False
    center: _Finite = 0
    scale: _Positive = 1
    sep: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    digest: str = field(default="", metadata=NOT_IN_FILE)


@dataclass(frozen=True)
class Table:
    """What to tabulate: a row for each point, means over the seeds, published figures beside them.

    Attributes
    ----------
    runs : tuple of str
        Groups, or points of them.
    show : tuple of str
        See `fastmlp.studies.file.measures.MEASURES`.
    published : dict
        By measure, by row.
    is_evidence : bool
        Whether its figures are not meant to be the published ones.
    scale : dict
        By measure, what ours is multiplied with before it stands beside the published one.
    """

    title: str
    runs: Annotated[_Runs, filled]
    show: Annotated[tuple[Annotated[str, OneOf(MEASURES)], ...], filled] = ("validation", "test")
    published: dict[str, dict[str, _Finite]] = field(default_factory=dict)
    scale: dict[str, _Positive] = field(default_factory=dict)
    note: str = ""
    is_evidence: bool = False


@dataclass(frozen=True)
class Figure:
    """What to draw: a kind of picture of `fastmlp.plots`, and the runs that it shows.

    Attributes
    ----------
    runs : tuple of str
        Groups, or points of them; pictures of one model take the first.
    options : dict
        What else the kind takes, see `fastmlp.studies.file.figure_kinds`.
    """

    kind: Annotated[str, OneOf(FIGURE_KINDS)]
    title: str
    caption: str = ""
    runs: _Runs = ()
    options: dict[str, Any] = field(default_factory=dict, metadata=NOT_IN_FILE)

    @classmethod
    def from_table(cls, content: Any, place: Place) -> Figure:
        """Return the figure of a table, in which the options stand beside the other keys."""
        options: dict[str, Any] = {}
        if isinstance(content, dict) and isinstance(kind := content.get("kind"), str):
            known = FIGURE_KINDS[kind].options if kind in FIGURE_KINDS else {}
            check_known(content, [*keys_of(cls), *known], place)
            options = {name: value for name, value in content.items() if name in known}
            for name, value in options.items():
                checked(value, known[name], place.at(name))
            content = {name: value for name, value in content.items() if name not in known}
        figure = read(cls, content, place, options=options)
        if FIGURE_KINDS[figure.kind].needs_runs and not figure.runs:
            raise place.at("runs").wrong("is missing.")
        return figure


def _some_checks(value: Any) -> str:
    """Refuse a claim of no checks."""
    return "" if value else "must hold at least one."


@dataclass(frozen=True)
class Claim:
    """A sentence, and the checks that must all hold for it."""

    claim: str
    checks: Annotated[_Checks, _some_checks]
    comment: str = ""


@dataclass(frozen=True)
class Difference:
    """Why some rows differ from the published figures, and checks on the runs that show it."""

    rows: tuple[str, ...]
    because: str
    checks: _Checks = ()


_PARAMETER = 'pairs of layer and name, such as [0, "W[21, 9]"]'


@dataclass(frozen=True)
class GradientChecks:
    """Backpropagation beside central differences, at the start of the first run of a group or point.

    Attributes
    ----------
    of : str
    epsilons : tuple of float
    samples_per_class : int
        The first of each class; for real targets, so many rows.
    parameters : tuple of (int, str)
        Layer and name, as `fastmlp.gradient_check` takes them; empty for a few of each layer.
    published : dict
        By "LAYER NAME", the published difference at the first epsilon.
    """

    of: str
    epsilons: Annotated[tuple[_Positive, ...], filled] = (1e-1, 1e-2, 1e-3, 1e-4)
    samples_per_class: Annotated[int, within(1)] = 1
    parameters: tuple[Annotated[tuple[int, str], Called(_PARAMETER)], ...] = ()
    published: dict[str, _Finite] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Study:
    """A study file, read and checked.

    Attributes
    ----------
    name : str
        Of the file, without its ending.
    groups : dict of str to Group
        The runs.
    base : dict
        Parameters of all runs.
    """

    name: str = field(metadata=NOT_IN_FILE)
    title: str
    data: Data
    groups: dict[str, Group] = field(metadata={"key": "runs"})
    base: dict[str, Any] = field(default_factory=dict)
    about: str = ""
    source: str = ""
    choices: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    claims: tuple[Claim, ...] = ()
    differences: tuple[Difference, ...] = ()
    gradient_check: GradientChecks | None = None

    def __repr__(self) -> str:
        return f"<Study {self.name}: {len(self.groups)} groups of runs, {len(self.claims)} claims>"

    def waves(self) -> list[list[Group]]:
        """Return the groups in the order in which they can run; those of a wave can run side by side."""
        waves: list[list[Group]] = []
        done: set[str | None] = {None}
        rest = list(self.groups.values())
        while rest:
            waves.append([group for group in rest if group.after in done])
            done |= {group.name for group in waves[-1]}
            rest = [group for group in rest if group.name not in done]
        return waves

    def runs_of(self, group: Group, best: dict[str, Any] | None = None) -> list[Run]:
        """Return the runs of a group; ``best`` are the parameters of the point that it takes them from."""
        common = self.common_params(group, best)
        return [
            self.watched(Run(group.name, point, seed, {**common, **own}, group.train, group.continues))
            for point, own in group.points()
            for seed in range(group.seeds)
        ]

    def common_params(self, group: Group, best: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what all points of a group have in common; ``best`` as in `runs_of`."""
        return {**(self.base if best is None else best), **group.set}

    def watched(self, run: Run) -> Run:
        """Return a run with what figures and checks ask of its epochs."""
        return replace(
            run, wants_train_score=self._wants_train_score(run.name), snapshots=self._snapshots(run.name)
        )

    def _wants_train_score(self, name: str) -> bool:
        drawn = [one for figure in self.figures if figure.kind == "curves" for one in figure.runs]
        stated: list[Claim | Difference] = [*self.claims, *self.differences]
        checks = [check for one in stated for check in one.checks]
        asked = [term.run for check in checks for term in check.terms if term.needs_train_score]
        return any(reference in (name, split(name)[0]) for reference in (*drawn, *asked))

    def _snapshots(self, name: str) -> tuple[int, ...]:
        epochs: set[int] = set()
        for figure in self.figures:
            if figure.kind == "first_layer" and {name, split(name)[0]} & set(figure.runs):
                epochs |= set(figure.options.get("epochs", ()))
        return tuple(sorted(epochs))
