"""The weights of samples that ``class_weight`` stands for."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

from fastmlp.checks import shown


def weights_of_classes(class_weight: Any, y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the weight of each sample by its class, or by its label indicators.

    Parameters
    ----------
    class_weight : "balanced", dict or list of dict
        As `MLPClassifier` takes it.
    y : ndarray of shape (n_samples,) or (n_samples, n_labels)
        Classes, or label indicators.
    classes : ndarray of shape (n_classes,)
        All classes, in order; y may lack some.
    """
    if y.ndim == 2:
        return compute_sample_weight(class_weight, y)
    if isinstance(class_weight, list):
        raise ValueError(f"class_weight={shown(class_weight)} is for label indicators; give a dict.")
    of_each = compute_class_weight(class_weight, classes=classes, y=y)
    return of_each[np.searchsorted(classes, y)]
