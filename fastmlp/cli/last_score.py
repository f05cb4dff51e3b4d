"""The last line of a training: the score, and for classes of unequal size what it is worth."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.metrics import balanced_accuracy_score

#: Classes are unbalanced if the largest has more than this share, or than so many times its even share.
_LARGE_SHARE, _TIMES_EVEN = 0.6, 3
#: But a few rows say nothing of it.
_FEWEST_ROWS = 6


def scored(model: Any, X: Any, y: np.ndarray) -> tuple[str, str]:
    """Return the score of a model, and what is to be said beside it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> X, y = np.zeros((8, 1)), np.array([0, 0, 0, 0, 0, 0, 0, 1])
    >>> scored(DummyClassifier().fit(X, y), X, y)
    ('accuracy 0.8750', ', balanced accuracy 0.5000, the largest class 0 has 87.5 % of the test rows')
    """
    with warnings.catch_warnings():
        # Of targets with many classes, or of classes that the test part lacks, scikit-learn warns.
        warnings.filterwarnings("ignore", module="sklearn")
        return _scored(model, X, y)


def _scored(model: Any, X: Any, y: np.ndarray) -> tuple[str, str]:
    if not hasattr(model, "classes_"):
        return f"R^2 {model.score(X, y):.4f}", ""
    accuracy = f"accuracy {model.score(X, y):.4f}"
    if y.ndim > 1:
        return accuracy, ""
    names, counts = np.unique(y, return_counts=True)
    share = counts.max() / len(y)
    if counts.max() < _FEWEST_ROWS or share <= min(_LARGE_SHARE, _TIMES_EVEN / len(model.classes_)):
        return accuracy, ""
    balanced = balanced_accuracy_score(y, model.predict(X))
    has = f"the largest class {names[counts.argmax()]} has {100 * share:.3g} % of the test rows"
    return accuracy, f", balanced accuracy {balanced:.4f}, {has}"
