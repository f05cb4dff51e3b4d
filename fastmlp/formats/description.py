"""An estimator as a description and tensors, and back; safetensors_file.py makes a file of them.

Everything is data: names from fixed lists, numbers and strings. Nothing that is loaded is run.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastmlp import activations, augmentations, initializers, losses, optimizers, schedules
from fastmlp._support.checks import number, shown
from fastmlp.engine.selection import DTYPES, can_train_in
from fastmlp.formats.safetensors_file import FormatError, write
from fastmlp.layers import Dense
from fastmlp.network.network import Network
from fastmlp.network.preparation import Preparation

# Fitted attributes that follow from the layers and the classes: a file must agree.
_DERIVED = ("n_outputs_", "out_activation_", "n_layers_", "_loss_name", "_multilabel")
# Fitted attributes that tell what happened.
_HISTORY = (
    "n_iter_", "t_", "loss_", "best_loss_", "loss_curve_", "validation_scores_", "validation_loss_curve_",
)  # fmt: skip
# Parameters that are not data, or are about the machine: they begin at their defaults in a loaded model.
_LEFT_OUT = ("callbacks", "n_threads")
# Parameters that every file has, those of the first version. Whatever was added since may be missing from a
# file, and has its default then: this list never grows.
_FIRST = (
    "hidden_layer_sizes", "activation", "solver", "alpha", "batch_size", "learning_rate",
    "learning_rate_init", "power_t", "max_iter", "shuffle", "random_state", "tol", "verbose", "momentum",
    "nesterovs_momentum", "beta_1", "beta_2", "epsilon", "n_iter_no_change", "dtype", "engine", "prepare",
)  # fmt: skip
# What a parameter can be an instance of: its base, and the names of what a file can hold.
_KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "schedule": (schedules.Schedule, schedules.BY_NAME),
    "optimizer": (optimizers.Optimizer, optimizers.BY_NAME),
    "augmentation": (augmentations.Augmentation, augmentations.BY_NAME),
    "loss": (losses.Loss, losses.BY_NAME),
    "initializer": (initializers.Initializer, initializers.BY_NAME),
}
# What a layer can have beside units and an activation.
_LAYER_SETTINGS = ("dropout", "batch_norm", "layer_norm", "trainable")
# Types of class labels that a file can hold: bool, integers, floats, strings; and objects that are strings.
_LABEL_KINDS = "biufU"


# What makes the network and its loss: a file has them as they were when the model was trained, whatever has
# been set since.
_AS_TRAINED = (
    "hidden_layer_sizes", "activation", "dropout", "batch_norm", "layer_norm", "dtype", "engine", "prepare",
    "output_activation", "loss", "label_smoothing",
)  # fmt: skip
# What goes wrong in a description that does not fit together.
_MISFITS = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)


def save(estimator: Any, path, **notes: Any) -> None:
    """Write a fitted estimator to a file; also notes, in JSON, which loading ignores.

    Raises
    ------
    TypeError
        If it is of a subclass, which a file does not know.
    ValueError
        If `restore` would not read what the file would hold.
    """
    from fastmlp.estimators.loading import ESTIMATORS

    check_is_fitted(estimator)
    cls = type(estimator)
    if ESTIMATORS.get(cls.__name__) is not cls:
        raise TypeError(
            f"{cls.__module__}.{cls.__qualname__} cannot be saved to a model file: it holds models of "
            f"{' and '.join(ESTIMATORS)} alone, not of subclasses. Use pickle or joblib.dump."
        )
    try:
        description, tensors = _describe(estimator)
        model, layers = _restore_description(cls, json.loads(json.dumps(description, allow_nan=False)))
        model._check_params()
        _check_tensors(model, description, tensors, layers)
    except _MISFITS as error:
        raise ValueError(f"this model cannot be saved: {error}") from error
    write(path, {**notes, **description}, tensors)


def _describe(estimator: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    network, fitted = estimator.network_, estimator.__dict__
    description = {
        "estimator": type(estimator).__name__,
        "parameters": describe_parameters(estimator),
        "dtype": network.dtype.name,
        "layers": [_describe_layer(layer) for layer in network.layers],
        "fitted": {
            name: _plain(name, getattr(estimator, name))
            for name in ("n_features_in_", *_DERIVED, *_HISTORY)
            if hasattr(estimator, name)
        },
    }
    if (score := getattr(estimator, "validation_score_", None)) is not None:
        description["fitted"]["validation_score_"] = _plain("validation_score_", score)
    if "classes_" in fitted:
        description["classes"] = describe_labels(estimator.classes_)
        if estimator._sparse_labels:
            description["sparse_labels"] = True
    if "feature_names_in_" in fitted:
        description["feature_names"] = estimator.feature_names_in_.tolist()
    tensors: dict[str, np.ndarray] = {}
    for i, parts in enumerate(network.parts()):
        tensors |= {f"layers.{i}.{name}": part for name, part in parts.items()}
    for name in ("preparation", "target_preparation"):
        if (preparation := fitted[f"{name}_"]) is not None:
            tensors[f"{name}.center"], tensors[f"{name}.scale"] = preparation.center, preparation.scale
    return description, tensors


def describe_parameters(estimator: Any) -> dict[str, Any]:
    """Return the parameters as a file has them.

    Raises
    ------
    ValueError
        If a file cannot hold one of them.
    """
    parameters = estimator.get_params(deep=False)
    trained_by = vars(estimator).get("_trained_by", {})
    parameters |= {name: trained_by[name] for name in _AS_TRAINED if name in trained_by}
    return {name: _plain(name, value) for name, value in parameters.items() if name not in _LEFT_OUT}


def restore(cls: type, path, description: dict[str, Any], tensors: dict[str, np.ndarray]) -> Any:
    """Return the estimator of a class that a file describes.

    Raises
    ------
    FormatError
        If anything in the description or the tensors does not fit together.
    """
    try:
        model, layers = _restore_description(cls, description)
        _check_tensors(model, description, tensors, layers)
        _restore_network(model, description["dtype"], tensors, layers)
    except _MISFITS as error:
        raise FormatError(
            f"{path}: its description and its tensors do not fit together ({error})."
        ) from error
    return model


def _restore_description(cls: type, description: dict[str, Any]) -> tuple[Any, list[Dense]]:
    """Return an estimator with all but its arrays, and its layers."""
    parameters = {name: _object(value) for name, value in dict(description["parameters"]).items()}
    if not set(_FIRST) <= parameters.keys() <= cls().get_params().keys() - set(_LEFT_OUT):
        raise ValueError(f"parameters {', '.join(parameters)}")
    model = cls(**parameters)
    fitted = dict(description["fitted"])
    model.n_features_in_ = fitted.pop("n_features_in_")
    number("n_features_in_", model.n_features_in_, at_least=1, whole=True)
    layers = [_layer(*fields) for fields in description["layers"]]
    _restore_targets(model, description, fitted, layers)
    for name in _DERIVED:
        derived, value = getattr(model, name, None), fitted.pop(name, None)
        if value != derived or type(value) is not type(derived):
            raise ValueError(f"{name} is {value!r}, but its layers and classes make it {derived!r}")
    for name in _HISTORY:
        setattr(model, name, _object(fitted.pop(name)))
    model.validation_score_ = model._known_history().kept_score
    if "validation_score_" in fitted:  # files of the first version lack it
        model.validation_score_ = float(_object(fitted.pop("validation_score_")))
    if fitted:
        raise ValueError(f"unknown entries {', '.join(map(repr, fitted))}")
    if "feature_names" in description:
        model.feature_names_in_ = _feature_names(description["feature_names"], model.n_features_in_)
    model._trained_by = model._frozen_params()
    return model, layers


def _describe_layer(layer: Dense) -> list[Any]:
    """Return a layer's units and activation, and of its other settings those that are not the default."""
    others = {name: getattr(layer, name) for name in _LAYER_SETTINGS}
    plain = Dense(layer.units)
    others = {name: value for name, value in others.items() if value != getattr(plain, name)}
    return [layer.units, layer.activation, others] if others else [layer.units, layer.activation]


def _layer(units: int, activation: str, others: dict[str, Any] | None = None) -> Dense:
    others = others or {}
    if not others.keys() <= set(_LAYER_SETTINGS):
        raise ValueError(f"a layer with {', '.join(others)}")
    return Dense(units, activations.canonical(activation), **others)


def _restore_targets(model, description, fitted, layers) -> None:
    """Restore the classes, or what stands for them in a regressor, and check the last layer against it."""
    if hasattr(model, "_set_classes"):
        model._set_classes(_labels(**description["classes"]), bool(fitted["_multilabel"]))
        model._set_outputs()
        model._sparse_labels = description.get("sparse_labels", False)
        if type(model._sparse_labels) is not bool or (model._sparse_labels and not model._multilabel):
            raise ValueError(f"sparse_labels is {model._sparse_labels!r}")
    elif "classes" in description:
        raise ValueError("a regressor has no classes")
    else:
        model._n_targets = layers[-1].units // model._choose_loss().outputs_per_target
        model._set_outputs()
    model.n_layers_ = len(layers) + 1
    if (layers[-1].units, layers[-1].activation) != (model.n_outputs_, model.out_activation_):
        raise ValueError(f"the last layer is {layers[-1]}, not {model.n_outputs_} {model.out_activation_}")


def _labels(dtype: str, values: list) -> np.ndarray:
    """Return class labels; refuse what is not a sorted list of labels of this type."""
    if not isinstance(dtype, str) or (dtype != "object" and np.dtype(dtype).kind not in _LABEL_KINDS):
        raise ValueError(f"class labels cannot be of type {dtype!r}")
    if np.dtype(dtype).kind == "U" and np.array(values).dtype != np.dtype(dtype):
        raise ValueError(f"class labels {shown(values)} are not of type {dtype}")
    labels = np.array(values, dtype=dtype)
    text = dtype == "object" and not all(isinstance(label, str) for label in labels)
    if not isinstance(values, list) or labels.ndim != 1 or labels.tolist() != values or text:
        raise ValueError(f"class labels {shown(values)} are not of type {dtype}")
    if len(labels) == 0 or any(one >= other for one, other in pairwise(values)):
        raise ValueError(f"class labels {shown(values)} are not in order")
    return labels


def _feature_names(names: Any, n_features: int) -> np.ndarray:
    if (
        not isinstance(names, list)
        or len(names) != n_features
        or not all(isinstance(name, str) for name in names)
    ):
        raise ValueError(f"feature names {names!r} for {n_features} features")
    return np.array(names, dtype=object)


def _check_tensors(model, description, tensors, layers) -> None:
    """Check the tensors against the layers, before anything is allocated for them."""
    dtype = description["dtype"]
    if dtype not in DTYPES or dtype == "bfloat16":
        raise ValueError(f"dtype is {dtype!r}")
    sizes = [model.n_features_in_, *(layer.units for layer in layers)]
    expected: dict[str, tuple[tuple[int, ...], str]] = {}
    for i, layer in enumerate(layers):
        expected[f"layers.{i}.weight"] = ((layer.units, sizes[i]), dtype)
        expected |= {f"layers.{i}.{name}": ((layer.units,), dtype) for name in layer.vectors}
    n_targets = sizes[-1] // model._loss.outputs_per_target
    for name, n in (("preparation", sizes[0]), ("target_preparation", n_targets)):
        if f"{name}.center" in tensors:
            expected |= {f"{name}.center": ((n,), "float64"), f"{name}.scale": ((n,), "float64")}
    found = {name: (tensor.shape, tensor.dtype.name) for name, tensor in tensors.items()}
    if found != expected:
        raise ValueError(f"tensors {found}, expected {expected}")
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise ValueError(f"tensor {name} holds NaN or infinity")
        if name.endswith(".variance") and tensor.min() < 0:
            raise ValueError(f"tensor {name} is negative")


def _restore_network(model, dtype, tensors, layers) -> None:
    """Make the preparations and the network of the tensors."""
    for name in ("preparation", "target_preparation"):
        there = f"{name}.center" in tensors
        prepared = Preparation(tensors[f"{name}.center"], tensors[f"{name}.scale"]) if there else None
        setattr(model, f"{name}_", prepared)
    model.network_ = Network(
        layers,
        model.n_features_in_,
        # The file has float32; training goes on in bfloat16 where this machine can.
        dtype="bfloat16" if model.dtype == "bfloat16" and can_train_in("bfloat16") else dtype,
        engine=model.engine,
        preparation=model.preparation_,
        random_state=0,
    )
    for i, parts in enumerate(model.network_.parts()):
        for name, part in parts.items():
            part[:] = tensors[f"layers.{i}.{name}"]


def _plain(name: str, value: Any) -> Any:
    """Return a value as JSON can hold it."""
    for kind, (base, choices) in _KINDS.items():
        if isinstance(value, base):
            names = {cls: name for name, cls in choices.items()}
            if type(value) not in names:
                raise ValueError(
                    f"{name}={shown(value)} cannot be saved: only one of fastmlp's own kinds of {kind} can."
                )
            return {kind: names[type(value)], **asdict(value)}
    if isinstance(value, activations.Activation):
        return activations.canonical(value, name)
    if name == "scoring" and callable(value):
        return None
    if name == "random_state" and not isinstance(value, int | np.integer | None):
        return None
    if isinstance(value, dict):  # JSON's keys are strings, those of class_weight any labels
        return {"pairs": [[_plain(name, item) for item in pair] for pair in value.items()]}
    if hasattr(value, "__len__") and not isinstance(value, str):
        return [_plain(name, item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Real) and not isinstance(value, int):
        value = float(value)
    if isinstance(value, float) and not np.isfinite(value):
        return {"float": str(value)}  # JSON has no infinity
    if not isinstance(value, str | int | float | None):
        raise ValueError(f"{name}={value!r} is nothing that a file can hold.")
    return value


def _object(value: Any) -> Any:
    """Return what `_plain` wrote as a dictionary, also in a list; all else as it is."""
    if isinstance(value, list):
        return [_object(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"float"}:
        return float(value["float"])
    if set(value) == {"pairs"}:
        return {_object(key): _object(item) for key, item in value["pairs"]}
    fields = dict(value)
    (kind,) = fields.keys() & _KINDS.keys()
    return _KINDS[kind][1][fields.pop(kind)](**fields)


def describe_labels(classes: np.ndarray) -> dict[str, Any]:
    """Return class labels as a file has them; refuse those that it cannot hold."""
    strings = classes.dtype.kind == "O" and all(isinstance(label, str) for label in classes)
    if classes.dtype.kind not in _LABEL_KINDS and not strings:
        raise ValueError(f"class labels of type {classes.dtype} cannot be saved; use numbers or strings.")
    if classes.dtype == np.longdouble or (classes.dtype.kind == "f" and not np.isfinite(classes).all()):
        raise ValueError(f"the class labels {classes!r} are nothing that a file can hold.")
    values = classes.tolist()
    if classes.dtype.kind == "U":
        classes = np.array(values)  # strings no longer than they need to be: what a reader allocates
    return {"dtype": "object" if strings else classes.dtype.str, "values": values}
