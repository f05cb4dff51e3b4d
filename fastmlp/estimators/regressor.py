"""MLPRegressor: real targets, their losses and units."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils._param_validation import InvalidParameterError

from fastmlp import losses
from fastmlp._support.checks import shown
from fastmlp.estimators.base import BaseMLP
from fastmlp.estimators.hyperparameters import Activations, Loss, Sizes, constructed, loss_choices, of_batches
from fastmlp.estimators.readable_targets import readable_numbers
from fastmlp.estimators.targets import REALS
from fastmlp.losses import Quantile, SquaredError


@constructed(kw_only=False)
class MLPRegressor(RegressorMixin, BaseMLP):
    """Multilayer perceptron regressor, with scikit-learn's parameters and defaults.

    Minimises half the squared error, summed over the outputs, if ``loss`` does not name another. With
    ``prepare`` set the targets are standardised, too, but for counts, and predictions come back in their
    units, in float64 whatever ``dtype`` is. Parameters and attributes are those of `MLPClassifier`, without
    ``label_smoothing``, ``class_weight`` and ``classes_``, and with other losses. As in scikit-learn the loss
    is the first parameter, before ``hidden_layer_sizes`` and ``activation``.

    Parameters
    ----------
    output_activation : str or None, default=None
        An activation that predictions pass through, such as "softplus" for targets that are positive;
        ``prepare`` then leaves the targets as they are. None is the identity.
    loss : str, loss or None, default="squared_error"
        "squared_error", which None stands for too; "absolute_error" or "huber", which heed outliers less;
        "quantile", the median, or ``Quantile((0.1, 0.5, 0.9))`` for several quantiles at once; "poisson", for
        counts; or an instance of one of these from `fastmlp.losses`.

    Examples
    --------
    >>> from fastmlp import MLPRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = MLPRegressor(hidden_layer_sizes=16, max_iter=30, learning_rate="one_cycle",
    ...                      learning_rate_init=0.01, batch_size=32, prepare="table", random_state=0)
    >>> model = model.fit(X, y)
    >>> model.score(X, y) > 0.4
    True
    """

    loss: Loss = "squared_error"
    hidden_layer_sizes: Sizes = BaseMLP.hidden_layer_sizes
    activation: Activations = BaseMLP.activation

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseMLP._parameter_constraints,
        "loss": loss_choices(SquaredError, losses.AbsoluteError, losses.Huber, Quantile, losses.Poisson),
    }
    _kind = REALS

    def _validate_params(self) -> None:
        if isinstance(self.loss, Integral | Sequence | np.ndarray) and not isinstance(self.loss, str):
            raise InvalidParameterError(  # a ValueError and a TypeError
                f"loss={shown(self.loss)} is not a loss, which MLPRegressor takes first, as scikit-learn's "
                f"does; for layers of these sizes pass hidden_layer_sizes={shown(self.loss)} by name."
            )
        super()._validate_params()

    @of_batches
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None
    ) -> Self:
        """Train for one epoch on X and y, going on from the present parameters.

        What is set between calls applies from the next one on; what the network was made with is kept.

        Parameters
        ----------
        X, y, sample_weight : array-like
            As for `fit`.
        X_val, y_val : array-like, optional
            Validation data, scored after the epoch into ``validation_scores_``. With ``early_stopping`` they
            are needed: once the score has not risen by ``tol`` for more than ``n_iter_no_change`` calls, the
            model goes back to the weights of the best call, and ``stopped_early_`` is True.

        Returns
        -------
        self : object
        """
        return self._partial_fit(X, y, sample_weight, X_val, y_val)

    def predict(self, X: Any) -> NDArray[np.floating]:
        """Return the predictions for X.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Of the type that the network computes in, or float64 if the targets are standardised: their units
            may be finer than float32 can tell apart.
            With several quantiles (n_samples, n_quantiles) or (n_samples, n_targets, n_quantiles).
        """
        outputs = self._outputs(X)
        return self.model_.predictions(outputs)

    def predict_interval(self, X: Any) -> NDArray[np.floating]:
        """Return the interval between the lowest and the highest quantile that the model predicts.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, 2) or (n_samples, n_targets, 2)
            Its lower and upper ends, in order also where the model's quantiles cross.

        Raises
        ------
        ValueError
            If ``loss`` is not a `fastmlp.losses.Quantile` of two quantiles or more.

        Examples
        --------
        Nine of ten targets should lie within their intervals:

        >>> from fastmlp import MLPRegressor
        >>> from fastmlp.losses import Quantile
        >>> from sklearn.datasets import load_diabetes
        >>> X, y = load_diabetes(return_X_y=True)
        >>> model = MLPRegressor(Quantile((0.05, 0.95)), (16,), prepare="table", max_iter=60,
        ...                      learning_rate="one_cycle", learning_rate_init=0.01, random_state=0).fit(X, y)
        >>> low, high = model.predict_interval(X).T
        >>> bool(0.8 < ((low <= y) & (y <= high)).mean() < 1)
        True
        """
        loss = self._check_fitted().loss
        quantiles = getattr(loss, "quantiles", ())
        if len(set(quantiles)) < 2:
            raise ValueError(
                f"loss={shown(loss)} predicts no intervals; two quantiles or more do, such as "
                "loss=Quantile((0.05, 0.95))."
            )
        ends = self.predict(X)[..., [np.argmin(quantiles), np.argmax(quantiles)]]
        return np.sort(ends, axis=-1)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the R^2 of the predictions for X, or for quantiles their mean D^2.

        D^2 is to the pinball loss what R^2 is to the squared error.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        float
        """
        loss = self._check_fitted().loss
        y = readable_numbers("y", y)
        if isinstance(loss, Quantile):
            return float(loss.score(y, self.predict(X), sample_weight))
        return losses.r2(y, self.predict(X), sample_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
