"""The pictures of a study: kinds, what each may be told, and the files."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastmlp._support.files import replacing
from fastmlp.plots.canvas import figure_for
from fastmlp.plots.style import say, style
from fastmlp.studies.file.measures import MEASURES
from fastmlp.studies.file.study import Figure
from fastmlp.studies.page import drawing
from fastmlp.studies.running.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

#: Pixels an inch of the files.
DPI = 150

_Check = Callable[[Any], None]


def _one_of(*choices: str) -> _Check:
    def check(value: Any) -> None:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}, not {value!r}.")

    return check


def _whole(at_least: int) -> _Check:
    def check(value: Any) -> None:
        if type(value) is not int or value < at_least:
            raise ValueError(f"must be a whole number from {at_least} on, not {value!r}.")

    return check


def _true_or_false(value: Any) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {value!r}.")


def _text(value: Any) -> None:
    if not isinstance(value, str):
        raise ValueError(f"must be a text, not {value!r}.")


def _texts(value: Any) -> None:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise ValueError(f"must be a list of texts, not {value!r}.")


def _sizes(value: Any) -> None:
    is_list = isinstance(value, list) and len(value) in (2, 3)
    if not is_list or not all(type(one) is int and one > 0 for one in value):
        raise ValueError(f"must be height and width, and perhaps channels, not {value!r}.")


def _list_of_epochs(value: Any) -> None:
    if not isinstance(value, list) or not all(type(one) is int and one >= 0 for one in value) or not value:
        raise ValueError(f"must be a list of epochs, 0 for the start, not {value!r}.")


@dataclass(frozen=True)
class Kind:
    """A kind of picture.

    Attributes
    ----------
    draw : callable
        From a study's figure and the results to matplotlib's figure; what cannot be drawn is a ValueError.
    shows : str
        What there is to see, for those who cannot.
    options : dict
        By name, what refuses a value with ValueError.
    needs_runs : bool
    """

    draw: Callable[[Figure, Results], Picture]
    shows: str
    options: Mapping[str, _Check] = field(default_factory=dict)
    needs_runs: bool = True


_PART = {"part": _one_of("train", "validation", "test")}
_CLASSES = {"class_names": _texts}
_IMAGES = {"image_shape": _sizes}

#: The kinds, by name.
KINDS: dict[str, Kind] = {
    "curves": Kind(
        drawing.curves,
        "Curves over the epochs",
        {
            "measure": _one_of("loss", "score"), "part": _one_of("train", "validation"), "epochs": _whole(1),
            "side_by_side": _true_or_false, "band": _one_of("range", "std"), "log": _true_or_false,
        },
    ),
    "comparison": Kind(
        drawing.comparison,
        "Points with error bars beside each other",
        {"measure": _one_of(*MEASURES), "style": _one_of("dots", "bars"), "error": _one_of("std", "range")},
    ),
    "misclassified": Kind(
        drawing.misclassified,
        "Images that the model takes for something else, with true and predicted label",
        {**_PART, **_CLASSES, **_IMAGES, "n": _whole(1), "order": _one_of("first", "confident")},
    ),
    "first_layer": Kind(
        drawing.first_layer,
        "The first layer's weights as colour images",
        {**_IMAGES, "epochs": _list_of_epochs},
    ),
    "confusion_matrix": Kind(
        drawing.confusion_matrix,
        "A table in shades of blue: how often each class is taken for each",
        {**_PART, **_CLASSES, "normalize": _one_of("true", "pred", "all")},
    ),
    "heat_map": Kind(
        drawing.heat_map,
        "A table in colours over two parameters, the best framed",
        {"measure": _one_of(*MEASURES), "x": _text, "y": _text},
    ),
    "decision_boundary": Kind(
        drawing.decision_boundary,
        "What the model predicts over the plane of the two features, and the samples on it",
        {**_PART, **_CLASSES, "resolution": _whole(2)},
    ),
    "gradient_check": Kind(
        drawing.gradient_check,
        "The differences of backpropagation from central differences, for each epsilon",
        {},
        needs_runs=False,
    ),
}  # fmt: skip


def drawn(figure: Figure, results: Results) -> Picture:
    """Draw one picture; of what cannot be drawn, a sentence that says why."""
    try:
        return KINDS[figure.kind].draw(figure, results)
    except (ValueError, TypeError) as error:
        with style():
            picture = figure_for(None, 6.4, 1.8)
            say(picture.subplots(), textwrap.fill(f"Not drawn: {error}"[:400], 62))
        return picture


def alternative(figure: Figure, results: Results) -> str:
    """Return what stands for a picture where it is not seen."""
    names = list(drawing.names_of(figure, results))
    of = f", of {', '.join(names[:8])}{' and others' * (len(names) > 8)}" if names else ""
    return f"{figure.title}. {KINDS[figure.kind].shows}{of}."


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
