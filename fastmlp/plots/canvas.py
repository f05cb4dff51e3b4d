"""What pictures are drawn on: the caller's figure or axes, or new ones."""

from __future__ import annotations

from typing import Any

from fastmlp._support.checks import shown


def figure_for(figure: Any, width: float, height: float) -> Any:
    """Return the caller's figure, or a new one of this size in inches."""
    from matplotlib.figure import FigureBase

    from fastmlp.plots.picture import Picture  # which imports matplotlib

    if figure is None:
        return Picture(figsize=(width, height), layout="constrained")
    if not isinstance(figure, FigureBase):
        raise TypeError(f"figure={shown(figure)} must be a matplotlib Figure or SubFigure, or None.")
    return figure


def axes_for(ax: Any, width: float, height: float) -> Any:
    """Return the caller's axes, or those of a new figure of this size in inches."""
    from matplotlib.axes import Axes

    if ax is None:
        return figure_for(None, width, height).subplots()
    if not isinstance(ax, Axes):
        raise TypeError(f"ax={shown(ax)} must be matplotlib Axes or None.")
    return ax


def width_of(figure: Any) -> float:
    """Return the width of a figure or a part of one in inches."""
    return figure.bbox.width / figure.dpi
