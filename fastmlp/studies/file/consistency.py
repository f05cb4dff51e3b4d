"""Checks across the parts of a study: the runs, rows and parameters that they name must exist."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastmlp.studies.file.claim_language import Check
from fastmlp.studies.file.distributions import sampled_from
from fastmlp.studies.file.groups import Group, Search, joined, split
from fastmlp.studies.file.measures import GRADIENT_ORDER
from fastmlp.studies.file.parameters import KnownParameters
from fastmlp.studies.file.schema import Place, nearest
from fastmlp.studies.file.study import GradientChecks, Study, Table


def check_consistency(study: Study, parameters: KnownParameters, file: Place) -> None:
    """Refuse a study that names what is not there, or gives parameters that no estimator takes.

    Raises
    ------
    StudyError
        It names the file, the key and what is allowed.
    """
    _Checker(study, parameters, file).check()


class _Checker:
    """Checks one study."""

    def __init__(self, study: Study, parameters: KnownParameters, file: Place):
        self._study, self._parameters, self._file = study, parameters, file

    def check(self) -> None:
        """Check all parts."""
        study, file = self._study, self._file
        self._parameters.check(study.base, file.at("base"))
        if not study.groups:
            raise file.at("runs").wrong("there must be at least one, such as [runs.baseline].")
        for name, group in study.groups.items():
            self._check_group(group, file.at("runs").at(name))
        for group in study.groups.values():
            self._check_order(group)
        for i, table in enumerate(study.tables):
            self._check_table(table, file.at("tables").item(i))
        for i, figure in enumerate(study.figures):
            place = file.at("figures").item(i)
            self._check_references(figure.runs, place.at("runs"))
            if figure.kind == "gradient_check" and study.gradient_check is None:
                raise place.at("kind").wrong("there is no [gradient_check].")
        for i, claim in enumerate(study.claims):
            self._check_checks(claim.checks, file.at("claims").item(i).at("checks"))
        for i, difference in enumerate(study.differences):
            place = file.at("differences").item(i)
            self._check_references(difference.rows, place.at("rows"))
            self._check_checks(difference.checks, place.at("checks"))
        if study.gradient_check is not None:
            self._check_gradients(study.gradient_check, file.at("gradient_check"))

    def _check_group(self, group: Group, place: Place) -> None:
        """Check a group by itself: its parameters, and keys that exclude each other."""
        if "/" in group.name:
            raise place.wrong("must be a name without '/', which stands between group and point.")
        many = [one for one in ("list", "grid", "search") if getattr(group, one)]
        if len(many) > 1:
            raise place.at(many[1]).wrong(f"cannot stand beside {many[0]}; make it a group of its own.")
        if group.continues and group.best_of:
            raise place.at("best_of").wrong("cannot stand beside continues.")
        if self._study.data.validation == 0 and (group.best_of or group.is_open):
            key = "best_of" if group.best_of else "search"
            raise place.at(key).wrong("needs validation data to choose by, and data.validation is 0.")
        self._parameters.check(group.set, place.at("set"))
        for point, own in group.list.items():
            self._parameters.check(own, place.at("list").at(point))
        for parameter, values in group.grid.items():
            for value in values:
                self._parameters.check({parameter: value}, place.at("grid"))
        if group.search is not None:
            self._check_search(group.search, place.at("search"))
            if group.search.kind == "halving":
                self._check_halving(group, group.search, place)

    def _check_search(self, search: Search, place: Place) -> None:
        """Refuse values and ranges that the estimator does not take."""
        if search.largest is not None and search.largest < search.smallest:
            raise place.at("largest").wrong(f"must be at least {search.smallest}, not {search.largest}.")
        place = place.at("over")
        for parameter, values in search.over.items():
            try:
                drawn = sampled_from(values)
            except ValueError as error:
                raise place.at(parameter).wrong(str(error)) from None
            is_range = isinstance(values, dict)
            some = [values["low"], values["high"], drawn.rvs(random_state=0)] if is_range else values
            for value in some:
                self._parameters.check({parameter: value}, place)

    def _check_halving(self, group: Group, search: Search, place: Place) -> None:
        """Refuse a halving search that cannot be one, or does not say how far its last points are trained."""
        if group.seeds != 1 or group.train is not None:
            raise place.at("search").wrong("a halving search has one seed, and all training rows.")
        if group.continues:
            raise place.at("continues").wrong("cannot stand beside a halving search, which begins anew.")
        if search.resource == "n_samples":
            return
        place = place.at("search")
        if "max_iter" in search.over:
            raise place.at("over").at("max_iter").wrong("is the resource, which the search shares out.")
        largest = search.largest or self._study.common_params(group).get("max_iter")
        if largest is None:
            raise place.at("largest").wrong("is missing, and there is no max_iter.")
        if search.smallest > largest:
            raise place.at("smallest").wrong(f"must be at most {largest}, not {search.smallest}.")

    def _check_order(self, group: Group) -> None:
        """Refuse groups that wait for others that are not there, or for themselves."""
        seen = [group.name]
        while group.after is not None:
            place = self._file.at("runs").at(group.name).at("continues" if group.continues else "best_of")
            self._check_reference(group.continues or group.best_of, place)
            if group.continues and len(self._points(group.continues)) != 1:
                raise place.wrong(f"{group.continues!r} must be one point, such as 'group/point'.")
            group = self._study.groups[group.after]
            if group.name in seen:
                raise place.wrong(f"waits for itself: {' < '.join([*seen, group.name])}.")
            seen.append(group.name)

    def _points(self, reference: str) -> list[str]:
        """Return the points of a group, or the one that is named."""
        group, point = split(reference)
        return [point] if point else [name for name, _ in self._study.groups[group].points()]

    def _check_references(self, references: Iterable[str], place: Place) -> None:
        for reference in references:
            self._check_reference(reference, place)

    def _check_reference(self, reference: Any, place: Place) -> None:
        """Refuse what is neither a group nor a point of one."""
        group, point = split(reference)
        groups = self._study.groups
        if group not in groups:
            raise place.wrong(f"{reference!r} is not one of the runs; {nearest(group, groups)}")
        known = [name for name, _ in groups[group].points()]
        if point and not groups[group].is_open and point not in known:
            raise place.wrong(f"{reference!r}: {group!r} has no such point; {nearest(point, known)}")

    def _check_table(self, table: Table, place: Place) -> None:
        self._check_references(table.runs, place.at("runs"))
        rows = {row for reference in table.runs for row in self._rows(reference, table.runs)}
        is_open = any(self._study.groups[split(reference)[0]].is_open for reference in table.runs)
        for name in ("published", "scale"):
            for measure in getattr(table, name):
                if measure not in table.show:
                    shown = ", ".join(table.show)
                    raise place.at(name).at(measure).wrong(f"{measure!r} is not one of {shown}.")
        for measure, figures in table.published.items():
            for row in figures:
                if row not in rows and not is_open:
                    says = f"there is no row {row!r}; {nearest(row, rows)}"
                    raise place.at("published").at(measure).wrong(says)

    def _rows(self, reference: str, runs: tuple[str, ...]) -> list[str]:
        """Return the rows that a table of these runs has for a group or a point."""
        group, _ = split(reference)
        if len({split(one)[0] for one in runs}) == 1:
            return [point or group for point in self._points(reference)]
        return [joined(group, point) for point in self._points(reference)]

    def _check_checks(self, checks: Iterable[Check], place: Place) -> None:
        for check in checks:
            for term in check.terms:
                if term.measure != GRADIENT_ORDER:
                    self._check_reference(term.run, place)
                elif self._study.gradient_check is None:
                    raise place.wrong(f"{check.text!r}: there is no [gradient_check].")
            if isinstance(check.right, str) and check.right not in self._study.groups:
                raise place.wrong(f"{check.text!r}: {check.right!r} is a point, not a group.")

    def _check_gradients(self, wanted: GradientChecks, place: Place) -> None:
        self._check_reference(wanted.of, place.at("of"))
        named = [f"{layer} {name}" for layer, name in wanted.parameters]
        for name in wanted.published:
            if name not in named:
                says = f"is not one of the parameters; {nearest(name, named)}"
                raise place.at("published").at(name).wrong(says)
