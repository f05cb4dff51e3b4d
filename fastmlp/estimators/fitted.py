"""A fitted estimator: its fitted attributes, its outputs, evaluation and compiled prediction."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import Any, ClassVar, Generic, NoReturn, Self, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.metrics import check_scoring
from sklearn.utils.validation import check_is_fitted, validate_data

from fastmlp._support.checks import number, weights
from fastmlp._support.dates import refuse_columns
from fastmlp._support.threads import check_n_threads
from fastmlp.estimators.building import Session
from fastmlp.estimators.hyperparameters import Hyperparameters
from fastmlp.estimators.reading import validated
from fastmlp.estimators.targets import Indicators, KindOfTargets
from fastmlp.formats.model import FittedModel
from fastmlp.formats.skl2onnx_registration import register
from fastmlp.network.inputs import INPUT_DTYPES
from fastmlp.network.network import Network
from fastmlp.network.preparation import Preparation
from fastmlp.training.history import History

_T = TypeVar("_T")


class Fitted(Generic[_T]):
    """A fitted attribute, read from the fitted model; the estimator lacks it before `fit`."""

    def __init__(self, of: Callable[[FittedModel], _T], doc: str):
        self._of, self._name, self.__doc__ = of, "", doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, estimator: None, owner: type) -> Self: ...
    @overload
    def __get__(self, estimator: FittedEstimator, owner: type) -> _T: ...
    def __get__(self, estimator: Any, owner: type) -> Any:
        if estimator is None:
            return self
        try:
            model = vars(estimator)["model_"]
        except KeyError:
            raise AttributeError(
                f"{type(estimator).__name__!r} object has no attribute {self._name!r} before it is fitted"
            ) from None
        return self._of(model)


class ReadOnly(Fitted[_T]):
    """A fitted attribute that cannot be assigned to: predictions would not follow."""

    def __set__(self, estimator: Any, value: Any) -> NoReturn:
        raise AttributeError(
            f"{self._name!r} of {type(estimator).__name__!r} object cannot be assigned to: it is the fitted "
            "model's."
        )


class ClassLabels(Fitted[NDArray[Any]]):
    """The classes; other labels that are assigned take their places, also in files and exports."""

    def __get__(self, estimator: Any, owner: type) -> Any:
        attributes = {} if estimator is None else vars(estimator)
        if self._name in attributes:  # a subclass assigned it before it was fitted
            return attributes[self._name]
        return super().__get__(estimator, owner)

    def __set__(self, estimator: Any, labels: Any) -> None:
        attributes = vars(estimator)
        if "model_" not in attributes:
            attributes[self._name] = labels
            return
        model = attributes["model_"]
        targets = replace(model.targets, classes=np.asarray(labels))
        estimator.model_ = replace(model, targets=targets)


class FittedEstimator(Hyperparameters):
    """Base of the estimators: everything that reads the fitted model."""

    model_: FittedModel
    n_features_in_: int
    feature_names_in_: NDArray[Any]
    _session: Session | None
    #: What the estimator's targets are.
    _kind: ClassVar[KindOfTargets]

    network_ = ReadOnly[Network](lambda model: model.network, "The network.")
    preparation_ = ReadOnly[Preparation | None](lambda model: model.preparation, "Standardisation of X.")
    target_preparation_ = ReadOnly[Preparation | None](
        lambda model: model.target_preparation, "Standardisation of real targets."
    )
    coefs_ = ReadOnly[list[NDArray[np.floating]]](
        lambda model: model.network.coefs_,
        "The weights of each layer, (n_in, n_out), after the preparation: views of the parameters.",
    )
    intercepts_ = ReadOnly[list[NDArray[np.floating]]](
        lambda model: model.network.intercepts_, "The biases of each layer, (n_out,): also views."
    )
    n_layers_ = Fitted[int](lambda model: len(model.network.layers) + 1, "The inputs count as one.")
    n_outputs_ = Fitted[int](lambda model: model.outputs.n_outputs, "Outputs of the network.")
    out_activation_ = Fitted[str](lambda model: model.outputs.activation, "What the outputs pass through.")
    history_ = Fitted[History](lambda model: model.record.history, "What happened in each epoch.")
    n_iter_ = Fitted[int](
        lambda model: model.record.n_iter, "Epochs of the last `fit` and of `partial_fit` since."
    )
    t_ = Fitted[int](lambda model: model.record.samples_seen, "Samples trained on.")
    loss_ = Fitted[float](lambda model: model.record.loss, "The loss of the last epoch.")
    best_loss_ = Fitted[float | None](
        lambda model: model.record.best_loss, "The lowest loss; None with early stopping, by the score."
    )
    loss_curve_ = Fitted[list[float]](
        lambda model: model.record.history.loss, "Mean training loss of each epoch."
    )
    validation_scores_ = Fitted[list[float] | None](
        lambda model: model.record.validation_scores,
        "Scores of the validation data, None without; NaN ends them if training diverged.",
    )
    validation_loss_curve_ = Fitted[list[float] | None](
        lambda model: model.record.history.val_loss or None, "Losses of the validation data; None without."
    )
    validation_score_ = Fitted[float | None](
        lambda model: model.record.validation_score, "The validation score of the weights that the model has."
    )
    best_validation_score_ = ReadOnly[float | None](
        lambda model: _best(model.record.validation_scores),
        "The best of ``validation_scores_``, NaN left out; None without validation data.",
    )
    stopped_early_ = ReadOnly[bool](
        lambda model: model.record.stopped_early,
        """Whether the score had stopped rising, and the model went back to the best epoch.

        That is what ``early_stopping`` ends a `fit` by; it is False for a loaded model. After a `partial_fit`
        it is about this call; the next one continues from the best weights.
        """,
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        register(cls)

    @property
    def _has_model(self) -> bool:
        """Whether there is a model; a subclass may have other rules for when it is fitted."""
        return "model_" in vars(self)

    def __sklearn_is_fitted__(self) -> bool:
        return self._has_model

    def __copy__(self) -> Self:
        twin = object.__new__(type(self))
        for name, value in vars(self).items():  # the model is shared
            setattr(twin, name, value)
        return twin

    def _adopt(self, model: FittedModel, session: Session | None = None) -> None:
        """Make this the fitted model.

        Parameters
        ----------
        model : FittedModel
        session : Session or None
            Training state to continue from; None starts with a fresh state of the solver.
        """
        attributes = [name for name in vars(self) if name.endswith("_")]
        for name in attributes:
            if isinstance(getattr(type(self), name, None), Fitted):
                self.__dict__.pop(name)  # assigned to by a user or a subclass: about the model before
        self.model_, self._session = model, session
        self.n_features_in_ = model.network.n_features
        if model.feature_names is not None:
            self.feature_names_in_ = model.feature_names
        elif "feature_names_in_" in vars(self):
            del self.feature_names_in_

    @property
    def _no_improvement_count(self) -> int:
        """Epochs since what is watched last improved by ``tol``, by scikit-learn's name."""
        session = vars(self).get("_session")
        return 0 if session is None else session.trainer.watch.n_flat

    def _check_fitted(self) -> FittedModel:
        """Return the model, with the present ``n_threads``; raise NotFittedError without one."""
        check_is_fitted(self)
        check_n_threads(self.n_threads)
        self.model_.network.n_threads = self.n_threads
        return self.model_

    def _outputs(self, X: Any) -> NDArray[np.floating]:
        """Return the network's outputs for X, (n_samples, n_outputs)."""
        fitted = self.__dict__
        if type(X) is np.ndarray and "model_" in fitted and "feature_names_in_" not in fitted:
            # A plain array of finite numbers, and no names to compare: the walk looks at all else that
            # scikit-learn's validation looks at (one row of 30-100-2: 4 us instead of 80).
            network = fitted["model_"].network
            if network.n_threads is not fitted["n_threads"]:
                self._check_fitted()
            outputs = network.predict_array(X)
            if outputs is not None:
                return outputs
        network = self._check_fitted().network
        X = self._validated(X)
        with config_context(assume_finite=True):
            return network.predict(X)

    def _validated(self, X: Any) -> Any:
        """Return X for the fitted network, as scikit-learn checks it."""
        refuse_columns("X", X)
        return validate_data(self, X, accept_sparse="csr", dtype=list(INPUT_DTYPES), reset=False)

    def _scorer(self) -> Callable[[FittedModel, Any, Any], Callable[..., float]] | None:
        """Return a function from a model and validation data to their scorer, or None without ``scoring``.

        scikit-learn refuses a scoring that it does not know.
        """
        if self.scoring is None:
            return None
        scorer = check_scoring(self, scoring=self.scoring)

        def score_of(model: FittedModel, X_val: Any, y_val: Any) -> Callable[..., float]:
            scored = self._scored(model)
            return lambda _targets, _outputs, **weighted: scorer(scored, X_val, y_val, **weighted)

        return score_of

    def _scored(self, model: FittedModel) -> Self:
        """Return a copy of the estimator that has this model, for arrays: no names, dense predictions."""
        scored = copy(self)
        targets = model.targets
        if isinstance(targets, Indicators):
            targets = Indicators(targets.classes)
        scored._adopt(replace(model, targets=targets, feature_names=None))
        return scored

    def evaluate(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[float, float]:
        """Return loss and score of other data, as validation data have them after each epoch.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Class labels, label indicators or real targets, as for `fit`.
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        loss : float
            Mean loss, in the units of ``loss_curve_``, without penalties.
        score : float
            By ``scoring``; by default the accuracy, R^2, or for quantiles the mean D^2.

        Examples
        --------
        >>> import fastmlp
        >>> X, y, X_test, y_test = fastmlp.datasets.load_digits()
        >>> model = fastmlp.fit(X, y, max_iter=5, random_state=0)
        >>> loss, score = model.evaluate(X_test, y_test)
        >>> bool(score == model.score(X_test, y_test))
        True
        """
        model, score = self._check_fitted(), self._scorer()
        refuse_columns("X", X)
        X, y = validated(self, X, self._kind.readable("y", y), reset=False)
        sample_weight = weights("sample_weight", sample_weight, X.shape[0])
        scored = None if score is None else score(model, X, y)
        with config_context(assume_finite=True):
            return model.evaluate(X, y, sample_weight, scored)

    def compile(self) -> Callable[..., Any]:
        """Return a function that predicts, made for serving: no validation, one row or a batch.

        It gives what `predict_proba` gives, for a regressor what `predict` gives, and takes about a
        microsecond more than the arithmetic. Any number of threads may call it. It follows this fitted
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
        return self._check_fitted().compile()

    def hidden_activations(self, X: Any, layer: int) -> NDArray[np.floating]:
        """Return the outputs of a hidden layer.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        layer : int
            Its number, from 0 for the first hidden layer; negative ones count from the last hidden layer.

        Returns
        -------
        ndarray of shape (n_samples, units)
            After the activation, as predictions have them: nothing is dropped.

        Raises
        ------
        ValueError
            If there is no such layer.

        Examples
        --------
        >>> import fastmlp
        >>> X, y, X_test, y_test = fastmlp.datasets.load_digits()
        >>> model = fastmlp.fit(X, y, hidden_layer_sizes=(32, 16), max_iter=5, random_state=0)
        >>> model.hidden_activations(X_test, -1).shape
        (360, 16)
        """
        network = self._check_fitted().network
        n = len(network.layers) - 1
        if not n:
            raise ValueError(f"layer={layer!r}: the model has no hidden layers.")
        number("layer", layer, at_least=-n, at_most=n - 1, whole=True)
        X = self._validated(X)
        with config_context(assume_finite=True):
            return network.forward(X)[layer % n]


def _best(scores: list[float] | None) -> float | None:
    """Return the best score that is a number."""
    if not scores:
        return None
    return max((score for score in scores if not np.isnan(score)), default=np.nan)
