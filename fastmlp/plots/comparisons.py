"""Pictures of final scores: those of several runs beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fastmlp._support.checks import kind_of, listed, shown
from fastmlp.plots.canvas import axes_for
from fastmlp.plots.runs import SPREADS
from fastmlp.plots.style import COLORS, INK, quiet, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def comparison(
    scores: Mapping[str, ArrayLike],
    *,
    kind: str = "dots",
    error: str | None = "std",
    references: Mapping[str, float] | None = None,
    reference_label: str = "published",
    score_name: str = "score",
    ax: Axes | None = None,
) -> Figure:
    """Draw the scores of several named runs beside each other, with error bars.

    Parameters
    ----------
    scores : mapping from str to float or list of float
        A score, or the scores of several seeds, whose mean is marked.
    kind : {"dots", "bars"}, default="dots"
        Dots show small differences, as their axis begins where the scores do; bars begin at 0.
    error : {"std", "range"} or None, default="std"
        The error bars: a standard deviation to either side of the mean, or from the smallest to the largest.
        Names with one score have none.
    references : mapping from str to float, optional
        Scores to compare with, such as published ones, of all or some of the names.
    reference_label : str, default="published"
        What they are.
    score_name : str, default="score"
        What the scores measure, with their unit.
    ax : matplotlib Axes, optional
        Where to draw; None for a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError, ValueError
        If the scores are no numbers, a reference has no score beside it, or an argument is out of range.

    Examples
    --------
    >>> from fastmlp import plots
    >>> scores = {"SGD": [0.952, 0.956, 0.949], "Adam": [0.969, 0.972, 0.966], "no training": 0.103}
    >>> figure = plots.comparison(scores, kind="bars", score_name="test accuracy")
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['SGD', 'Adam', 'no training']
    """
    if kind not in ("dots", "bars"):
        raise ValueError(f"kind={shown(kind)} is not known; choose 'dots' or 'bars'.")
    if error is not None and error not in SPREADS:
        raise ValueError(f"error={shown(error)} is not known; choose 'std', 'range' or None.")
    values = _numbers("scores", scores)
    others = _numbers("references", {} if references is None else references)
    if unknown := [name for name in others if name not in values]:
        raise ValueError(f"references has {shown(unknown[0])}; it must be one of {listed(values)}.")
    with style():
        axes = axes_for(ax, 6.4, 1.5 + 0.5 * len(values))
        for y, one in enumerate(values.values()):
            _draw_score(axes, y, one, kind, error)
        if others:
            places = [list(values).index(name) for name in others]
            axes.plot(
                [one.mean() for one in others.values()],
                places,
                "D",
                markerfacecolor="white",
                markeredgecolor=COLORS[1],
                markeredgewidth=2,
                markersize=8,
                zorder=4,
                label=reference_label,
            )
        several = [len(one) for one in values.values() if len(one) > 1]
        if others or (several and error):
            _explain(axes, kind, error if several else None, bool(others))
        axes.set_yticks(range(len(values)), list(values))
        axes.set_ylim(len(values) - 0.5, -0.5)
        axes.set_xlabel(score_name)
        quiet(axes, "x")
        axes.tick_params(axis="y", length=0)
    return axes.get_figure()


def _numbers(argument: str, scores: Any) -> dict[str, np.ndarray]:
    """Return the scores of each name as an array."""
    if not isinstance(scores, Mapping):
        raise TypeError(f"{argument} is {kind_of(scores)}; it must map names to scores.")
    if argument == "scores" and not scores:
        raise ValueError("scores are empty; pass one or more names with their scores.")
    numbers = {}
    for name, value in scores.items():
        try:
            one = np.atleast_1d(np.asarray(value, dtype=np.float64))
        except (TypeError, ValueError):
            raise TypeError(
                f"{argument}[{shown(name)}]={shown(value)} must be a number or a list of numbers."
            ) from None
        if one.ndim > 1 or not len(one) or not np.isfinite(one).all():
            raise ValueError(f"{argument}[{shown(name)}]={shown(value)} must be one or more finite numbers.")
        numbers[str(name)] = one
    return numbers


def _draw_score(ax: Any, y: int, values: np.ndarray, kind: str, error: str | None) -> None:
    """Draw the mean of a name's scores, its error bar and the scores themselves."""
    mean, spread = values.mean(), None
    if error and len(values) > 1:
        deviation = values.std(ddof=1)
        sides = (deviation, deviation) if error == "std" else (mean - values.min(), values.max() - mean)
        spread = np.array(sides)[:, None]
    if kind == "bars":
        ax.barh(y, mean, height=0.62, color=COLORS[0], alpha=0.75)
        ax.errorbar([mean], [y], xerr=spread, fmt="none", ecolor=INK, elinewidth=1.6, capsize=4)
        return
    if len(values) > 1:
        ax.plot(
            values, np.full(len(values), y), "o", color=COLORS[0], alpha=0.35, markersize=5, linestyle="none"
        )
    ax.errorbar(
        [mean], [y], xerr=spread, fmt="o", color=COLORS[0], markersize=9, elinewidth=2, capsize=0, zorder=3
    )


def _explain(ax: Any, kind: str, error: str | None, has_references: bool) -> None:
    """Say above the axes what the marks are."""
    from matplotlib.lines import Line2D

    name = {"std": "mean ± standard deviation", "range": "mean, min to max", None: "score"}[error]
    color, marker = (INK, "") if kind == "bars" else (COLORS[0], "o")
    handles = [Line2D([], [], color=color, marker=marker, markersize=8, label=name)]
    if has_references:
        handles += [line for line in ax.get_lines() if line.get_marker() == "D"]
    ax.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)
