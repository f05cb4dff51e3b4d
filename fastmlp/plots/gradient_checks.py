"""Pictures of a check of gradients: its table, and how the error of the differences falls with their step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp._support.checks import kind_of
from fastmlp.plots.canvas import axes_for
from fastmlp.plots.style import COLORS, FAINT, INK, quiet, style
from fastmlp.training.gradient_check import GradientCheck

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: The ground of what is pointed out.
_MARKED = "#FBE3D1"


def gradient_check_errors(check: GradientCheck, *, ax: Axes | None = None) -> Figure:
    """Draw the differences of a `fastmlp.gradient_check` over epsilon, both axes logarithmic.

    Parameters
    ----------
    check : GradientCheck
        With two or more epsilons.
    ax : matplotlib Axes, optional
        Where to draw; None for a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        A faint line for each parameter, a strong one for the largest difference, and a dashed one of epsilon
        squared, along which they fall where backpropagation is right. Differences of zero are left out.

    Raises
    ------
    TypeError, ValueError
        If it is no such check, has one epsilon only, or no difference that can be drawn.

    Examples
    --------
    >>> import fastmlp
    >>> from fastmlp.layers import Dense
    >>> X, y, *_ = fastmlp.datasets.load_digits()
    >>> network = fastmlp.Network([Dense(8, "tanh"), Dense(10, "softmax")], 64, random_state=0)
    >>> figure = fastmlp.plots.gradient_check_errors(fastmlp.gradient_check(network, X[:10] / 16, y[:10]))
    >>> figure.axes[0].get_xscale(), figure.axes[0].get_yscale()
    ('log', 'log')
    """
    if not isinstance(check, GradientCheck):
        raise TypeError(f"check is {kind_of(check)}; it must be what fastmlp.gradient_check returns.")
    order = np.argsort(check.epsilons)
    epsilons = np.array(check.epsilons)[order]
    if len(epsilons) < 2:
        raise ValueError(f"check has epsilons={check.epsilons}; a line needs two or more.")
    sizes = np.abs([row.differences for row in check.rows])[:, order]
    sizes[~(np.isfinite(sizes) & (sizes > 0))] = np.nan  # a logarithm has no place for these
    there = np.isfinite(sizes).any(axis=0)
    if not there.any():
        raise ValueError("check has no difference that is finite and not 0.")
    largest = np.full(len(epsilons), np.nan)
    largest[there] = np.nanmax(sizes[:, there], axis=0)
    last = np.flatnonzero(there)[-1]
    with style():
        from matplotlib.ticker import NullFormatter

        axes = axes_for(ax, 6.4, 4.4)
        axes.set(xscale="log", yscale="log", xlabel="ε", ylabel="numerical less analytic, without sign")
        for i, row in enumerate(sizes):
            name = None if i else f"each of {len(sizes)} parameters"
            axes.plot(epsilons, row, color="#888888", alpha=0.6, linewidth=1, label=name)
        axes.plot(epsilons, largest, "o-", color=COLORS[0], label="largest")
        squares = largest[last] * (epsilons / epsilons[last]) ** 2
        axes.plot(epsilons, squares, "--", color=COLORS[1], label="as ε²")
        for axis in (axes.xaxis, axes.yaxis):  # the style does not parse powers of ten
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
        quiet(axes)
        axes.legend(loc="lower right")
    return axes.get_figure()


def gradient_check_table(check: GradientCheck, *, ax: Axes | None = None) -> Figure:
    """Draw the table of a `fastmlp.gradient_check`, the largest difference of each epsilon marked.

    Parameters
    ----------
    check : GradientCheck
    ax : matplotlib Axes, optional
        Where to draw; None for a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError
        If it is no such check.

    Examples
    --------
    >>> import fastmlp
    >>> from fastmlp.layers import Dense
    >>> X, y, *_ = fastmlp.datasets.load_digits()
    >>> network = fastmlp.Network([Dense(8, "tanh"), Dense(10, "softmax")], 64, random_state=0)
    >>> figure = fastmlp.plots.gradient_check_table(fastmlp.gradient_check(network, X[:10] / 16, y[:10]))
    >>> figure.axes[0].texts[0].get_text()
    'layer'
    """
    if not isinstance(check, GradientCheck):
        raise TypeError(f"check is {kind_of(check)}; it must be what fastmlp.gradient_check returns.")
    heads = ["layer", "parameter", "analytic", f"numerical\nε = {check.epsilons[-1]:g}"]
    heads += [f"difference\nε = {epsilon:g}" for epsilon in check.epsilons]
    lines = [
        [str(row.layer), row.name, f"{row.analytic:.6f}", f"{row.numerical[-1]:.6f}"]
        + [f"{difference:.1e}" for difference in row.differences]
        for row in check.rows
    ]
    largest = np.abs([row.differences for row in check.rows]).argmax(axis=0).tolist()
    # A column is as wide as what it holds, in parts of them all.
    widths = np.array([
        2 + max(len(part) for cell in column for part in cell.split("\n"))
        for column in zip(heads, *lines, strict=True)
    ])  # fmt: skip
    edges = np.concatenate([[0], np.cumsum(widths)])
    with style():
        axes = axes_for(ax, 0.115 * edges[-1], 0.3 * (len(lines) + 3))
        axes.set(xlim=(0, edges[-1]), ylim=(len(lines) + 0.2, -2.2))
        axes.set_axis_off()
        for j, head in enumerate(heads):
            _write(axes, edges, j, -1, head, color="#555555")
        axes.plot(edges[[0, -1]], [-0.05, -0.05], color=INK, linewidth=1)
        for i, line in enumerate(lines):
            if i and check.rows[i].layer != check.rows[i - 1].layer:
                axes.plot(edges[[0, -1]], [i, i], color=FAINT, linewidth=1)
            for j, cell in enumerate(line):
                marked = j >= 4 and largest[j - 4] == i
                _write(axes, edges, j, i + 0.5, cell, marked=marked)
    return axes.get_figure()


def _write(
    ax: Any, edges: np.ndarray, column: int, y: float, text: str, *, marked: bool = False, color: str = INK
) -> None:
    """Write a cell: the parameter's name to the left, all else to the right."""
    from matplotlib.patches import Rectangle

    left = column == 1
    x = edges[column] + 1 if left else edges[column + 1] - 0.8
    ax.text(
        x,
        y,
        text,
        ha="left" if left else "right",
        va="center",
        color=color,
        family="DejaVu Sans Mono" if y >= 0 else None,
        fontsize=11,
        weight="bold" if marked else "normal",
    )
    if marked:
        width = edges[column + 1] - edges[column]
        ax.add_patch(Rectangle((edges[column], y - 0.45), width, 0.9, color=_MARKED, linewidth=0, zorder=0))
