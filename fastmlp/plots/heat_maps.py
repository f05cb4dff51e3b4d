"""A picture of the scores of a grid search over two parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp._support.checks import kind_of, listed, shown
from fastmlp.plots.canvas import axes_for
from fastmlp.plots.style import COLORS, INK, ink_on, quiet, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COMBINED: dict[str, Callable[[Any], Any]] = {"mean": np.mean, "max": np.max, "min": np.min}


def heat_map(
    results: Any,
    rows: str,
    columns: str,
    score: str = "mean_test_score",
    *,
    combine: str = "mean",
    greater_is_better: bool = True,
    score_name: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw the scores of a grid search over two parameters, with the best one framed.

    Parameters
    ----------
    results : mapping, list of dict or data frame
        ``cv_results_`` of scikit-learn's searches, or a fitted search itself; or a dictionary, or a row of a
        data frame, for each combination.
    rows, columns : str
        The parameters down and across, as ``results`` name them; "param_" may be left out.
    score : str, default="mean_test_score"
    combine : {"mean", "max", "min"}, default="mean"
        What is drawn where several results share a cell, as seeds and other parameters make them do. A score
        that is not finite is the worst of its cell.
    greater_is_better : bool, default=True
    score_name : str, optional
        What the score measures; None for ``score`` itself.
    ax : matplotlib Axes, optional
        Where to draw; None for a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Numbers ascend from left to right and downwards, other values keep their order; cells without a
        finite score have a dash.

    Raises
    ------
    TypeError, ValueError
        If the results are not one of these, have no such columns, or no finite score.

    Examples
    --------
    >>> import fastmlp
    >>> from sklearn.model_selection import GridSearchCV
    >>> X, y, *_ = fastmlp.datasets.load_digits()
    >>> grid = {"hidden_layer_sizes": [(16,), (32,)], "learning_rate_init": [0.003, 0.03]}
    >>> model = fastmlp.MLPClassifier(learning_rate="one_cycle", max_iter=5, prepare="image", random_state=0)
    >>> search = GridSearchCV(model, grid, cv=2).fit(X[:500], y[:500])
    >>> figure = fastmlp.plots.heat_map(search.cv_results_, "hidden_layer_sizes", "learning_rate_init")
    >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
    ['0.003', '0.03']
    """
    if combine not in _COMBINED:
        raise ValueError(f"combine={shown(combine)} is not known; choose 'mean', 'max' or 'min'.")
    records = _records(results, {"rows": rows, "columns": columns, "score": score})
    cells: dict[tuple[Any, Any], list[float]] = {}
    for record in records:
        value = _number(score, record["score"])
        cells.setdefault((record["rows"], record["columns"]), []).append(value)
    if not np.isfinite([value for values in cells.values() for value in values]).any():
        raise ValueError(f"results have no finite {shown(score)}.")
    down, across = (_in_order([record[side] for record in records]) for side in ("rows", "columns"))
    table = np.full((len(down), len(across)), np.nan)
    # What is not finite is the worst of its cell, and neither a mean nor the worst can leave it out.
    takes_best = combine == ("max" if greater_is_better else "min")
    for (row, column), values in cells.items():
        finite = [value for value in values if np.isfinite(value)]
        if len(finite) == len(values) or (finite and takes_best):
            table[down.index(row), across.index(column)] = _COMBINED[combine](finite)
    if not np.isfinite(table).any():
        raise ValueError(f"results have a {score!r} that is not finite in every cell; try combine='max'.")
    combined = "" if max(map(len, cells.values())) == 1 else f"{combine} of several "
    with style():
        axes = axes_for(ax, max(4.8, 2.4 + 0.95 * len(across)), 1.7 + 0.6 * len(down))
        _draw_cells(axes, table, greater_is_better)
        ticks = list(map(_text, across))
        is_long = max(map(len, ticks)) > 9
        axes.set_xticks(
            range(len(across)), ticks, rotation=30 if is_long else 0, ha="right" if is_long else "center"
        )
        axes.set_yticks(range(len(down)), list(map(_text, down)))
        axes.set(xlabel=columns.removeprefix("param_"), ylabel=rows.removeprefix("param_"))
        axes.set_title(combined + (score_name or score.replace("_", " ")))
    return axes.get_figure()


def _records(results: Any, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a dictionary for each result, with what stands for rows, columns and score."""
    results = getattr(results, "cv_results_", results)
    is_table = not isinstance(results, type) and (hasattr(results, "keys") or hasattr(results, "columns"))
    if is_table and all(np.ndim(results[key]) > 0 for key in getattr(results, "columns", results)):
        table = {key: list(results[key]) for key in getattr(results, "columns", results)}
    elif isinstance(results, list | tuple) and all(isinstance(one, Mapping) for one in results):
        keys = dict.fromkeys(key for one in results for key in one)
        table = {key: [one.get(key, np.ma.masked) for one in results] for key in keys}
    else:
        raise TypeError(
            f"results are {kind_of(results)}; they must be cv_results_, a list of dictionaries or a "
            "data frame."
        )
    found = {}
    for argument, name in names.items():
        key = next((key for key in (name, f"param_{name}") if key in table), None)
        if key is None:
            raise ValueError(
                f"{argument}={shown(name)} is not in the results, which have {listed(table) or 'nothing'}."
            )
        found[argument] = [_hashable(value) for value in table[key]]
    return [
        dict(zip(found, values, strict=True))
        for values in zip(*found.values(), strict=True)
        if not any(value is np.ma.masked for value in values)  # of another part of the grid
    ]


def _number(name: str, value: Any) -> float:
    """Return a score; what is not there is not a number."""
    try:
        return np.nan if value is None else float(value)
    except (TypeError, ValueError):
        raise TypeError(f"results have {name}={shown(value)}; scores must be numbers.") from None


def _hashable(value: Any) -> Any:
    """Return a value that can be a key: lists as tuples, all that cannot as its text."""
    if value is np.ma.masked:
        return value
    value = tuple(value) if isinstance(value, list | np.ndarray) else value
    try:
        hash(value)
    except TypeError:
        return str(value)
    return value


def _in_order(values: list[Any]) -> list[Any]:
    """Return the different values, ascending if they have an order."""
    different = list(dict.fromkeys(values))
    numeric = all(isinstance(value, int | float | np.number) for value in different)
    tuples = all(isinstance(value, tuple) for value in different)
    try:
        return sorted(different) if numeric or tuples else different
    except TypeError:  # tuples of this and that
        return different


def _text(value: Any) -> str:
    """Return how a parameter is written: hidden layers of (64, 32) as 64, 32."""
    if isinstance(value, tuple):
        return ", ".join(map(_text, value)) or "none"
    is_number = isinstance(value, float | np.floating)
    return f"{value:g}" if is_number else str(value)


def _format_for(table: np.ndarray) -> str:
    """Return the format that gives all numbers as many decimals as the largest needs for four digits."""
    largest = np.nanmax(np.abs(table))
    decimals = 3 - int(np.floor(np.log10(largest))) if largest else 0
    return "{:.3g}" if decimals > 6 else f"{{:.{max(decimals, 0)}f}}"


def _draw_cells(ax: Any, table: np.ndarray, greater_is_better: bool) -> None:
    """Draw the cells with their numbers, and a frame around the best."""
    from matplotlib.patches import Rectangle

    image = ax.imshow(table, cmap="viridis" if greater_is_better else "viridis_r", aspect="auto")
    best = np.unravel_index((np.nanargmax if greater_is_better else np.nanargmin)(table), table.shape)
    written = _format_for(table)
    for (i, j), value in np.ndenumerate(table):
        there = np.isfinite(value)
        ax.text(
            j,
            i,
            written.format(value) if there else "–",
            ha="center",
            va="center",
            color=ink_on(image.cmap(image.norm(value))) if there else INK,
            weight="bold" if (i, j) == best else "normal",
        )
    ax.add_patch(
        Rectangle(
            (best[1] - 0.5, best[0] - 0.5),
            width=1,
            height=1,
            fill=False,
            edgecolor=COLORS[1],
            clip_on=False,
            linewidth=4,
            zorder=3,
        )
    )
    ax.spines[:].set_visible(False)
    quiet(ax, None)
    ax.tick_params(length=0)
