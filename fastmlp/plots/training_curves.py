"""Pictures of runs: loss and score over the epochs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fastmlp._support.checks import shown
from fastmlp.plots.canvas import figure_for, width_of
from fastmlp.plots.runs import SPREADS, curves_of, named_runs, score_name_of
from fastmlp.plots.style import COLORS, colors, quiet, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

#: The curves of each run, of the runs of each name.
_Data: TypeAlias = dict[str, list[dict[str, np.ndarray]]]

#: Of each panel: what is drawn of the training data, and what of the validation data.
_PANELS = {"loss": ("loss", "val_loss"), "score": ("score", "val_score")}

#: Between the largest and the smallest loss; from here on the axis is logarithmic.
_LOG_FROM = 50


def curves(
    runs: Any,
    *,
    labels: Iterable[str] | None = None,
    side_by_side: bool = False,
    band: str | None = "range",
    log: bool | None = None,
    score_name: str | None = None,
    figure: Figure | SubFigure | None = None,
) -> Figure:
    """Draw loss and score over the epochs, of the training and the validation data.

    Parameters
    ----------
    runs : model, history, list or mapping
        One run, a list of them, or a mapping from names to them. A run is a fitted model, a `Trainer`, a
        `History`, or a mapping or data frame with lists "loss", "val_loss", "score" and "val_score", or some
        of them; where a list of runs stands for one, such as those of several seeds, their mean is drawn, as
        far as all of them go.
    labels : list of str, optional
        The names of the runs in a list.
    side_by_side : bool, default=False
        Whether each run has axes of its own, rather than a colour.
    band : {"range", "std"} or None, default="range"
        What is shaded around a mean: from the smallest to the largest value, or a standard deviation to
        either side.
    log : bool or None, default=None
        Whether the axis of the loss is logarithmic; None where the largest is 50 times the smallest.
    score_name : str, optional
        What the scores measure; None asks the models.
    figure : matplotlib Figure or SubFigure, optional
        Where to draw; None for a new one. With ``layout="constrained"`` the legend fits beside it.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    NotFittedError
        If a model is not fitted.
    TypeError, ValueError
        If something is not a run or has no epochs, or an argument is out of range.

    Examples
    --------
    >>> import fastmlp
    >>> X, y, X_test, y_test = fastmlp.datasets.load_digits()
    >>> runs = {
    ...     f"rate {rate}": [
    ...         fastmlp.fit(X, y, X_test, y_test, learning_rate_init=rate, max_iter=5, random_state=seed)
    ...         for seed in range(3)
    ...     ]
    ...     for rate in (0.01, 0.1)
    ... }
    >>> figure = fastmlp.plots.curves(runs)
    >>> [ax.get_ylabel() for ax in figure.axes]
    ['loss', 'accuracy']
    """
    if band is not None and band not in SPREADS:
        raise ValueError(f"band={shown(band)} is not known; choose 'range', 'std' or None.")
    groups = named_runs(runs, labels)
    data = {name: [curves_of(run) for run in group] for name, group in groups.items()}
    score_name = score_name or score_name_of([run for group in groups.values() for run in group])
    there = {key for group in data.values() for one in group for key in one}
    panels = {name: keys for name, keys in _PANELS.items() if there & set(keys)}
    is_log = _is_log(log, data)
    with style():
        by_run = len(data) > 1 and not side_by_side
        hues = colors(len(data)) if by_run else []
        handles = _handles(data, there, hues, band)
        drawn_on, grid = _grid(figure, len(panels), len(data) if side_by_side else 1, handles)
        for row, (panel, keys) in zip(grid, panels.items(), strict=True):
            for i, (name, group) in enumerate(data.items()):
                for j, key in enumerate(keys):
                    _draw_curve(row[i % len(row)], group, key, name, hues[i] if by_run else COLORS[j], band)
            row[0].set_ylabel(score_name if panel == "score" else panel)
            if panel == "loss" and is_log:
                _make_log(row[0])
        for ax, name in zip(grid[0], [] if by_run else data, strict=False):
            ax.set_title(name)
    return drawn_on


def _grid(figure: Any, n_rows: int, n_columns: int, handles: list[Any]) -> tuple[Any, np.ndarray]:
    """Return the figure and its axes, over epochs, with the legend below them."""
    is_ours, height = figure is None, 0.6 + 2.9 * n_rows
    figure = figure_for(figure, max(6.4, 3.4 * n_columns), height)
    names = [handle.get_label().split("\n") for handle in handles]
    longest = max(len(line) for lines in names for line in lines)
    fitting = max(1, min(len(handles), 4, int(width_of(figure) / (0.7 + 0.1 * longest))))
    if is_ours:
        n_lines = max(map(len, names)) * -(-len(handles) // fitting)
        figure.set_figheight(height + 0.27 * n_lines)
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey="row")
    for ax in grid.flat:
        quiet(ax)
    for ax in grid[-1]:
        ax.set_xlabel("epoch")
        ax.xaxis.get_major_locator().set_params(integer=True)
    if figure.get_layout_engine():
        figure.legend(handles=handles, loc="outside lower center", ncols=fitting)
    else:  # below, it would overlap the axes
        grid[0, 0].legend(handles=handles, fontsize=9, frameon=True, edgecolor="none")
    return figure, grid


def _is_log(log: bool | None, data: _Data) -> bool:
    """Return whether the axis of the loss is to be logarithmic."""
    losses = [one[key] for group in data.values() for one in group for key in _PANELS["loss"] if key in one]
    values = np.concatenate([*losses, np.empty(0)])
    values = values[np.isfinite(values)]
    if log and not (len(values) and values.min() > 0):
        raise ValueError(f"log={shown(log)} needs losses above 0; choose False or None.")
    return bool(log or (log is None and len(values) and 0 < _LOG_FROM * values.min() <= values.max()))


def _make_log(ax: Any) -> None:
    """Make the axis of the loss logarithmic, with numbers rather than powers of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter

    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


def _draw_curve(
    ax: Any, group: list[dict[str, np.ndarray]], key: str, name: str, color: str, band: str | None
) -> None:
    """Draw a curve, or the mean of several and a band around it."""
    values = [one[key] for one in group if key in one]
    if not values:
        return
    n_epochs = min(map(len, values))
    stacked = np.array([one[:n_epochs] for one in values])
    epochs, middle = np.arange(1, n_epochs + 1), stacked.mean(axis=0)
    validation = key.startswith("val_")
    what = "validation" if validation else "training"
    ax.plot(
        epochs,
        middle,
        color=color,
        linestyle="--" if validation else "-",
        marker="o" if n_epochs == 1 else None,
        label=f"{name}, {what}" if name else what,
    )
    if band and len(values) > 1:
        if band == "std":
            deviation = stacked.std(axis=0, ddof=1)
            low, high = middle - deviation, middle + deviation
        else:
            low, high = stacked.min(axis=0), stacked.max(axis=0)
        ax.fill_between(epochs, low, high, color=color, alpha=0.2, linewidth=0)


def _handles(data: _Data, there: set[str], hues: Sequence[str], band: str | None) -> list[Any]:
    """Return what the legend explains: colours, dashes and bands."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    named = zip(data, hues, strict=False)
    handles: list[Any] = [Line2D([], [], color=hue, label=name) for name, hue in named]
    for i, (what, keys) in enumerate({"training": "loss score", "validation": "val_loss val_score"}.items()):
        if there & set(keys.split()):
            color = "#777777" if hues else COLORS[i]
            handles.append(Line2D([], [], color=color, linestyle="--" if i else "-", label=what))
    sizes = sorted({len(group) for group in data.values()})
    if band and sizes[-1] > 1:
        count = f" of {sizes[0]} runs" if len(sizes) == 1 else ""
        handles.append(Patch(color="#777777", alpha=0.3, linewidth=0, label=f"{SPREADS[band]}{count}"))
    return handles
