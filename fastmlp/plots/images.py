"""Pictures of images: those that a model mistakes, and what its first layer looks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.utils.validation import check_is_fitted

from fastmlp._support.checks import kind_of, number, shown
from fastmlp.augmentations import sizes_of
from fastmlp.plots.canvas import figure_for, width_of
from fastmlp.plots.models import labels_of, names_of
from fastmlp.plots.style import say, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

#: Images in a row: more would be too small on a phone.
_N_COLUMNS = 4


def misclassified(
    model: Any,
    X: Any,
    y: Any,
    n: int = 12,
    image_shape: Sequence[int] | None = None,
    *,
    order: str = "first",
    class_names: Iterable[str] | None = None,
    figure: Figure | SubFigure | None = None,
) -> Figure:
    """Draw images that a classifier takes for something else, with both labels and its confidence.

    Parameters
    ----------
    model : MLPClassifier
        Fitted; any classifier of scikit-learn will do.
    X : array-like of shape (n_samples, n_features)
        An image a row.
    y : array-like of shape (n_samples,)
        The true labels.
    n : int, default=12
        The most images to draw.
    image_shape : (height, width) or (height, width, channels), optional
        The images that the rows are, of one channel or three; None for the model's, or square ones of one.
    order : {"first", "confident"}, default="first"
        Which: those that come first in X, or those that the model is the surest of.
    class_names : list of str, optional
        In the order of ``model.classes_``; None for these themselves.
    figure : matplotlib Figure or SubFigure, optional
        Where to draw; None for a new one.

    Returns
    -------
    matplotlib.figure.Figure
        Where nothing is misclassified, it says so.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    ValueError
        If it is no classifier of single labels, or has no probabilities by which to order, y has labels that
        it does not know, or the images are not of that shape.

    Examples
    --------
    >>> import fastmlp
    >>> X, y, X_test, y_test = fastmlp.datasets.load_digits()
    >>> model = fastmlp.fit(X, y, max_iter=2, random_state=0)
    >>> figure = fastmlp.plots.misclassified(model, X_test, y_test, n=6)
    >>> len(figure.axes)
    6
    """
    number("n", n, at_least=1, whole=True)
    if order not in ("first", "confident"):
        raise ValueError(f"order={shown(order)} is not known; choose 'first' or 'confident'.")
    y, predicted = labels_of(model, X, y)
    names = names_of(model, class_names)
    shape = _image_sizes(image_shape, getattr(model, "image_shape", None), np.shape(X)[1])
    wrong = np.flatnonzero(predicted != y)
    confidence = _confidence(model, X, predicted)
    which = f"{len(wrong)} of {len(y)} misclassified ({100 * len(wrong) / len(y):.1f} %)"
    if order == "confident":
        if confidence is None:
            raise ValueError("order='confident' needs a model with predict_proba; choose 'first'.")
        wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
    if n < len(wrong):
        which += f", the {n} most confident" if order == "confident" else f", the first {n}"
    rows = wrong[:n]
    with style():
        if not len(rows):
            drawn_on = figure_for(figure, 6.4, 1.6)
            say(drawn_on.subplots(), f"None of {len(y)} samples is misclassified.")
            return drawn_on
        what = "true → predicted label" if confidence is None else "true → predicted label, confidence"
        titles = _titles(
            model, names, y[rows], predicted[rows], None if confidence is None else confidence[rows]
        )
        return _gallery(figure, _images(X, rows, shape), titles, f"{which}\n{what}")


def _gallery(figure: Any, images: np.ndarray, titles: list[str], heading: str) -> Any:
    """Draw images beside each other, each under its title."""
    n_rows = -(-len(images) // _N_COLUMNS)
    figure = figure_for(figure, 7.2, 0.6 + 2.35 * n_rows)
    figure.suptitle(heading, x=0.01, ha="left")
    longest = max(len(line) for title in titles for line in title.split("\n"))
    size = min(13, 72 * width_of(figure) / _N_COLUMNS / (0.65 * longest))
    limits = {"cmap": "gray", "vmin": images.min(), "vmax": images.max()}
    tiles = figure.subplots(n_rows, _N_COLUMNS, squeeze=False).flat
    for image, title in zip(images, titles, strict=True):
        ax = next(tiles)
        ax.imshow(image, interpolation="nearest", **limits)
        ax.set_title(title, loc="center", fontsize=size)
        ax.set_axis_off()
    for ax in tiles:
        ax.remove()
    return figure


def _confidence(model: Any, X: Any, predicted: np.ndarray) -> np.ndarray | None:
    """Return the probability that the model gives to what it predicts, if it gives any."""
    if not hasattr(model, "predict_proba"):
        return None
    indices = np.searchsorted(model.classes_, predicted)
    confidence: np.ndarray = model.predict_proba(X)[np.arange(len(predicted)), indices]
    return confidence


def _titles(
    model: Any, names: list[str], true: np.ndarray, predicted: np.ndarray, confidence: np.ndarray | None
) -> list[str]:
    """Return for each image the true and the predicted label and the confidence, on two lines."""
    indices = [np.searchsorted(model.classes_, labels) for labels in (true, predicted)]
    pairs = [(names[i], names[j]) for i, j in zip(*indices, strict=True)]
    is_long = max(len(name) for pair in pairs for name in pair) > 4
    sure = [""] * len(pairs)
    if confidence is not None:
        sure = [f"{100 * p:.0f} %" if p < 0.995 else "> 99 %" for p in confidence]
    if is_long:
        return [f"{a}\n→ {b}, {p}".rstrip(", ") for (a, b), p in zip(pairs, sure, strict=True)]
    return [f"{a} → {b}\n{p}".rstrip() for (a, b), p in zip(pairs, sure, strict=True)]


def _image_sizes(image_shape: Any, models: Any, n_features: int) -> tuple[int, ...]:
    """Return (height, width), or (height, width, 3)."""
    height, width, channels = sizes_of(models if image_shape is None else image_shape, n_features)
    if channels not in (1, 3):
        raise ValueError(f"image_shape={shown(image_shape)} has {channels} channels; 1 or 3 can be drawn.")
    return (height, width) if channels == 1 else (height, width, 3)


def _images(X: Any, rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return these rows as images; colours as parts of 1."""
    chosen = X.tocsr()[rows].toarray() if issparse(X) else np.asarray(X)[rows]
    images = chosen.reshape(len(rows), *shape)
    if len(shape) == 2 or images.dtype == np.uint8:
        return images
    low, high = images.min(), images.max()
    return (images - low) / (high - low if high > low else 1)


def first_layer(
    model: Any,
    image_shape: Sequence[int] | None = None,
    *,
    labels: Iterable[str] | None = None,
    figure: Figure | SubFigure | None = None,
) -> Figure:
    """Draw the first layer's weights as an image: what the network looks at, before and after it learned.

    Each feature has as many weights as there are units. The first three principal components of these become
    red, green and blue: clipped to [-1, 1] and mapped to [0, 1].

    Parameters
    ----------
    model : model, ndarray of shape (n_features, n_units), or list of these
        A fitted model or a `Network`, or its weights ``coefs_[0]``. Those of a list are drawn beside each
        other, such as copies of the weights at the start, after an epoch and at the end.
    image_shape : (height, width), optional
        The images that the features are; None for the model's, or square ones.
    labels : str or list of str, optional
        What stands above each.
    figure : matplotlib Figure or SubFigure, optional
        Where to draw; None for a new one.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    NotFittedError
        If a model is not fitted.
    ValueError
        If there are less than three units, weights that are not finite, or features that are not of that
        shape.

    Notes
    -----
    Each has principal components of its own, so that colours of one image do not stand for those of another.
    Weights are those after the model's preparation.

    Examples
    --------
    >>> import fastmlp
    >>> X, y, *_ = fastmlp.datasets.load_digits()
    >>> snapshots = []
    >>> model = fastmlp.fit(
    ...     X, y, random_state=0, callbacks=[lambda end: snapshots.append(end.network.coefs_[0].copy())])
    >>> figure = fastmlp.plots.first_layer([snapshots[0], model], labels=["epoch 1", "epoch 10"])
    >>> [ax.get_title() for ax in figure.axes]
    ['epoch 1', 'epoch 10']
    """
    models = list(model) if isinstance(model, Sequence) else [model]
    if not models:
        raise ValueError("model=[] must hold one or more models or weights.")
    labels = [""] * len(models) if labels is None else [labels] if isinstance(labels, str) else list(labels)
    if len(labels) != len(models):
        raise ValueError(f"labels={shown(labels)} must be {len(models)}, one for each image.")
    images = [_as_colors(one, image_shape) for one in models]
    with style():
        drawn_on = figure_for(figure, max(3.2, 2.9 * len(images)), 3.2)
        tiles = drawn_on.subplots(1, len(images), squeeze=False)[0]
        for ax, image, label in zip(tiles, images, labels, strict=True):
            ax.imshow(image, interpolation="nearest")
            ax.set_title(label, loc="center")
            ax.set_axis_off()
    return drawn_on


def _as_colors(model: Any, image_shape: Any) -> np.ndarray:
    """Return the first layer's weights as an image, (height, width, 3), with values in [0, 1]."""
    if isinstance(model, BaseEstimator):
        check_is_fitted(model)
        if not hasattr(model, "coefs_"):
            raise ValueError(f"model is a {type(model).__name__}, which has no layers.")
    try:
        weights = np.asarray(model.coefs_[0] if hasattr(model, "coefs_") else model, dtype=np.float64)
    except (TypeError, ValueError):
        weights = np.array(0.0)
    if weights.ndim == 0:
        raise TypeError(
            f"model is {kind_of(model)}; it must be a fitted model, a Network, or weights, an array of shape "
            "(n_features, n_units)."
        )
    if weights.ndim != 2 or min(weights.shape) < 3 or not np.isfinite(weights).all():
        raise ValueError(
            f"model: its weights have shape {weights.shape}; they must be finite, (n_features, n_units), "
            "three or more of each."
        )
    image_shape = getattr(model, "image_shape", None) if image_shape is None else image_shape
    height, width, channels = sizes_of(image_shape, len(weights))
    if channels != 1:
        raise ValueError(f"image_shape={shown(image_shape)} must be of one channel for this picture.")
    components = PCA(3, svd_solver="full").fit_transform(weights)
    return (np.clip(components, -1, 1) + 1).reshape(height, width, 3) / 2
