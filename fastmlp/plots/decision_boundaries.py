"""A picture of the boundaries that a model draws between classes of two features."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import check_array
from sklearn.utils.validation import check_consistent_length

from fastmlp._support.checks import number, shown
from fastmlp._support.dates import refuse_columns
from fastmlp.plots.canvas import axes_for
from fastmlp.plots.models import check_model, labels_of, names_of
from fastmlp.plots.style import INK, colors, quiet, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = "os^DvPX"

#: How much of a class's colour its region keeps, where the model is sure of it.
_STRENGTH = 0.45


def decision_boundary(
    model: Any,
    X: Any,
    y: Any,
    *,
    class_names: Iterable[str] | None = None,
    feature_names: Iterable[str] | None = None,
    resolution: int = 200,
    ax: Axes | None = None,
) -> Figure:
    """Draw what a model of two features predicts over the plane, and the samples on it.

    A classifier's regions have the colours of their classes, the paler the less sure it is, and lines between
    them; a regressor's predictions and the targets share one scale of colours.

    Parameters
    ----------
    model : MLPClassifier or MLPRegressor
        Fitted to two features; any classifier or regressor of scikit-learn will do.
    X : array-like of shape (n_samples, 2)
    y : array-like of shape (n_samples,)
    class_names : list of str, optional
        In the order of ``model.classes_``; None for these themselves.
    feature_names : list of two str, optional
        None for the columns of a data frame, or "feature 0" and "feature 1".
    resolution : int, default=200
        The points across and up at which the model predicts.
    ax : matplotlib Axes, optional
        Where to draw; None for a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError
        If it is not an estimator.
    ValueError
        If there are more or fewer features than two, or y does not go with the model.

    Examples
    --------
    >>> import fastmlp
    >>> from sklearn.datasets import make_moons
    >>> X, y = make_moons(200, noise=0.2, random_state=0)
    >>> model = fastmlp.fit(X, y, random_state=0)
    >>> figure = fastmlp.plots.decision_boundary(model, X, y)
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['0', '1']
    """
    check_model(model)
    number("resolution", resolution, at_least=2, whole=True)
    points, names = _plane(X, feature_names)
    y = labels_of(model, X, y)[0] if is_classifier(model) else np.asarray(y, dtype=np.float64)
    if y.ndim != 1:
        raise ValueError(f"y has shape {y.shape}; it must be (n_samples,), one target for each sample.")
    check_consistent_length(points, y)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.06 * np.where(high > low, high - low, 1)
    sides = [np.linspace(*ends, resolution) for ends in zip(low - margin, high + margin, strict=True)]
    mesh = np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2).astype(points.dtype)
    if hasattr(X, "columns"):  # the model asks for the names that it was fitted with
        mesh = type(X)(dict(zip(X.columns, mesh.T, strict=True)))
    with style():
        axes = axes_for(ax, 6.4, 5.2)
        if is_classifier(model):
            _draw_classes(axes, model, sides, mesh, points, y, names_of(model, class_names))
        else:
            _draw_surface(axes, model, sides, mesh, points, y)
        axes.set(xlabel=names[0], ylabel=names[1], xlim=sides[0][[0, -1]], ylim=sides[1][[0, -1]])
        quiet(axes, None)
    return axes.get_figure()


def _plane(X: Any, feature_names: Iterable[str] | None) -> tuple[np.ndarray, list[str]]:
    """Return the samples, (n_samples, 2), and the names of the two features."""
    refuse_columns("X", X)
    points = check_array(X, dtype=[np.float64, np.float32])
    if points.shape[1] != 2:
        raise ValueError(f"X has {points.shape[1]} features; the picture needs a model of 2.")
    if feature_names is None:
        feature_names = getattr(X, "columns", ["feature 0", "feature 1"])
    names = list(map(str, feature_names))
    if len(names) != 2:
        raise ValueError(f"feature_names={shown(feature_names)} must be two names.")
    return points, names


def _draw_classes(
    ax: Any, model: Any, sides: list[np.ndarray], mesh: Any, points: np.ndarray, y: np.ndarray,
    names: list[str],
) -> None:  # fmt: skip
    from matplotlib.colors import to_rgb

    shape, hues = (len(sides[1]), len(sides[0])), colors(len(names))
    if hasattr(model, "predict_proba"):
        p = model.predict_proba(mesh)
    else:
        p = np.eye(len(names))[np.searchsorted(model.classes_, model.predict(mesh))]
    # As many parts of white as the model is unsure.
    mixed = 1 - _STRENGTH * (p @ (1 - np.array([to_rgb(hue) for hue in hues])))
    extent = (*sides[0][[0, -1]], *sides[1][[0, -1]])
    ax.imshow(np.clip(mixed, 0, 1).reshape(*shape, 3), extent=extent, origin="lower", aspect="auto")
    for i in range(len(names)):
        lead = p[:, i] - np.delete(p, i, axis=1).max(axis=1)
        if i and lead.min() < 0 < lead.max():  # of the first class the others' lines tell
            ax.contour(*sides, lead.reshape(shape), levels=[0], colors=INK, linewidths=1)
        rows = y == model.classes_[i]
        ax.scatter(
            *points[rows].T,
            s=36,
            color=[hues[i]],
            marker=_MARKERS[i % len(_MARKERS)],
            edgecolor="white",
            linewidth=0.8,
            label=names[i],
            zorder=3,
        )
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=min(len(names), 4), handletextpad=0.2)


def _draw_surface(
    ax: Any, model: Any, sides: list[np.ndarray], mesh: Any, points: np.ndarray, y: np.ndarray
) -> None:
    predicted = np.asarray(model.predict(mesh))
    if predicted.ndim != 1:
        raise ValueError("model predicts several numbers for a sample; the picture needs one.")
    surface = predicted.reshape(len(sides[1]), len(sides[0]))
    limits = {"vmin": min(y.min(), surface.min()), "vmax": max(y.max(), surface.max()), "cmap": "viridis"}
    extent = (*sides[0][[0, -1]], *sides[1][[0, -1]])
    image = ax.imshow(surface, extent=extent, origin="lower", aspect="auto", **limits)
    ax.scatter(*points.T, c=y, s=36, edgecolor="white", linewidth=0.8, zorder=3, **limits)
    bar = ax.get_figure().colorbar(image, ax=ax, label="prediction; points: target")
    bar.outline.set_visible(False)
    quiet(bar.ax, None)
