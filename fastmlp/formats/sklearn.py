"""Fitted models from scikit-learn's perceptrons and to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import check_is_fitted

from fastmlp._support.checks import shown
from fastmlp.formats.folding import with_preparations
from fastmlp.formats.model import FittedModel
from fastmlp.formats.plain_model import PlainModel
from fastmlp.layers import Dense
from fastmlp.losses import Poisson, SquaredError
from fastmlp.optimizers import SGD, Adam, Optimizer, is_full_batch

# What scikit-learn's hidden layers can have.
_THEIR_ACTIVATIONS = ("identity", "logistic", "tanh", "relu")
_THEIR_SOLVERS = ("lbfgs", "sgd", "adam")
_THEIR_SCHEDULES = ("constant", "invscaling", "adaptive")


def plain_model_of(theirs: Any, known: Mapping[str, Collection[str]]) -> PlainModel:
    """Return a fitted scikit-learn perceptron in plain data, which shares nothing with it.

    Parameters
    ----------
    theirs : sklearn.neural_network.MLPClassifier or sklearn.neural_network.MLPRegressor
    known : mapping of str to collection of str
        The names of the parameters that our estimator of each name has.

    Raises
    ------
    TypeError
        If it is neither of the two.
    NotFittedError
        If it is not fitted.
    """
    if not isinstance(theirs, TheirClassifier | TheirRegressor):
        raise TypeError(
            f"model={shown(theirs)} must be an MLPClassifier or MLPRegressor of sklearn.neural_network, not "
            f"{type(theirs).__module__}.{type(theirs).__name__}."
        )
    check_is_fitted(theirs)
    is_classifier = isinstance(theirs, TheirClassifier)
    name = "MLPClassifier" if is_classifier else "MLPRegressor"
    *hidden, last = [len(intercept) for intercept in theirs.intercepts_]
    arrays: dict[str, NDArray[Any]] = {}
    for i, (coef, intercept) in enumerate(zip(theirs.coefs_, theirs.intercepts_, strict=True)):
        arrays |= {f"layers.{i}.weight": coef.T.copy(), f"layers.{i}.bias": intercept.copy()}
    loss_curve = list(getattr(theirs, "loss_curve_", ()))  # lbfgs has none
    stops_early = theirs.early_stopping and not is_full_batch(theirs.solver)
    return PlainModel(
        estimator_name=name,
        parameters={one: value for one, value in theirs.get_params().items() if one in known[name]},
        n_features=theirs.n_features_in_,
        feature_names=theirs.feature_names_in_.copy() if hasattr(theirs, "feature_names_in_") else None,
        layers=(
            *(Dense(units, theirs.activation) for units in hidden),
            Dense(last, theirs.out_activation_ if is_classifier else "identity"),
        ),
        dtype=theirs.coefs_[0].dtype.name,
        arrays=arrays,
        labels=theirs.classes_.copy() if is_classifier else None,
        is_multilabel=is_classifier and theirs.out_activation_ == "logistic" and theirs.n_outputs_ > 1,
        is_sparse=is_classifier and bool(theirs._label_binarizer.sparse_input_),
        derived=None,
        record={
            "n_iter_": theirs.n_iter_,
            "t_": theirs.t_,
            "loss_": theirs.loss_,
            "best_loss_": None if stops_early else min(loss_curve, default=theirs.loss_),
            "loss_curve_": loss_curve,
            "validation_scores_": list(getattr(theirs, "validation_scores_", None) or ()) or None,
            "validation_loss_curve_": None,
        },
    )


def to_sklearn(model: FittedModel, parameters: Mapping[str, Any], optimizer: Optimizer) -> Any:
    """Return a fitted model as scikit-learn's estimator: what `MLPClassifier.to_sklearn` does.

    Parameters
    ----------
    model : FittedModel
    parameters : mapping of str to object
        The estimator's.
    optimizer : Optimizer
        What they stand for.
    """
    theirs = TheirClassifier() if model.is_classifier else TheirRegressor()
    theirs.set_params(**_their_parameters(model, parameters, optimizer, theirs.get_params()))
    network, outputs, record = model.network, model.outputs, model.record
    theirs.n_features_in_ = network.n_features
    if model.feature_names is not None:
        theirs.feature_names_in_ = model.feature_names.copy()
    theirs.n_layers_, theirs.n_outputs_ = len(network.layers) + 1, outputs.n_outputs
    theirs.out_activation_ = "exp" if isinstance(model.loss, Poisson) else outputs.activation
    if model.targets.classes is not None:
        theirs.classes_ = model.targets.classes.copy()
        labels = np.repeat([[0], [1]], outputs.n_outputs, axis=1)  # of indicators only their shape counts
        if model.targets.is_sparse:
            labels = csr_matrix(labels)
        theirs._label_binarizer = LabelBinarizer().fit(
            labels if model.targets.is_multilabel else theirs.classes_
        )
    theirs.coefs_, theirs.intercepts_ = _weights(model)
    theirs.n_iter_, theirs.t_, theirs.loss_ = record.n_iter, record.samples_seen, record.loss
    # What its solvers keep from epoch to epoch.
    scores = record.validation_scores or []
    theirs.loss_curve_ = list(record.history.loss)
    theirs._no_improvement_count = 0
    theirs._best_coefs = [coef.copy() for coef in theirs.coefs_]
    theirs._best_intercepts = [intercept.copy() for intercept in theirs.intercepts_]
    if parameters["early_stopping"]:
        theirs.best_loss_, theirs.validation_scores_ = None, list(scores)
        # What its epochs are compared with: no score is above NaN.
        theirs.best_validation_score_ = np.nanmax([-np.inf, *scores])
    else:
        theirs.best_loss_ = record.best_loss if _is_same_loss(model) else np.inf
        theirs.validation_scores_ = theirs.best_validation_score_ = None
    return theirs


def _is_same_loss(model: FittedModel) -> bool:
    """Return whether scikit-learn's losses are the same numbers, so that its epochs can be held against ours.

    They take the mean over several targets, in their own units, and add to Poisson's what makes a deviance.
    """
    is_plain = isinstance(model.loss, SquaredError) and model.outputs.n_outputs == 1
    return model.is_classifier or (is_plain and model.target_preparation is None)


def _their_parameters(
    model: FittedModel, parameters: Mapping[str, Any], optimizer: Optimizer, known: Mapping[str, Any]
) -> dict[str, Any]:
    """Return scikit-learn's parameters for a model; refuse one that it does not have."""
    hidden = model.network.layers[:-1]
    names = {layer.activation for layer in hidden}
    for layer in hidden:
        if layer.norm:
            raise _not_theirs(f"{layer.norm}_norm=True", "layers that normalise")
        if layer.activation not in _THEIR_ACTIVATIONS:
            raise _not_theirs(f"activation={layer.activation!r}", f"only {', '.join(_THEIR_ACTIVATIONS)}", "")
    if len(names) > 1:
        activations = [layer.activation for layer in hidden]
        raise _not_theirs(f"activation={shown(activations)}", "one activation for all hidden layers", "")
    if not model.is_classifier and model.outputs.activation != "identity":
        raise _not_theirs(f"output_activation={parameters['output_activation']!r}", "such outputs")
    losses = _their_losses(model, known)
    if model.loss.name not in losses:
        raise _not_theirs(f"loss={model.loss.name!r}", f"for such targets only {', '.join(losses)}", "")
    found = {name: value for name, value in parameters.items() if name in known and name != "loss"}
    found["hidden_layer_sizes"] = tuple(layer.units for layer in hidden)
    found["activation"] = names.pop() if names else "relu"
    if "loss" in known:
        found["loss"] = model.loss.name
    if isinstance(found["verbose"], str):  # "bar"
        found["verbose"] = True
    return found | _their_solver(parameters, optimizer)


def _not_theirs(what: str, of_theirs: str, has: str = "no ") -> ValueError:
    return ValueError(f"{what}: scikit-learn's perceptrons have {has}{of_theirs}.")


def _their_losses(model: FittedModel, known: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the losses that scikit-learn has for the targets of a model, by our names."""
    if model.is_classifier:
        return ("cross_entropy",) if model.targets.is_several else ("binary_cross_entropy",)
    return ("squared_error", "poisson") if "loss" in known else ("squared_error",)  # "poisson" since 1.7


def _their_solver(parameters: Mapping[str, Any], optimizer: Optimizer) -> dict[str, Any]:
    """Return the parameters of the nearest solver and schedule that scikit-learn has."""
    solver, schedule = parameters["solver"], parameters["learning_rate"]
    found = {"learning_rate": schedule if schedule in _THEIR_SCHEDULES else "constant"}
    if solver in _THEIR_SOLVERS:
        return found | {"solver": solver}
    if isinstance(optimizer, SGD):
        nesterov = {"momentum": optimizer.momentum, "nesterovs_momentum": optimizer.nesterov}
        return found | nesterov | {"solver": "sgd", "learning_rate_init": optimizer.learning_rate}
    if isinstance(optimizer, Adam):
        betas = {"beta_1": optimizer.beta_1, "beta_2": optimizer.beta_2, "epsilon": optimizer.epsilon}
        return found | betas | {"solver": "adam", "learning_rate_init": optimizer.learning_rate}
    return found | {"solver": "adam"}


def _weights(model: FittedModel) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """Return weights (n_in, n_out) and biases; float64 if the preparation of inputs or targets is in them."""
    is_plain = model.preparation is None and model.target_preparation is None
    parts = with_preparations(model, model.network.dtype if is_plain else np.float64)
    coefs = [np.array(weight.T, order="C") for weight, _ in parts]
    return coefs, [bias for _, bias in parts]
