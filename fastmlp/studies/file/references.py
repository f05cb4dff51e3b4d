"""Reading the groups of runs of a study file: parameters, points, searches, and who waits for whom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastmlp.estimators.loading import ESTIMATORS
from fastmlp.studies.file.distributions import sampled_from
from fastmlp.studies.file.parameters import built_parameters
from fastmlp.studies.file.schema import RUNS, SEARCH, Checker, nearest
from fastmlp.studies.file.study import Group, Search, split

#: The parameters that a study sets by itself.
_OWN = ("random_state", "callbacks", "warm_start", "verbose")
#: No study has more seeds or points; what does is a slip.
_MANY = 10_000


class GroupsReader(Checker):
    """Reads the groups of one file."""

    def __init__(self, path: str):
        super().__init__(path)
        self._parameters: dict[str, list[Any]] = {}  # the estimators that have each
        self._groups: dict[str, Group] = {}

    def groups(self, content: dict[str, Any], estimators: Iterable[str]) -> None:
        """Read all groups of a file, whose models may be of these classes."""
        for kind in estimators:
            for name in ESTIMATORS[kind]().get_params():
                self._parameters.setdefault(name, []).append(ESTIMATORS[kind])
        base = self.parameters("base", content.get("base", {}))
        if not content["runs"]:
            raise self.wrong("runs", "there must be at least one, such as [runs.baseline].")
        for name, runs in content["runs"].items():
            self._groups[name] = self.group(name, runs, base)
        for group in self._groups.values():
            self.order(group)

    def group(self, name: str, content: Any, base: dict[str, Any]) -> Group:
        """Return a group, whose name and contents are checked, but not whom it waits for."""
        key = f"runs.{name}"
        self.name(key, name)
        if isinstance(content, dict):
            for own in content.keys() - RUNS.keys() & self._parameters.keys():
                raise self.wrong(f"{key}.{own}", f"is a parameter; write set.{own}.")
        self.check(key, content, RUNS)
        if "/" in name:
            raise self.wrong(key, "must be a name without '/', which stands between group and point.")
        many = [one for one in ("list", "grid", "search") if one in content]
        for one in many:
            self.filled(f"{key}.{one}", content[one])
        if len(many) > 1:
            raise self.wrong(
                f"{key}.{many[1]}", f"cannot stand beside {many[0]}; make it a group of its own."
            )
        for one in ("seeds", "train"):
            self.at_least(f"{key}.{one}", content.get(one), 1)
        self.at_most(f"{key}.seeds", content.get("seeds"), _MANY)
        for one in ("continues", "best_of"):
            self.filled(f"{key}.{one}", content.get(one, "nothing"))
        if "continues" in content and "best_of" in content:
            raise self.wrong(f"{key}.best_of", "cannot stand beside continues.")
        settings = dict(content)
        settings["set"] = self.parameters(f"{key}.set", content.get("set", {}))
        settings["list"] = {
            self.name(f"{key}.list.{point}", point): self.parameters(f"{key}.list.{point}", own)
            for point, own in content.get("list", {}).items()
        }
        settings["grid"] = {
            parameter: self.values(f"{key}.grid", parameter, values)
            for parameter, values in content.get("grid", {}).items()
        }
        if "search" in content:
            settings["search"] = self.search(f"{key}.search", content["search"])
            if settings["search"].kind == "halving":
                self.halving(key, settings, base)
        return Group(name, base=base, **settings)

    def halving(self, key: str, settings: dict[str, Any], base: dict[str, Any]) -> None:
        """Refuse a halving search that cannot be one, or does not say how far its last points are trained."""
        if "seeds" in settings or "train" in settings:
            raise self.wrong(f"{key}.search", "a halving search has one seed, and all training rows.")
        if "continues" in settings:
            raise self.wrong(f"{key}.continues", "cannot stand beside a halving search, which begins anew.")
        search = settings["search"]
        if search.resource == "n_samples":
            return
        if "max_iter" in search.over:
            raise self.wrong(f"{key}.search.over.max_iter", "is the resource, which the search shares out.")
        largest = search.largest or {**base, **settings["set"]}.get("max_iter")
        if largest is None:
            raise self.wrong(f"{key}.search.largest", "is missing, and there is no max_iter.")
        if search.smallest > largest:
            raise self.wrong(f"{key}.search.smallest", f"must be at most {largest}, not {search.smallest}.")

    def values(self, key: str, parameter: str, values: Any) -> list[Any]:
        """Return the values of one parameter, once they are found to be some."""
        if not isinstance(values, list) or not values:
            raise self.wrong(f"{key}.{parameter}", f"must be a list of values, not {values!r}.")
        return [self.parameters(key, {parameter: value})[parameter] for value in values]

    def search(self, key: str, content: Any) -> Search:
        """Return a search whose values and ranges the estimator takes."""
        self.check(key, content, SEARCH)
        search = Search(**content)
        self.one_of(f"{key}.kind", search.kind, ("random", "halving"))
        self.one_of(f"{key}.resource", search.resource, ("max_iter", "n_samples"))
        for name, least in (("n", 1), ("factor", 2), ("smallest", 1), ("largest", search.smallest)):
            self.at_least(f"{key}.{name}", getattr(search, name), least)
        self.at_most(f"{key}.n", search.n, _MANY)
        self.seed(f"{key}.seed", search.seed)
        for parameter, values in self.filled(f"{key}.over", search.over).items():
            if isinstance(values, list):
                self.values(f"{key}.over", parameter, values)
                continue
            try:
                drawn = sampled_from(values).rvs(random_state=0)
            except ValueError as error:
                raise self.wrong(f"{key}.over.{parameter}", str(error)) from None
            for value in (values["low"], values["high"], drawn):
                self.parameters(f"{key}.over", {parameter: value})
        return search

    def order(self, group: Group) -> None:
        """Refuse groups that wait for others that are not there, or for themselves."""
        seen = [group.name]
        while group.after is not None:
            which = "continues" if group.continues else "best_of"
            key = f"runs.{group.name}.{which}"
            self.reference(key, group.continues or group.best_of)
            if group.continues and len(self.points(group.continues)) != 1:
                raise self.wrong(key, f"{group.continues!r} must be one point, such as 'group/point'.")
            group = self._groups[group.after]
            if group.name in seen:
                raise self.wrong(key, f"waits for itself: {' < '.join([*seen, group.name])}.")
            seen.append(group.name)

    def parameters(self, key: str, content: Any) -> dict[str, Any]:
        """Return parameters of the estimator as the file has them, once they are found to be some."""
        if not isinstance(content, dict):
            raise self.wrong(key, f"must be a table of parameters, not {content!r}.")
        for name, value in content.items():
            if name in _OWN or name not in self._parameters:
                says = "belongs to the study; leave it out." if name in self._parameters else (
                    f"is not a parameter of {' or '.join(ESTIMATORS)}; {nearest(name, self._parameters)}"
                )  # fmt: skip
                raise self.wrong(f"{key}.{name}", says)
            wrong = [self.objection(kind, name, value) for kind in self._parameters[name]]
            if all(wrong):  # before the data are read, any estimator will do
                raise self.wrong(f"{key}.{name}", f"{value!r} will not do: {wrong[0]}")
        return content

    def objection(self, kind: Any, name: str, value: Any) -> str:
        """Return what an estimator has against a parameter, or nothing."""
        if isinstance(value, bool) and "boolean" not in kind._parameter_constraints[name]:
            return "it is neither true nor false."  # which Python takes for 1 and 0
        try:
            kind(**built_parameters({name: value}))._validate_params()
        except (TypeError, ValueError) as error:
            return str(error)
        return ""

    def points(self, reference: str) -> list[str]:
        """Return the points of a group, or the one that is named."""
        group, point = split(reference)
        return [point] if point else [name for name, _ in self._groups[group].points()]

    def reference(self, key: str, reference: Any) -> str:
        """Refuse what is neither a group nor a point of one."""
        group, point = split(reference) if isinstance(reference, str) else ("", "")
        if group not in self._groups:
            raise self.wrong(key, f"{reference!r} is none of the runs; {nearest(str(group), self._groups)}")
        known = [name for name, _ in self._groups[group].points()]
        if point and not self._groups[group].is_open and point not in known:
            raise self.wrong(key, f"{reference!r}: {group!r} has no such point; {nearest(point, known)}")
        return reference

    def references(self, key: str, value: Any) -> tuple[str, ...]:
        """Return the groups and points of a list, or the one that is named."""
        values = [value] if isinstance(value, str) else value
        return tuple(self.reference(key, one) for one in values)
