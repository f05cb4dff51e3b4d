"""The page of a study: one file with everything in it, that asks nothing of any other."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fastmlp._support.files import replacing
from fastmlp._support.optional import needed
from fastmlp.studies.file.claim_language import Check
from fastmlp.studies.file.measures import shown
from fastmlp.studies.file.study import Figure, Table
from fastmlp.studies.file.study_file import published
from fastmlp.studies.page.claims import VERDICTS, Verdict, judge
from fastmlp.studies.page.figures import DPI, alternative, draw_figures
from fastmlp.studies.page.study_tables import Gap, gaps, readable, rows_of, table_frame
from fastmlp.studies.running.results import Results
from fastmlp.training.gradient_check import GradientCheck

if TYPE_CHECKING:
    from markupsafe import Markup

#: The file of the page within the folder of a study.
PAGE = "report.html"
#: What the tables, the pictures and the page of a study need beyond the command line.
_MODULES = ("matplotlib", "jinja2")
#: Pixels of a picture's width from which on it is wide, and very wide.
_WIDE, _VERY_WIDE = 700, 1000
#: Of more checks than these, some are folded away.
_MANY = 5


def check_installed() -> None:
    """Refuse to begin a study whose end needs something that is not installed.

    Raises
    ------
    ImportError
        With the command that installs it.
    """
    for module in _MODULES:
        needed(module, "fastmlp study", "pip install 'fastmlp[study]'")


def write_report(results: Results, figures: list[tuple[Figure, Path]] | None = None) -> Path:
    """Write the page of a study into its folder.

    Parameters
    ----------
    results : Results
    figures : list of (Figure, Path), optional
        What `draw_figures` returned; None draws them.

    Returns
    -------
    Path

    Raises
    ------
    ImportError
        If matplotlib or jinja2 is not installed.
    """
    jinja2 = needed("jinja2", "fastmlp.studies", "pip install 'fastmlp[study]'")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters |= {"prose": _prose, "breakable": _breakable, "numbers": _numbers}
    style = environment.get_template("report.css.jinja").render()
    page = environment.get_template("report.html.jinja").render(
        **_content(results, draw_figures(results) if figures is None else figures),
        style=_markup(style),
        style_hash=_base64(hashlib.sha256(style.encode()).digest()),
    )
    path = results.folder / PAGE
    with replacing(path) as file:
        file.write(page.encode())
    return path


def _content(results: Results, figures: list[tuple[Figure, Path]]) -> dict[str, Any]:
    """Return all that the page tells, by the names of its template."""
    study = results.study
    claims = [_Stated(claim.claim, claim.comment, _judged(claim.checks, results)) for claim in study.claims]
    return {
        "study": study,
        "quick": results.quick,
        "is_accuracy": results.is_classifier,
        "claims": claims,
        "tally": [(verdict, n) for verdict in reversed(VERDICTS) if (n := _count(claims, verdict))],
        "tables": [_ShownTable.of(table, results) for table in study.tables],
        "gradients": _gradients(results),
        "differences": list(_differences(results)),
        "has_published": any(table.published for table in study.tables),
        "pictures": [_Shown.of(figure, path, results) for figure, path in figures],
        "run": _how_it_was_run(results),
    }


@dataclass(frozen=True)
class _Stated:
    """A sentence, and the checks of it; the verdict is the worst of theirs."""

    text: str
    comment: str
    checks: list[Verdict]

    @property
    def verdict(self) -> str:
        return min((check.verdict for check in self.checks), key=VERDICTS.index)

    @property
    def is_mixed(self) -> bool:
        return len({check.verdict for check in self.checks}) > 1

    @property
    def first(self) -> list[Verdict]:
        """The checks that are seen at once: all where there are few, else the worst."""
        return [check for check in self.checks if not any(check is other for other in self.rest)]

    @property
    def rest(self) -> list[Verdict]:
        """The others, folded away."""
        if len(self.checks) <= _MANY:
            return []
        by_verdict = sorted(self.checks, key=lambda check: VERDICTS.index(check.verdict))
        return by_verdict[_MANY - 2 :]


def _judged(checks: tuple[Check, ...], results: Results) -> list[Verdict]:
    return [judge((check,), results) for check in checks]


def _count(claims: list[_Stated], verdict: str) -> int:
    return sum(claim.verdict == verdict for claim in claims)


@dataclass(frozen=True)
class _Column:
    """A measure of a table: its cells, and the published ones beside them."""

    name: str
    unit: str
    cells: list[str]
    published: list[str] | None


@dataclass(frozen=True)
class _ShownTable:
    """A table as the page has it."""

    title: str
    note: str
    says: str
    rows: list[str]
    columns: list[_Column]

    @classmethod
    def of(cls, table: Table, results: Results) -> _ShownTable:
        frame = readable(table_frame(table, results), results.is_classifier)
        columns = [
            _Column(
                "diverged runs" if name == "diverged" else name, _unit(frame[name]), _bare(frame[name]),
                _bare(frame[other]) if (other := f"{name} published") in frame else None,
            )
            for name in frame.columns[1:]
            if not name.endswith(" published")
        ]  # fmt: skip
        return cls(table.title, table.note, _seeds(table, results), list(frame["run"]), columns)

    @property
    def has_published(self) -> bool:
        return any(column.published for column in self.columns)


def _unit(cells: pd.Series) -> str:
    return "%" if cells.str.endswith(" %").any() else ""


def _bare(cells: pd.Series) -> list[str]:
    """Return cells without the unit, which their heading has."""
    return [cell.removesuffix(" %") for cell in cells]


def _seeds(table: Table, results: Results) -> str:
    """Return what the numbers of a table are, by how many seeds each row has."""
    sizes = {len(runs) for runs in rows_of(table, results).values()}
    most = max(sizes, default=1)
    if most == 1:
        return "One run each."
    if len(sizes) == 1:
        return f"Mean ± standard deviation over {most} seeds."
    return f"Mean ± standard deviation over up to {most} seeds; one run where there is no ±."


@dataclass(frozen=True)
class _Explained:
    """Figures that are not the published ones, and why, if that is known."""

    why: _Stated | None
    rows: list[tuple[str, ...]]


def _differences(results: Results) -> Iterator[_Explained]:
    """Yield the gaps by their explanation; those without one come first."""
    found: dict[int, list[Gap]] = {}
    for gap in gaps(results):
        place = -1 if gap.difference is None else results.study.differences.index(gap.difference)
        found.setdefault(place, []).append(gap)
    for place in sorted(found):
        why = found[place][0].difference
        stated = None if why is None else _Stated(why.because, "", _judged(why.checks, results))
        yield _Explained(stated, [_gap_row(gap, results.is_classifier) for gap in found[place]])


def _gap_row(gap: Gap, is_accuracy: bool) -> tuple[str, ...]:
    def cell(value: float, signed: bool = False) -> str:
        if not np.isfinite(value):
            return "–"
        return shown(gap.measure, value, is_accuracy, signed).removesuffix(" %").replace("-", "−")

    values = (cell(gap.ours), cell(gap.published), cell(gap.ours - gap.published, signed=True))
    return gap.table, gap.row, gap.measure, *values


def _gradients(results: Results) -> dict[str, Any] | None:
    """Return the gradient check with the published differences, or why there is none."""
    wanted = results.study.gradient_check
    if wanted is None:
        return None
    try:
        check: GradientCheck = results.gradient_check
        order = results.gradient_order
    except (ValueError, TypeError) as error:
        return {"failed": str(error)}
    published = [wanted.published.get(f"{row.layer} {row.name}") for row in check.rows]
    return {
        "failed": "",
        "of": wanted.of,
        "check": check,
        "order": order if np.isfinite(order) else None,
        "published": published if any(one is not None for one in published) else None,
    }


@dataclass(frozen=True)
class _Shown:
    """A picture as the page has it."""

    title: str
    caption: str
    alternative: str
    uri: str
    width: int
    height: int

    @classmethod
    def of(cls, figure: Figure, path: Path, results: Results) -> _Shown:
        content = path.read_bytes()
        width, height = (int.from_bytes(content[at : at + 4]) * 96 // DPI for at in (16, 20))
        uri = f"data:image/png;base64,{_base64(content)}"
        return cls(figure.title, figure.caption, alternative(figure, results), uri, width, height)

    @property
    def size(self) -> str:
        """How wide it is, in a word."""
        return "very-wide" if self.width > _VERY_WIDE else "wide" if self.width > _WIDE else "narrow"


def _how_it_was_run(results: Results) -> dict[str, Any]:
    """Return versions, groups, times and what diverged."""
    versions: dict[str, list[str]] = {}
    for record in results.records:
        for name, version in record.versions.items():
            versions.setdefault(name, [])
            if version not in versions[name]:
                versions[name].append(version)
    study = results.study
    groups = [(group, results.of(name)) for name, group in study.groups.items()]
    data = results.data
    return {
        "versions": versions,
        "data": Path(study.data.name).name,
        "groups": [
            (group, len(records), _duration(sum(record.seconds for record in records)))
            for group, records in groups
        ],
        "n_runs": len(results.records),
        "duration": _duration(sum(record.seconds for record in results.records)),
        "rows": [len(y) for y in (data.y_train, data.y_val, data.y_test)],
        "diverged": [record for record in results.records if record.diverged],
        "command": " ".join(
            ["fastmlp study run", study.name if study.name in published() else f"{study.name}.toml"]
            + ["--quick"] * results.quick
        ),
    }


def _duration(seconds: float) -> str:
    """Return a time as people tell it.

    Examples
    --------
    >>> _duration(3.21), _duration(75), _duration(7325)
    ('3.2 s', '1 min 15 s', '2 h 2 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _prose(text: str) -> Markup:
    """Return a text of a study file as paragraphs, with what is in backticks as code; escaped."""
    paragraphs = [_inline(one) for one in re.split(r"\n\s*\n", text.strip())]
    return _markup("").join(_markup("<p>{}</p>\n").format(one) for one in paragraphs if one)


def _breakable(name: str) -> Markup:
    """Return a name of a run that may be broken within, where it does not hurt."""
    return _markup("<wbr>").join(re.split(r"(?<=[/_=])", name))


def _numbers(finding: str) -> str:
    """Return a sentence with true minus signs, its numbers and units not torn apart."""
    return re.sub(r"(?<=\s)-(?=[\d.])", "−", finding).replace(" %", "\u00a0%").replace("± ", "±\u00a0")


def _inline(text: str) -> Markup:
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one backtick is left over
        return _markup("{}").format(text)
    return _markup("").join(
        _markup("<code>{}</code>" if i % 2 else "{}").format(part) for i, part in enumerate(parts)
    )


def _markup(text: str) -> Markup:
    return needed("markupsafe", "fastmlp.studies", "pip install 'fastmlp[study]'").Markup(text)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
