"""A picture of how often a model takes each class for each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.plots.canvas import axes_for
from fastmlp.plots.models import labels_of, names_of
from fastmlp.plots.style import ink_on, quiet, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHARES = {"true": "the true class", "pred": "the predicted class", "all": "all samples"}
#: The size of letters below which numbers are left out.
_SMALLEST = 5


def confusion_matrix(
    model: Any,
    X: Any,
    y: Any,
    *,
    normalize: str | None = None,
    class_names: Iterable[str] | None = None,
    ax: Axes | None = None,
) -> Figure:
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
        axes = axes_for(ax, side + 0.5 * is_long, side)
        display = ConfusionMatrixDisplay(cells, display_labels=names).plot(
            ax=axes,
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
        axes.set(xlabel="predicted label", ylabel="true label")
        unit = f"per cent of {_SHARES[normalize]}" if normalize else f"{len(y):,} samples"
        axes.set_title(f"{unit}; {100 * np.mean(predicted == y):.1f} % right")
        axes.spines[:].set_visible(False)
        quiet(axes, None)
        axes.tick_params(length=0, labelsize=min(12, max(0.8 * cell, 4)))
        if is_long:
            for label in axes.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")
    return axes.get_figure()


def _finish_cells(display: Any, shown: np.ndarray) -> None:
    """Empty the cells without samples, and write in the ink that reads on each of the others."""
    image = display.im_
    for index, text in np.ndenumerate(display.text_):
        text.set_color(ink_on(image.cmap(image.norm(shown[index]))))
        if not shown[index]:
            text.set_text("")
