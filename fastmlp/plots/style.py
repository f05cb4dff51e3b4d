"""The common look of the pictures: one quiet style, and its colours.

Pictures have a white ground of their own, so that they read on white and dark pages alike, and letters that
a phone still shows. The colours are those of Okabe and Ito, which colour-blind people can tell apart, less
the yellow, which nobody sees on white.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastmlp._support.optional import needed

#: Ink for words, and for lines that should not be noticed.
INK, FAINT = "#222222", "#d9d9d9"

#: For what is told apart by colour, in this order.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555")

#: More of them, of Tol's muted scheme, where there are many.
_MORE = ("#332288", "#882255", "#999933")

_SETTINGS = {
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": "#888888",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 13,
    "axes.labelsize": 13,
    "axes.axisbelow": True,
    "figure.titlesize": 14,
    "figure.constrained_layout.h_pad": 0.09,
    "figure.constrained_layout.w_pad": 0.09,
    "font.size": 12,
    "legend.fontsize": 12,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "text.color": INK,
    "text.parse_math": False,  # a class may be called "$"
    "svg.hashsalt": "fastmlp",  # the same picture gives the same file
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the style of fastmlp's pictures, within a ``with`` block.

    What ``matplotlib.rcParams`` said before holds again after it; until then it is for the whole process, so
    that pictures should be drawn by one thread at a time. Every function of `fastmlp.plots` draws within one;
    it is for pictures of your own beside theirs.

    Raises
    ------
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from fastmlp.plots import style
    >>> from matplotlib.figure import Figure
    >>> with style():
    ...     axes = Figure().subplots()
    >>> axes.spines["top"].get_visible()
    False
    """
    needed("matplotlib", "fastmlp.plots", "pip install 'fastmlp[plot]'")
    from matplotlib.style import context

    with context(["default", _SETTINGS]):
        yield


def colors(n: int) -> list[Any]:
    """Return n colours that can be told apart; beyond the named ones, from dark to light."""
    if n <= len(COLORS + _MORE):
        return list((COLORS + _MORE)[:n])
    from matplotlib import colormaps

    return [colormaps["viridis"](0.9 * i / (n - 1)) for i in range(n)]


def quiet(ax: Any, grid: str | None = "both") -> None:
    """Give the axes a faint grid, and marks and numbers that stay in style.

    Marks that are made later, as a picture is drawn, go by what is said here and not by the settings of then.
    """
    ax.tick_params(which="both", color="#888888", labelcolor=INK, labelsize=12, length=3)
    if grid:
        ax.grid(axis=grid, color=FAINT, linewidth=0.8)


def ink_on(color: Any) -> str:
    """Return the ink, dark or white, that reads on a ground of this colour."""
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in color[:3]
    )
    return "white" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.25 else INK


def say(ax: Any, sentence: str) -> None:
    """Write a sentence where there is nothing to draw."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, sentence, ha="center", va="center", wrap=True, transform=ax.transAxes)
