"""How a fitted model answers: by a short cut for plain arrays, or as a function that it is compiled to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.utils.validation import check_is_fitted, validate_data

from fastmlp._support.dates import refuse_columns
from fastmlp._support.threads import check_n_threads
from fastmlp.estimators.hyperparameters import Parameters
from fastmlp.network.inputs import INPUT_DTYPES
from fastmlp.network.network import Network


class Serving(Parameters):
    """The outputs of a fitted model; subclasses say what they stand for."""

    network_: Network

    def _take_n_threads(self) -> None:
        """Have the network use the present ``n_threads`` from now on."""
        check_n_threads(self.n_threads)
        self.network_.n_threads = self.n_threads

    def _outputs(self, X) -> np.ndarray:
        """Return the network's outputs for X, (n_samples, n_outputs)."""
        fitted = self.__dict__
        if type(X) is np.ndarray and "network_" in fitted and "feature_names_in_" not in fitted:
            # A plain array of finite numbers, and no names to compare: the walk looks at all else that
            # scikit-learn's validation looks at (one row of 30-100-2: 4 us instead of 80).
            network = fitted["network_"]
            if network.n_threads is not fitted["n_threads"]:
                self._take_n_threads()
            outputs = network.predict_array(X)
            if outputs is not None:
                return outputs
        check_is_fitted(self)
        refuse_columns("X", X)
        self._take_n_threads()
        X = validate_data(self, X, accept_sparse="csr", dtype=list(INPUT_DTYPES), reset=False)
        with config_context(assume_finite=True):
            return self.network_.predict(X)

    def compile(self) -> Callable[..., Any]:
        """Return a function that predicts, made for serving: no validation, one row or a batch.

        It gives what `predict_proba` gives, for a regressor what `predict` gives, and takes about a
        microsecond more than the arithmetic. Any number of threads may call it. It goes on with this fitted
        network, also when `partial_fit` trains it further; of a later `fit`, and of column names, it knows
        nothing.

        Returns
        -------
        callable
            ``function(X, out=None)``: X is a row (n_features,) or rows (n_samples, n_features) of numbers;
            ``out`` takes the predictions, an array of as many elements and of their type: the network's, or
            float64 for a regressor whose targets are standardised. For a row the first axis is left out:
            probabilities (n_classes,), a float for a single target. Raises ValueError for another shape or
            type, and for NaN and infinity.

        Examples
        --------
        >>> from fastmlp import MLPClassifier
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> model = MLPClassifier(prepare="table", max_iter=10, learning_rate="one_cycle", random_state=0)
        >>> model = model.fit(X, y)
        >>> predict_proba = model.compile()
        >>> predict_proba(X[0]).shape, predict_proba(X).shape
        ((3,), (150, 3))
        >>> bool((predict_proba(X) == model.predict_proba(X)).all())
        True
        """
        check_is_fitted(self)
        self._take_n_threads()
        return self.network_.compile(**self._compiled_as())

    def _compiled_as(self) -> dict[str, Any]:
        """Return what stands between the network's outputs and the predictions, as `Compiled` takes it."""
        raise NotImplementedError


def shares(outputs: np.ndarray) -> np.ndarray:
    """Return each row divided by its sum; one of zeros is shared evenly.

    Examples
    --------
    >>> import numpy as np
    >>> shares(np.array([[1.0, 3.0], [0.0, 0.0]]))
    array([[0.25, 0.75],
           [0.5 , 0.5 ]])
    """
    total = outputs.sum(axis=1, keepdims=True)
    even = np.asarray(1 / outputs.shape[1], dtype=outputs.dtype)
    return np.where(total > 0, outputs / np.where(total > 0, total, 1), even)
