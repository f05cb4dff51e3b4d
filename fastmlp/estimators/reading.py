"""The data of a fit: read, checked and encoded once, for one estimator or for many."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import is_regressor
from sklearn.utils import column_or_1d
from sklearn.utils.validation import validate_data

from fastmlp._support.checks import check_third_is_weights, check_together, naming, weights
from fastmlp._support.dates import refuse_columns
from fastmlp.estimators.held_out import HeldOut, split
from fastmlp.formats.model import Outputs, Targets
from fastmlp.network.inputs import INPUT_DTYPES, check_places, check_sparse
from fastmlp.network.loss_targets import check_targets
from fastmlp.network.network import Network
from fastmlp.network.preparation import Preparation, kind_for
from fastmlp.training.data import TrainingData, Validation

_T = TypeVar("_T")


class Samples:
    """Training data and validation data, checked and encoded; what is derived from them is made once.

    Several threads may ask at once, as those of `fit_many` do.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n_samples, n_features)
    targets : Classes, Indicators or Reals
        What y was found to hold.
    codes : ndarray of shape (n_samples,) or (n_samples, n_targets)
        y as `targets` encodes it.
    is_single : bool
        Whether X was given as anything but float64.
    feature_names : ndarray of str or None
    sample_weight : ndarray of shape (n_samples,) or None
    X_val, codes_val : ndarray or None
        Validation data.
    """

    def __init__(
        self, X: Any, targets: Targets, codes: NDArray[Any], *, is_single: bool,
        feature_names: NDArray[Any] | None = None, sample_weight: NDArray[Any] | None = None,
        X_val: Any = None, codes_val: NDArray[Any] | None = None,
    ):  # fmt: skip
        self.X, self.targets, self.codes = X, targets, codes
        self.is_single, self.feature_names, self.sample_weight = is_single, feature_names, sample_weight
        self.X_val, self.codes_val = X_val, codes_val
        self._made: dict[Hashable, Any] = {}
        self._making = threading.Lock()

    @property
    def n_samples(self) -> int:
        """The number of training samples, before any are held out."""
        return int(self.X.shape[0])

    @property
    def n_features(self) -> int:
        """The number of columns of X."""
        return int(self.X.shape[1])

    def preparation(self, kind: str | None) -> Preparation | None:
        """Return the standardisation of X, measured on the training samples.

        Parameters
        ----------
        kind : {None, "auto", "image", "table"}
            As the parameter ``prepare`` has it; "auto" leaves a sparse X as it is.
        """
        if kind is None or (kind == "auto" and issparse(self.X)):
            return None
        if issparse(self.X):
            check_sparse(self.X, prepare=kind)
        chosen = kind_for(self.X) if kind == "auto" else kind
        preparation = self._once(chosen, lambda: Preparation.fit(self.X, chosen))
        preparation.check_scales("X", self.feature_names)
        return preparation

    def target_preparation(self) -> Preparation:
        """Return the standardisation of real targets."""

        def measure() -> Preparation:
            preparation = Preparation.fit(self.codes.reshape(len(self.codes), -1), "table")
            preparation.check_scales("y")
            return preparation

        return self._once("targets", measure)

    def training_data(
        self, network: Network, outputs: Outputs, sample_weight: NDArray[Any] | None,
        held_out: HeldOut | None, score: Callable[..., Any] | None,
    ) -> TrainingData:  # fmt: skip
        """Return the data as a trainer takes them.

        Parameters
        ----------
        network : Network
            Its type is that of the values of a sparse X.
        outputs : Outputs
            What the loss takes.
        sample_weight : ndarray of shape (n_samples,) or None
            Class weights included.
        held_out : HeldOut or None
            How rows are held out where there are no validation data; None trains on all of them.
        score : callable or None
            ``score(X_val, codes_val)`` returns what scores an epoch, see `Validation`.
        """
        X = self.X
        if issparse(X):
            X = self._once(("X", network.dtype), lambda: network.read_sparse(self.X))
        rows, X_val, codes_val = np.arange(self.n_samples), self.X_val, self.codes_val
        weight_val = None
        if held_out is not None and X_val is None:
            rows, others = split(
                self.codes, sample_weight, held_out.fraction, held_out.generator(), self.targets.strata
            )
            X_val, codes_val = X[others], self.codes[others]
            weight_val = None if sample_weight is None else sample_weight[others]
        targets = self._once(
            ("targets", str(outputs)),
            lambda: check_targets(
                self.targets.for_loss(self.codes, outputs), outputs.loss, self.n_samples, network.n_outputs
            ),
        )
        validation = None
        if codes_val is not None:
            y_val = self.targets.for_loss(codes_val, outputs)
            with naming("X_val", "y_val"):
                check_targets(y_val, outputs.loss, X_val.shape[0], network.n_outputs)
            scorer = None if score is None else score(X_val, codes_val)
            validation = Validation(X_val, y_val, weight_val, scorer)
        return TrainingData(X, targets, rows, sample_weight, validation)

    def _once(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """Return what ``make`` returned when this key was first asked for."""
        with self._making:
            if key not in self._made:
                self._made[key] = make()
            made: _T = self._made[key]
            return made


def read(
    reader: Any, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any,
    *, readable: Callable[[str, Any], Any], learn: Callable[[Any, bool], tuple[Targets, NDArray[Any]]],
    reset: bool = True,
) -> Samples:  # fmt: skip
    """Return the data of a fit, checked and encoded; they do not depend on any parameter.

    Parameters
    ----------
    reader : estimator
        Where scikit-learn's `validate_data` notes the columns of X, or with ``reset=False`` has them from.
    X, y, sample_weight, X_val, y_val
        As `MLPClassifier.fit` takes them.
    readable : callable
        ``readable(argument, y)`` returns what scikit-learn's checks accept.
    learn : callable
        ``learn(y, is_sparse)`` returns what y holds, and y encoded.
    reset : bool, default=True
        Whether the columns of X may be others than those that the reader has.
    """
    check_third_is_weights(sample_weight)
    check_together(X_val, y_val)
    for argument, inputs in (("X", X), ("X_val", X_val)):
        refuse_columns(argument, inputs)
    is_single, is_sparse = _is_single(X), issparse(y)
    y, y_val = readable("y", y), readable("y_val", y_val)
    X, y = validated(reader, X, y, reset=reset)
    sample_weight = weights("sample_weight", sample_weight, X.shape[0])
    if X_val is not None:
        with naming("X_val", "y_val"):
            X_val, y_val = validated(reader, X_val, y_val, reset=False)
    targets, codes = learn(y, is_sparse)
    codes_val = None
    if X_val is not None:
        with naming("X_val", "y_val"):
            codes_val = targets.encode(y_val)
    return Samples(
        X, targets, codes, is_single=is_single, sample_weight=sample_weight, X_val=X_val, codes_val=codes_val,
        feature_names=getattr(reader, "feature_names_in_", None),
    )  # fmt: skip


def validated(reader: Any, X: Any, y: Any, *, reset: bool) -> tuple[Any, NDArray[Any]]:
    """Return X and y as scikit-learn's checks leave them; ``reset`` has the reader note the columns of X."""
    X, y = validate_data(
        reader,
        X,
        y,
        accept_sparse="csr",
        dtype=list(INPUT_DTYPES),
        multi_output=True,
        y_numeric=is_regressor(reader),
        reset=reset,
    )
    if issparse(X):
        check_places(X)
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    return X, y


def _is_single(X: Any) -> bool:
    """Return whether X, as it was given, is anything but float64: bytes, integers, float32."""
    kinds = [X.dtype] if hasattr(X, "dtype") else list(getattr(X, "dtypes", [np.dtype(np.float64)]))
    # pandas' nullable and sparse types have the type of NumPy that they stand for; polars' have names alone.
    kinds = [getattr(kind, "numpy_dtype", getattr(kind, "subtype", kind)) for kind in kinds]
    return not any(kind == np.float64 or str(kind) == "Float64" for kind in kinds)
