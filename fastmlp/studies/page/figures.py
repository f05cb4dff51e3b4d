"""The pictures of a study, and their files."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastmlp._support.files import replacing
from fastmlp.plots.canvas import figure_for
from fastmlp.plots.style import say, style
from fastmlp.studies.file.figure_kinds import FIGURE_KINDS
from fastmlp.studies.file.study import Figure
from fastmlp.studies.page import drawing
from fastmlp.studies.running.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

#: Pixels an inch of the files.
DPI = 150

#: What draws each kind: from a study's figure and the results to matplotlib's figure. What cannot be drawn is
#: a ValueError.
_DRAWN_BY: dict[str, Callable[[Figure, Results], Picture]] = {
    "curves": drawing.curves,
    "comparison": drawing.comparison,
    "misclassified": drawing.misclassified,
    "first_layer": drawing.first_layer,
    "confusion_matrix": drawing.confusion_matrix,
    "heat_map": drawing.heat_map,
    "decision_boundary": drawing.decision_boundary,
    "gradient_check": drawing.gradient_check,
}


def drawn(figure: Figure, results: Results) -> Picture:
    """Draw one picture; of what cannot be drawn, a sentence that says why."""
    try:
        return _DRAWN_BY[figure.kind](figure, results)
    except (ValueError, TypeError) as error:
        with style():
            picture = figure_for(None, 6.4, 1.8)
            say(picture.subplots(), textwrap.fill(f"Not drawn: {error}"[:400], 62))
        return picture


def alternative(figure: Figure, results: Results) -> str:
    """Return what stands for a picture where it is not seen."""
    names = list(drawing.names_of(figure, results))
    of = f", of {', '.join(names[:8])}{' and others' * (len(names) > 8)}" if names else ""
    return f"{figure.title}. {FIGURE_KINDS[figure.kind].shows}{of}."


def draw_figures(results: Results) -> list[tuple[Figure, Path]]:
    """Draw every picture as PNG and SVG into the folder ``figures`` of the study's.

    Returns
    -------
    list of (Figure, Path)
        The picture and its PNG file.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    folder, written = results.folder / "figures", []
    folder.mkdir(parents=True, exist_ok=True)
    for i, figure in enumerate(results.study.figures, 1):
        picture = drawn(figure, results)
        stem = f"{i}-{figure.kind}-{_slug(figure.title)}".rstrip("-")
        for ending, options in _FORMATS.items():
            with replacing(folder / f"{stem}.{ending}") as file:
                picture.savefig(file, format=ending, **options)
        written.append((figure, folder / f"{stem}.png"))
    return written


#: The same picture gives the same file.
_FORMATS: dict[str, dict[str, Any]] = {"png": {"dpi": DPI}, "svg": {"metadata": {"Date": None}}}


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40].rstrip("-")
