"""The kinds of figures, and what a study file may say of each beside its runs and texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastmlp.studies.file.measures import MEASURES
from fastmlp.studies.file.schema import OneOf, filled, within


@dataclass(frozen=True)
class FigureKind:
    """A kind of figure.

    Attributes
    ----------
    shows : str
        What there is to see, for those who cannot.
    options : dict
        By key, the type and the checks of its value, as `fastmlp.studies.file.schema.checked` takes them.
    needs_runs : bool
    """

    shows: str
    options: Mapping[str, Any] = field(default_factory=dict)
    needs_runs: bool = True


def _sizes(value: Any) -> str:
    is_list = isinstance(value, list) and len(value) in (2, 3)
    is_right = is_list and all(type(one) is int and one > 0 for one in value)
    return "" if is_right else f"must be height and width, and perhaps channels, not {value!r}."


def _epochs(value: Any) -> str:
    is_right = isinstance(value, list) and value and all(type(one) is int and one >= 0 for one in value)
    return "" if is_right else f"must be a list of epochs, 0 for the start, not {value!r}."


def _one_of(*names: str) -> Any:
    return Annotated[str, OneOf(names)]


_PART = {"part": _one_of("train", "validation", "test")}
_CLASSES = {"class_names": Annotated[tuple[str, ...], filled]}
_IMAGES = {"image_shape": Annotated[Any, _sizes]}
_MEASURE = {"measure": _one_of(*MEASURES)}

#: The kinds, by name.
FIGURE_KINDS: dict[str, FigureKind] = {
    "curves": FigureKind(
        "Curves over the epochs",
        {
            "measure": _one_of("loss", "score"), "part": _one_of("train", "validation"),
            "epochs": Annotated[int, within(1)], "side_by_side": bool, "band": _one_of("range", "std"),
            "log": bool,
        },
    ),
    "comparison": FigureKind(
        "Points with error bars beside each other",
        {**_MEASURE, "style": _one_of("dots", "bars"), "error": _one_of("std", "range")},
    ),
    "misclassified": FigureKind(
        "Images that the model takes for something else, with true and predicted label",
        {
            **_PART, **_CLASSES, **_IMAGES, "n": Annotated[int, within(1)],
            "order": _one_of("first", "confident"),
        },
    ),
    "first_layer": FigureKind(
        "The first layer's weights as colour images", {**_IMAGES, "epochs": Annotated[Any, _epochs]}
    ),
    "confusion_matrix": FigureKind(
        "A table in shades of blue: how often each class is taken for each",
        {**_PART, **_CLASSES, "normalize": _one_of("true", "pred", "all")},
    ),
    "heat_map": FigureKind(
        "A table in colours over two parameters, the best framed", {**_MEASURE, "x": str, "y": str}
    ),
    "decision_boundary": FigureKind(
        "What the model predicts over the plane of the two features, and the samples on it",
        {**_PART, **_CLASSES, "resolution": Annotated[int, within(2)]},
    ),
    "gradient_check": FigureKind(
        "The differences of backpropagation from central differences, for each epsilon", needs_runs=False
    ),
}  # fmt: skip
