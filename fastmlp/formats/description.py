"""A fitted model as a description and tensors, and back; safetensors_file.py makes a file of them.

Everything is data: names from fixed lists, numbers and strings. Nothing that is loaded is run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import activations
from fastmlp._support.checks import number
from fastmlp.engine.selection import DTYPES
from fastmlp.formats.model import FittedModel, Record
from fastmlp.formats.plain_model import PREPARATIONS, PlainModel, derived_attributes
from fastmlp.formats.plain_values import describe_labels, describe_value, labels_of, value_of
from fastmlp.layers import SETTINGS, Dense

#: What goes wrong in a description that does not fit together.
MISFITS = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)

# Entries of "fitted" that follow from others, and those that say what happened. A file may lack the last.
_DERIVED = ("n_outputs_", "out_activation_", "n_layers_", "_loss_name", "_multilabel")
_RECORD = (
    "n_iter_", "t_", "loss_", "best_loss_", "loss_curve_", "validation_scores_", "validation_loss_curve_",
)  # fmt: skip
_SCORE = "validation_score_"
# Parameters that are not data, or are about the machine: they are at their defaults in a loaded model.
_LEFT_OUT = ("callbacks", "n_threads")
# Parameters that every file has, those of the first version. Whatever was added since may be missing from a
# file, and has its default then: this list never grows.
_FIRST = (
    "hidden_layer_sizes", "activation", "solver", "alpha", "batch_size", "learning_rate",
    "learning_rate_init", "power_t", "max_iter", "shuffle", "random_state", "tol", "verbose", "momentum",
    "nesterovs_momentum", "beta_1", "beta_2", "epsilon", "n_iter_no_change", "dtype", "engine", "prepare",
)  # fmt: skip
# Parameters that estimators no longer have, and the only values of them that a file may have.
_FORMER: dict[str, dict[str, Any]] = {"MLPRegressor": {"label_smoothing": 0.0, "class_weight": None}}
# What makes the network and its loss: a file has them as they were when the model was trained, whatever has
# been set since.
_AS_TRAINED = (
    "hidden_layer_sizes", "activation", "dropout", "batch_norm", "layer_norm", "dtype", "engine", "prepare",
    "output_activation", "loss", "label_smoothing",
)  # fmt: skip


def describe(
    model: FittedModel, parameters: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the description and the tensors of a model.

    Parameters
    ----------
    model : FittedModel
    parameters : mapping of str to object
        The estimator's, as they are now.

    Raises
    ------
    ValueError
        If a file cannot hold a parameter or the class labels.
    """
    network, targets = model.network, model.targets
    fitted = {
        "n_features_in_": network.n_features,
        **derived_attributes(len(network.layers), targets, model.outputs),
        **_describe_record(model.record),
    }
    description: dict[str, Any] = {
        "estimator": model.estimator_name,
        "parameters": describe_parameters(parameters, model.parameters),
        "dtype": network.dtype.name,
        "layers": [_describe_layer(layer) for layer in network.layers],
        "fitted": {name: describe_value(name, value) for name, value in fitted.items()},
    }
    if targets.classes is not None:
        description["classes"] = describe_labels(targets.classes)
        if targets.is_sparse:
            description["sparse_labels"] = True
    if model.feature_names is not None:
        description["feature_names"] = model.feature_names.tolist()
    tensors: dict[str, NDArray[Any]] = {}
    for i, parts in enumerate(network.parts()):
        tensors |= {f"layers.{i}.{name}": part for name, part in parts.items()}
    for name, preparation in zip(PREPARATIONS, (model.preparation, model.target_preparation), strict=True):
        if preparation is not None:
            tensors[f"{name}.center"], tensors[f"{name}.scale"] = preparation.center, preparation.scale
    return description, tensors


def describe_parameters(
    parameters: Mapping[str, Any], as_trained: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return an estimator's parameters as a file has them.

    Parameters
    ----------
    parameters : mapping of str to object
        As they are now.
    as_trained : mapping of str to object, optional
        As they were when the model was trained.

    Raises
    ------
    ValueError
        If a file cannot hold one of them.
    """
    present = {name: value for name, value in parameters.items() if name not in _LEFT_OUT}
    present |= {name: value for name, value in (as_trained or {}).items() if name in _AS_TRAINED}
    return {name: describe_value(name, value) for name, value in present.items()}


def parse(
    description: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], known: Collection[str]
) -> PlainModel:
    """Return the model that `describe` was given, in plain data; nothing is allocated for its arrays.

    Parameters
    ----------
    description : mapping
        As JSON gave it, with the name of one of our estimators.
    tensors : mapping of str to ndarray
    known : collection of str
        The names of the estimator's parameters.

    Raises
    ------
    LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError
        If the description does not fit together (`MISFITS`).
    """
    name, fitted = description["estimator"], dict(description["fitted"])
    n_features = fitted.pop("n_features_in_")
    number("n_features_in_", n_features, at_least=1, whole=True)
    parameters = _parameters(name, description["parameters"], known)
    dtype = description["dtype"]
    if dtype not in DTYPES or dtype == "bfloat16":
        raise ValueError(f"dtype is {dtype!r}")
    layers = tuple(_layer(*fields) for fields in description["layers"])
    labels, is_multilabel, is_sparse = None, bool(fitted.get("_multilabel")), False
    if name == "MLPClassifier":
        labels = labels_of(**description["classes"])
        is_sparse = description.get("sparse_labels", False)
        if type(is_sparse) is not bool or (is_sparse and not is_multilabel):
            raise ValueError(f"sparse_labels is {is_sparse!r}")
    elif "classes" in description:
        raise ValueError("a regressor has no classes")
    derived = {one: fitted.pop(one) for one in _DERIVED if one in fitted}
    record = {one: value_of(fitted.pop(one)) for one in _RECORD}
    if _SCORE in fitted:  # files of the first version lack it
        record[_SCORE] = float(value_of(fitted.pop(_SCORE)))
    if fitted:
        raise ValueError(f"unknown entries {', '.join(map(repr, fitted))}")
    feature_names = None
    if "feature_names" in description:
        feature_names = _feature_names(description["feature_names"], n_features)
    return PlainModel(
        estimator_name=name,
        parameters=parameters,
        n_features=n_features,
        feature_names=feature_names,
        layers=layers,
        dtype=dtype,
        arrays=tensors,
        labels=labels,
        is_multilabel=is_multilabel,
        is_sparse=is_sparse,
        derived=derived,
        record=record,
    )


def _describe_record(record: Record) -> dict[str, Any]:
    described = {
        "n_iter_": record.n_iter,
        "t_": record.samples_seen,
        "loss_": record.loss,
        "best_loss_": record.best_loss,
        "loss_curve_": record.history.loss,
        "validation_scores_": record.validation_scores,
        "validation_loss_curve_": record.history.val_loss or None,
    }
    if record.validation_score is not None:
        described[_SCORE] = record.validation_score
    return described


def _parameters(estimator_name: str, described: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    parameters = {name: value_of(value) for name, value in dict(described).items()}
    for name, value in _FORMER.get(estimator_name, {}).items():
        if parameters.pop(name, value) != value:
            raise ValueError(f"{estimator_name} has no parameter {name}")
    if not set(_FIRST) <= parameters.keys() <= set(known) - set(_LEFT_OUT):
        raise ValueError(f"parameters {', '.join(parameters)}")
    return parameters


def _describe_layer(layer: Dense) -> list[Any]:
    """Return a layer's units and activation, and of its other settings those that are not the default."""
    others = {name: getattr(layer, name) for name in SETTINGS}
    plain = Dense(layer.units)
    others = {name: value for name, value in others.items() if value != getattr(plain, name)}
    return [layer.units, layer.activation, others] if others else [layer.units, layer.activation]


def _layer(units: int, activation: str, others: dict[str, Any] | None = None) -> Dense:
    others = others or {}
    if not others.keys() <= set(SETTINGS):
        raise ValueError(f"a layer with {', '.join(others)}")
    return Dense(units, activations.canonical(activation), **others)


def _feature_names(names: Any, n_features: int) -> NDArray[Any]:
    is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not is_list or len(names) != n_features:
        raise ValueError(f"feature names {names!r} for {n_features} features")
    return np.array(names, dtype=object)
