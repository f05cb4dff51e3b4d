"""Pictures of what a model takes for what: the confusion matrix, and the boundaries between classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import check_array
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from fastmlp._support.checks import kind_of, listed, number, shown
from fastmlp._support.dates import refuse_columns
from fastmlp.plots.style import INK, axes_for, colors, ink_on, quiet, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHARES = {"true": "the true class", "pred": "the predicted class", "all": "all samples"}
#: The size of letters below which numbers are left out.
_SMALLEST = 5

_MARKERS = "os^DvPX"

#: How much of a class's colour its region keeps, where the model is sure of it.
_STRENGTH = 0.45


def confusion_matrix(model, X, y, *, normalize=None, class_names=None, ax=None) -> Figure:
    """Draw how often a classifier takes each class for each.

    Parameters
    ----------
    model : MLPClassifier
        Fitted; any classifier of scikit-learn will do.
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
        The true labels.
    normalize : {"true", "pred", "all"} or None, default=None
        None draws counts; else per cent of the true class (a row), of the predicted class (a column) or of
        all samples, as in scikit-learn.
    class_names : list of str, optional
        In the order of ``model.classes_``; None for these themselves.
    ax : matplotlib Axes, optional
        Where to draw; None for a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Cells without samples are empty, and all where there are too many classes to read numbers. The shades
        are those of square roots, so that rare mistakes show.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError
        If it is not an estimator.
    ValueError
        If it is no classifier of single labels, y has labels that it does not know, or the names are not as
        many as the classes.

    Examples
    --------
    >>> import fastmlp
    >>> X, y, X_test, y_test = fastmlp.datasets.load_digits()
    >>> model = fastmlp.fit(X, y, random_state=0)
    >>> figure = fastmlp.plots.confusion_matrix(model, X_test, y_test)
    >>> figure.axes[0].get_xlabel()
    'predicted label'
    """
    if normalize is not None and normalize not in _SHARES:
        raise ValueError(f"normalize={normalize!r} is not known; choose 'true', 'pred', 'all' or None.")
    y, predicted = labels_of(model, X, y)
    names = names_of(model, class_names)
    is_long = max(map(len, names)) > 3
    with style():
        from matplotlib.colors import PowerNorm
        from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

        matrix = confusion_matrix(y, predicted, labels=model.classes_, normalize=normalize)
        cells, values_format = (matrix, "d") if normalize is None else (100 * matrix, ".1f")
        side = min(max(4.6, 2 + 0.52 * len(names)), 12)
        cell = 72 * (side - 2) / len(names)  # in points, as sizes of letters are
        size = min(12, cell / (1 + 0.6 * len(f"{cells.max():{values_format}}")))
        ax = axes_for(ax, side + 0.5 * is_long, side)
        display = ConfusionMatrixDisplay(cells, display_labels=names).plot(
            ax=ax,
            cmap="Blues",
            colorbar=False,
            values_format=values_format,
            include_values=size >= _SMALLEST,
            im_kw={"norm": PowerNorm(0.5, 0, max(cells.max(), 1))},
            text_kw={"fontsize": size},
            xticks_rotation=45 if is_long else 0,
        )
        if display.text_ is not None:
            _finish_cells(display, cells)
        ax.set(xlabel="predicted label", ylabel="true label")
        unit = f"per cent of {_SHARES[normalize]}" if normalize else f"{len(y):,} samples"
        ax.set_title(f"{unit}; {100 * np.mean(predicted == y):.1f} % right")
        ax.spines[:].set_visible(False)
        quiet(ax, None)
        ax.tick_params(length=0, labelsize=min(12, max(0.8 * cell, 4)))
        if is_long:
            for label in ax.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")
    return ax.get_figure()


def _finish_cells(display, shown) -> None:
    """Empty the cells without samples, and write in the ink that reads on each of the others."""
    image = display.im_
    for index, text in np.ndenumerate(display.text_):
        text.set_color(ink_on(image.cmap(image.norm(shown[index]))))
        if not shown[index]:
            text.set_text("")


def check_model(model: Any) -> None:
    """Refuse what is not a fitted estimator that predicts.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError
        If it is not an estimator.
    """
    if isinstance(model, type) or not (hasattr(model, "fit") and hasattr(model, "predict")):
        raise TypeError(
            f"model is {kind_of(model)}; it must be a fitted classifier or regressor, such as MLPClassifier."
        )
    check_is_fitted(model)


def labels_of(model: Any, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the true and the predicted labels, if the model is a classifier that knows them.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError
        If it is not an estimator.
    ValueError
        If it is no classifier, one of label indicators, or does not know a label.
    """
    check_model(model)
    if not is_classifier(model):
        raise ValueError(f"model is a {type(model).__name__}; a classifier is needed here.")
    y = np.asarray(y)
    if y.ndim != 1 or not len(y):
        raise ValueError(f"y has shape {y.shape}; it must be (n_samples,), one label for each sample.")
    check_consistent_length(X, y)
    predicted = np.asarray(model.predict(X))
    if predicted.ndim != 1:
        raise ValueError("model predicts label indicators; one of single labels is needed here.")
    unknown = sorted(set(y.tolist()) - set(model.classes_.tolist()), key=str)
    if unknown:
        raise ValueError(f"y has the label {unknown[0]!r}; the model knows {listed(model.classes_)}.")
    return y, predicted


def names_of(model: Any, class_names: Any) -> list[str]:
    """Return a name for each of the model's classes."""
    names = list(map(str, model.classes_.tolist() if class_names is None else class_names))
    if len(names) != len(model.classes_):
        raise ValueError(
            f"class_names={shown(class_names)} must be {len(model.classes_)}, one for each class of the "
            "model."
        )
    return names


def decision_boundary(
    model, X, y, *, class_names=None, feature_names=None, resolution=200, ax=None
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
        ax = axes_for(ax, 6.4, 5.2)
        if is_classifier(model):
            _draw_classes(ax, model, sides, mesh, points, y, names_of(model, class_names))
        else:
            _draw_surface(ax, model, sides, mesh, points, y)
        ax.set(xlabel=names[0], ylabel=names[1], xlim=sides[0][[0, -1]], ylim=sides[1][[0, -1]])
        quiet(ax, None)
    return ax.get_figure()


def _plane(X, feature_names) -> tuple[np.ndarray, list[str]]:
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


def _draw_classes(ax, model, sides, mesh, points, y, names) -> None:
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


def _draw_surface(ax, model, sides, mesh, points, y) -> None:
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
