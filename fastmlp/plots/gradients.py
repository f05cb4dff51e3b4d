"""A picture of how the error of numerical differences falls with their step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastmlp._support.checks import kind_of
from fastmlp.plots.style import COLORS, axes_for, quiet, style
from fastmlp.training.gradient_check import GradientCheck

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def gradient_check_errors(check, *, ax=None) -> Figure:
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

        ax = axes_for(ax, 6.4, 4.4)
        ax.set(xscale="log", yscale="log", xlabel="ε", ylabel="numerical less analytic, without sign")
        for i, row in enumerate(sizes):
            name = None if i else f"each of {len(sizes)} parameters"
            ax.plot(epsilons, row, color="#888888", alpha=0.6, linewidth=1, label=name)
        ax.plot(epsilons, largest, "o-", color=COLORS[0], label="largest")
        squares = largest[last] * (epsilons / epsilons[last]) ** 2
        ax.plot(epsilons, squares, "--", color=COLORS[1], label="as ε²")
        for axis in (ax.xaxis, ax.yaxis):  # the style does not parse powers of ten
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
        quiet(ax)
        ax.legend(loc="lower right")
    return ax.get_figure()
