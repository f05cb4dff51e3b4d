"""Reading a study file: whatever is wrong with it is told before anything runs."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastmlp.estimators.loading import ESTIMATORS
from fastmlp.studies.file.measures import GRADIENT_ORDER, MEASURES, Check, read_check
from fastmlp.studies.file.references import GroupsReader
from fastmlp.studies.file.schema import (
    CLAIM,
    DATA,
    DIFFERENCE,
    FIGURE,
    GRADIENTS,
    STUDY,
    TABLES,
    StudyError,
    nearest,
)  # fmt: skip
from fastmlp.studies.file.study import (
    Claim,
    Data,
    Difference,
    Figure,
    GradientChecks,
    Study,
    Table,
    joined,
    split,
)  # fmt: skip
from fastmlp.studies.page import figures
from fastmlp.tabular.files import kind_of
from fastmlp.tabular.reading import BUILT_IN
from fastmlp.tabular.text_files import TextFormat


def load_study(path: str | Path) -> Study:
    """Return the study that a TOML file describes.

    Parameters
    ----------
    path : path-like
        A file, or the name of a study that comes with fastmlp, see `published`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    StudyError
        If it is no TOML, or a key, a type or a value is wrong.
    """
    path = located(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: not a TOML file ({error}).") from None
    return _Reader(str(path), path.stem).study(content)


def published() -> list[str]:
    """Return the names of the studies that come with fastmlp.

    Examples
    --------
    >>> "fashion-topology" in published()
    True
    """
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


_FOLDER = Path(__file__).parents[1] / "published"


def located(path: str | Path) -> Path:
    """Return the file of a study that comes with fastmlp, or the file of that name."""
    if str(path) in published():
        return _FOLDER / f"{path}.toml"
    if not Path(path).is_file():
        near = nearest(str(path), published())
        raise FileNotFoundError(f"{path}: there is no such file, and no study of that name; {near}")
    return Path(path)


class _Reader(GroupsReader):
    """Reads one file."""

    def __init__(self, path: str, name: str):
        super().__init__(path)
        self._name = name
        self._has_gradients = False

    def study(self, content: dict[str, Any]) -> Study:
        self.check("", content, STUDY)
        self._has_gradients = "gradient_check" in content
        data = self.data(content["data"])
        self.groups(content, [data.estimator] if data.estimator else list(ESTIMATORS))
        return Study(
            self._name,
            content["title"],
            content.get("about", ""),
            content.get("source", ""),
            self.texts("choices", content.get("choices", [])),
            data,
            self._groups,
            self.each("tables", content, self.table),
            self.each("figures", content, self.figure),
            self.each("claims", content, self.claim),
            self.each("differences", content, self.difference),
            self.gradients(content["gradient_check"]) if "gradient_check" in content else None,
        )

    def each(self, name: str, content: dict[str, Any], read: Any) -> tuple[Any, ...]:
        return tuple(read(f"{name}[{i}]", one) for i, one in enumerate(content.get(name, [])))

    def data(self, content: dict[str, Any]) -> Data:
        self.check("data", content, DATA)
        data = Data(**content)
        for name in ("validation", "test"):
            share = getattr(data, name)
            if not (0 < share < 1 or (isinstance(share, int) and share >= 1)):
                raise self.wrong(f"data.{name}", f"must be a share below 1 or a number of rows, not {share}.")
        if data.estimator is not None:
            self.one_of("data.estimator", data.estimator, ESTIMATORS)
        self.finite("data.center", data.center)
        self.finite("data.scale", data.scale, above=0)
        self.seed("data.seed", data.seed)
        if data.name == "-":
            raise self.wrong("data.name", "must be a file: a study reads it more often than once.")
        try:
            TextFormat(data.sep, data.decimal, data.encoding)
        except ValueError as error:
            raise self.wrong("data", str(error)) from None
        if data.name not in BUILT_IN:
            return self.beside(data)
        for name in ("target", "test", "sep", "decimal", "encoding"):
            if name in content:
                raise self.wrong(f"data.{name}", f"is for files; {data.name} has its own. Leave it out.")
        return data

    def beside(self, data: Data) -> Data:
        """Return data of a file, which may lie beside the study's own."""
        if data.target is None and kind_of(data.name) in (".csv", ".parquet"):
            raise self.wrong("data.target", "is missing: the column that is to be predicted.")
        path = Path(self._path).parent / data.name
        return replace(data, name=str(path)) if path.is_file() else data

    def table(self, key: str, content: Any) -> Table:
        self.check(key, content, TABLES)
        runs = self.filled(f"{key}.runs", self.references(f"{key}.runs", content["runs"]))
        show = self.filled(f"{key}.show", tuple(content.get("show", Table.show)))
        for one in show:
            self.one_of(f"{key}.show", one, MEASURES)
        rows = {row for reference in runs for row in self.rows(reference, runs)}
        is_open = any(self._groups[split(reference)[0]].is_open for reference in runs)
        for measure, figures_of_rows in content.get("published", {}).items():
            inner = f"{key}.published.{measure}"
            self.one_of(inner, measure, show)
            if not isinstance(figures_of_rows, dict):
                raise self.wrong(inner, f"must be a table of rows, not {figures_of_rows!r}.")
            for row, figure in figures_of_rows.items():
                if row not in rows and not is_open:
                    raise self.wrong(inner, f"there is no row {row!r}; {nearest(row, rows)}")
                self.finite(f"{inner}.{row}", figure)
        for measure, factor in content.get("scale", {}).items():
            self.one_of(f"{key}.scale", measure, show)
            self.finite(f"{key}.scale.{measure}", factor, above=0)
        return Table(**{**content, "runs": runs, "show": show})

    def rows(self, reference: str, runs: tuple[str, ...]) -> list[str]:
        """Return the rows that a table of these runs has for a group or a point."""
        group, _ = split(reference)
        if len({split(one)[0] for one in runs}) == 1:
            return [point or group for point in self.points(reference)]
        return [joined(group, point) for point in self.points(reference)]

    def figure(self, key: str, content: Any) -> Figure:
        kind = str(content.get("kind")) if isinstance(content, dict) else ""
        options = figures.KINDS[kind].options if kind in figures.KINDS else {}
        self.check(key, content, FIGURE, options)
        self.one_of(f"{key}.kind", kind, figures.KINDS)
        for name, value in content.items():
            if name in options:
                try:
                    options[name](value)
                except ValueError as error:
                    raise self.wrong(f"{key}.{name}", str(error)) from None
        runs = self.references(f"{key}.runs", content.get("runs", []))
        if figures.KINDS[kind].needs_runs and not runs:
            raise self.wrong(f"{key}.runs", "is missing.")
        if kind == "gradient_check" and not self._has_gradients:
            raise self.wrong(f"{key}.kind", "there is no [gradient_check].")
        own = {name: value for name, value in content.items() if name in options}
        return Figure(kind, content["title"], content.get("caption", ""), runs, own)

    def checks(self, key: str, values: list[Any]) -> tuple[Check, ...]:
        checks = []
        for text in self.texts(key, values):
            try:
                check = read_check(text)
            except ValueError as error:
                raise self.wrong(key, str(error)) from None
            for term in check.terms:
                if term.measure != GRADIENT_ORDER:
                    self.reference(key, term.run)
                elif not self._has_gradients:
                    raise self.wrong(key, f"{text!r}: there is no [gradient_check].")
            if isinstance(check.right, str) and check.right not in self._groups:
                raise self.wrong(key, f"{text!r}: {check.right!r} is a point, not a group.")
            checks.append(check)
        return tuple(checks)

    def claim(self, key: str, content: Any) -> Claim:
        self.check(key, content, CLAIM)
        checks = self.checks(f"{key}.checks", content["checks"])
        if not checks:
            raise self.wrong(f"{key}.checks", "must hold at least one.")
        return Claim(content["claim"], checks, content.get("comment", ""))

    def difference(self, key: str, content: Any) -> Difference:
        self.check(key, content, DIFFERENCE)
        rows = self.references(f"{key}.rows", content["rows"])
        return Difference(rows, content["because"], self.checks(f"{key}.checks", content.get("checks", [])))

    def gradients(self, content: Any) -> GradientChecks:
        self.check("gradient_check", content, GRADIENTS)
        self.reference("gradient_check.of", content["of"])
        self.at_least("gradient_check.samples_per_class", content.get("samples_per_class"), 1)
        epsilons = self.filled("gradient_check.epsilons", content.get("epsilons", GradientChecks.epsilons))
        for epsilon in epsilons:
            self.finite("gradient_check.epsilons", epsilon, above=0)
        parameters = []
        for one in content.get("parameters", []):
            if not (isinstance(one, list) and [type(part) for part in one] == [int, str]):
                says = f'must be pairs of layer and name, such as [0, "W[21, 9]"], not {one!r}.'
                raise self.wrong("gradient_check.parameters", says)
            parameters.append((one[0], one[1]))
        named = [f"{layer} {name}" for layer, name in parameters]
        for name, figure in content.get("published", {}).items():
            key = f"gradient_check.published.{name}"
            self.finite(key, figure)
            if name not in named:
                raise self.wrong(key, f"is none of the parameters; {nearest(name, named)}")
        own = {"epsilons": tuple(epsilons), "parameters": tuple(parameters)}
        return GradientChecks(**{**content, **own})
