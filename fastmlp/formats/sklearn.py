"""Fitted models from scikit-learn's perceptrons and to them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import check_is_fitted

from fastmlp._support.checks import shown
from fastmlp.estimators.exports import linear_parts
from fastmlp.estimators.loading import MLPClassifier, MLPRegressor
from fastmlp.layers import Dense
from fastmlp.network.network import Network
from fastmlp.optimizers import SGD, Adam, is_full_batch

# What scikit-learn's hidden layers can have.
_THEIR_ACTIVATIONS = ("identity", "logistic", "tanh", "relu")
_THEIR_SOLVERS = ("lbfgs", "sgd", "adam")
_THEIR_SCHEDULES = ("constant", "invscaling", "adaptive")
# What happened, by the same names in both libraries.
_HISTORY = ("n_iter_", "t_", "loss_")


def from_sklearn(model: Any) -> Any:
    """Return a fitted scikit-learn perceptron as one of fastmlp's, which predicts the same.

    Parameters
    ----------
    model : sklearn.neural_network.MLPClassifier or sklearn.neural_network.MLPRegressor
        Fitted, by any solver and loss. It is left as it is, and nothing is shared with it.

    Returns
    -------
    MLPClassifier or MLPRegressor
        With the same parameters and fitted attributes, in the type of its weights. `partial_fit` goes on
        training with a fresh state of the solver.

    Raises
    ------
    TypeError
        If it is neither of the two.
    NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> import fastmlp
    >>> from sklearn.neural_network import MLPClassifier
    >>> X, y, X_test, y_test = fastmlp.datasets.load_digits()
    >>> theirs = MLPClassifier((32,), early_stopping=True, random_state=0).fit(X / 16, y)
    >>> ours = fastmlp.from_sklearn(theirs)
    >>> bool(abs(ours.predict_proba(X_test / 16) - theirs.predict_proba(X_test / 16)).max() < 1e-12)
    True
    """
    if not isinstance(model, TheirClassifier | TheirRegressor):
        raise TypeError(
            f"model={shown(model)} must be an MLPClassifier or MLPRegressor of sklearn.neural_network, not "
            f"{type(model).__module__}.{type(model).__name__}."
        )
    check_is_fitted(model)
    is_classifier = isinstance(model, TheirClassifier)
    ours: Any = MLPClassifier() if is_classifier else MLPRegressor()
    known = ours.get_params()
    ours.set_params(**{name: value for name, value in model.get_params().items() if name in known})
    ours.n_features_in_ = model.n_features_in_
    if hasattr(model, "feature_names_in_"):
        ours.feature_names_in_ = model.feature_names_in_.copy()
    if is_classifier:
        several_labels = model.out_activation_ == "logistic" and model.n_outputs_ > 1
        ours._set_classes(model.classes_.copy(), several_labels)
        ours._sparse_labels = bool(model._label_binarizer.sparse_input_)
    else:
        ours._n_targets = model.n_outputs_
    ours._set_outputs()
    ours.preparation_ = ours.target_preparation_ = None
    hidden = ours._hidden_layers()
    ours.n_layers_ = len(hidden) + 2
    ours.network_ = Network(
        [*hidden, Dense(ours.n_outputs_, ours.out_activation_)],
        model.n_features_in_,
        dtype=model.coefs_[0].dtype.name,
        engine=ours.engine,
        random_state=0,
    )
    parts = (*ours.coefs_, *ours.intercepts_), (*model.coefs_, *model.intercepts_)
    for part, theirs in zip(*parts, strict=True):
        part[:] = theirs
    for name in _HISTORY:
        setattr(ours, name, getattr(model, name))
    ours.loss_curve_ = list(getattr(model, "loss_curve_", ()))  # lbfgs has none
    best_loss = min(ours.loss_curve_, default=model.loss_)
    stops_early = ours.early_stopping and not is_full_batch(ours.solver)
    ours.best_loss_ = None if stops_early else best_loss
    ours.validation_scores_ = list(getattr(model, "validation_scores_", None) or ()) or None
    ours.validation_loss_curve_ = None
    ours.validation_score_ = ours._known_history().kept_score
    ours._trained_by = ours._frozen_params()
    return ours


def to_sklearn(estimator: Any) -> Any:
    """Return a fitted estimator as scikit-learn's: what `MLPClassifier.to_sklearn` does."""
    is_classifier = hasattr(estimator, "classes_")
    model = TheirClassifier() if is_classifier else TheirRegressor()
    model.set_params(**_their_parameters(estimator, model.get_params()))
    model.n_features_in_ = estimator.n_features_in_
    if "feature_names_in_" in estimator.__dict__:
        model.feature_names_in_ = estimator.feature_names_in_.copy()
    model.n_layers_, model.n_outputs_ = estimator.n_layers_, estimator.n_outputs_
    model.out_activation_ = "exp" if estimator._loss_name == "poisson" else estimator.out_activation_
    if is_classifier:
        model.classes_ = estimator.classes_.copy()
        labels = np.repeat([[0], [1]], estimator.n_outputs_, axis=1)  # of indicators only their shape counts
        if estimator._sparse_labels:
            labels = csr_matrix(labels)
        model._label_binarizer = LabelBinarizer().fit(labels if estimator._multilabel else model.classes_)
    model.coefs_, model.intercepts_ = _folded(estimator)
    for name in _HISTORY:
        setattr(model, name, getattr(estimator, name))
    # What its solvers keep from epoch to epoch.
    scores = estimator.validation_scores_
    model.loss_curve_ = list(estimator.loss_curve_)
    model._no_improvement_count = 0
    model._best_coefs = [coef.copy() for coef in model.coefs_]
    model._best_intercepts = [intercept.copy() for intercept in model.intercepts_]
    if estimator.early_stopping:
        model.best_loss_, model.validation_scores_ = None, list(scores or ())
        # What its epochs are compared with: no score is above NaN.
        model.best_validation_score_ = np.nanmax([-np.inf, *(scores or ())])
    else:
        model.best_loss_ = estimator.best_loss_ if _is_same_loss(estimator) else np.inf
        model.validation_scores_ = model.best_validation_score_ = None
    return model


def _is_same_loss(estimator: Any) -> bool:
    """Return whether scikit-learn's losses are the same numbers, so that its epochs can be held against ours.

    They take the mean over several targets, in their own units, and add to Poisson's what makes a deviance.
    """
    is_plain = estimator._loss_name == "squared_error" and estimator.n_outputs_ == 1
    return hasattr(estimator, "classes_") or (is_plain and estimator.target_preparation_ is None)


def _their_parameters(estimator: Any, known: dict[str, Any]) -> dict[str, Any]:
    """Return scikit-learn's parameters for an estimator; refuse a model that it does not have."""
    hidden = estimator.network_.layers[:-1]
    names = {layer.activation for layer in hidden}
    for layer in hidden:
        if layer.norm:
            raise _not_theirs(f"{layer.norm}_norm=True", "layers that normalise")
        if layer.activation not in _THEIR_ACTIVATIONS:
            raise _not_theirs(f"activation={layer.activation!r}", f"only {', '.join(_THEIR_ACTIVATIONS)}", "")
    if len(names) > 1:
        activations = [layer.activation for layer in hidden]
        raise _not_theirs(f"activation={shown(activations)}", "one activation for all hidden layers", "")
    if not hasattr(estimator, "classes_") and estimator.out_activation_ != "identity":
        raise _not_theirs(f"output_activation={estimator.output_activation!r}", "such outputs")
    loss, losses = estimator._loss_name, _their_losses(estimator, known)
    if loss not in losses:
        raise _not_theirs(f"loss={loss!r}", f"for such targets only {', '.join(losses)}", "")
    parameters = {
        name: value
        for name, value in estimator.get_params(deep=False).items()
        if name in known and name != "loss"
    }
    parameters["hidden_layer_sizes"] = tuple(layer.units for layer in hidden)
    parameters["activation"] = names.pop() if names else "relu"
    if "loss" in known:
        parameters["loss"] = loss
    return parameters | _their_solver(estimator)


def _not_theirs(what: str, of_theirs: str, has: str = "no ") -> ValueError:
    return ValueError(f"{what}: scikit-learn's perceptrons have {has}{of_theirs}.")


def _their_losses(estimator: Any, known: dict[str, Any]) -> tuple[str, ...]:
    """Return the losses that scikit-learn has for the targets of an estimator, by our names."""
    if hasattr(estimator, "classes_"):
        return ("cross_entropy",) if estimator._several else ("binary_cross_entropy",)
    return ("squared_error", "poisson") if "loss" in known else ("squared_error",)  # "poisson" since 1.7


def _their_solver(estimator: Any) -> dict[str, Any]:
    """Return the parameters of the nearest solver and schedule that scikit-learn has."""
    solver = estimator._optimizer()
    schedule = estimator.learning_rate
    found = {"learning_rate": schedule if schedule in _THEIR_SCHEDULES else "constant"}
    if estimator.solver in _THEIR_SOLVERS:
        return found | {"solver": estimator.solver}
    if isinstance(solver, SGD):
        nesterov = {"momentum": solver.momentum, "nesterovs_momentum": solver.nesterov}
        return found | nesterov | {"solver": "sgd", "learning_rate_init": solver.learning_rate}
    if isinstance(solver, Adam):
        betas = {"beta_1": solver.beta_1, "beta_2": solver.beta_2, "epsilon": solver.epsilon}
        return found | betas | {"solver": "adam", "learning_rate_init": solver.learning_rate}
    return found | {"solver": "adam"}


def _folded(estimator: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return weights (n_in, n_out) and biases; float64 if the preparation of inputs or targets is in them."""
    is_plain = estimator.preparation_ is None and estimator.target_preparation_ is None
    dtype = estimator.network_.dtype if is_plain else np.float64
    parts = linear_parts(estimator, dtype)
    coefs = [np.array(weight.T, order="C") for weight, _ in parts]
    return coefs, [bias for _, bias in parts]
