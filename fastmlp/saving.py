"""An estimator as a description and tensors, and back; storage.py makes a file of them.

Everything is data: names from fixed lists, numbers and strings. Nothing that is loaded is run.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from fastmlp import schedules
from fastmlp.layers import Dense
from fastmlp.network import Network
from fastmlp.preparation import Preparation
from fastmlp.storage import FormatError, write

# Fitted attributes that are plain numbers, strings or lists of numbers.
_PLAIN = (
    "n_features_in_", "n_outputs_", "out_activation_", "n_layers_", "n_iter_", "t_", "loss_", "best_loss_",
    "loss_curve_", "validation_scores_", "validation_loss_curve_", "_loss_name", "_multilabel",
)  # fmt: skip
# Parameters that are not data: they begin at their defaults in a loaded model.
_LEFT_OUT = ("callbacks",)
# Types of class labels that a file can hold: bool, integers, floats, strings, and objects that are strings.
_LABEL_KINDS = "biufUO"


class SavingMixin:
    """`save` for the estimators, and `_restore`, which `fastmlp.load` calls."""

    def save(self, path) -> None:
        """Write the fitted model to a file that `fastmlp.load`, NumPy, PyTorch and JAX can read.

        Parameters
        ----------
        path : str or path-like
            By custom ending in .safetensors. A file of that name is replaced, in one move.
        """
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self)
        write(path, *self._describe())

    def _describe(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        parameters = {
            name: _plain(name, value) for name, value in self.get_params(deep=False).items() if name not in _LEFT_OUT
        }
        description = {
            "estimator": type(self).__name__,
            "parameters": parameters,
            "dtype": self.network_.dtype.name,
            "layers": [[layer.units, layer.activation] for layer in self.network_.layers],
            "fitted": {name: _plain(name, self.__dict__[name]) for name in _PLAIN if name in self.__dict__},
        }
        if "classes_" in self.__dict__:
            description["classes"] = _describe_labels(self.classes_)
        if "feature_names_in_" in self.__dict__:
            description["feature_names"] = self.feature_names_in_.tolist()
        tensors = {}
        for i, (weight, bias) in enumerate(zip(self.coefs_, self.intercepts_, strict=True)):
            tensors[f"layers.{i}.weight"], tensors[f"layers.{i}.bias"] = weight.T, bias
        for name in ("preparation", "target_preparation"):
            if (preparation := getattr(self, f"{name}_")) is not None:
                tensors[f"{name}.center"], tensors[f"{name}.scale"] = preparation.center, preparation.scale
        return description, tensors

    @classmethod
    def _restore(cls, path, description, tensors):
        """Build the estimator again; whatever does not fit together is a FormatError."""
        try:
            parameters = dict(description["parameters"])
            if isinstance(parameters["learning_rate"], dict):
                fields = dict(parameters["learning_rate"])
                parameters["learning_rate"] = schedules.BY_NAME[fields.pop("schedule")](**fields)
            model = cls(**parameters)
            model.__dict__.update({name: description["fitted"][name] for name in _PLAIN if name in description["fitted"]})
            for name in ("preparation", "target_preparation"):
                center = tensors.get(f"{name}.center")
                prepared = None if center is None else Preparation(center, tensors[f"{name}.scale"])
                setattr(model, f"{name}_", prepared)
            layers = [Dense(units, activation) for units, activation in description["layers"]]
            expected = [model.n_features_in_, *(layer.units for layer in layers)]
            shapes = [tensors[f"layers.{i}.weight"].shape for i in range(len(layers))]
            if shapes != list(zip(expected[1:], expected[:-1], strict=True)):
                raise FormatError(f"{path}: its weights have the shapes {shapes}, which do not fit its layers.")
            model.network_ = Network(
                layers, model.n_features_in_, dtype=description["dtype"], engine=model.engine,
                preparation=model.preparation_, random_state=0,
            )  # fmt: skip
            for i, (coef, intercept) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
                coef[:], intercept[:] = tensors[f"layers.{i}.weight"].T, tensors[f"layers.{i}.bias"]
            if "classes" in description:
                model.classes_ = np.array(description["classes"]["values"], dtype=description["classes"]["dtype"])
            if "feature_names" in description:
                model.feature_names_in_ = np.array(description["feature_names"], dtype=object)
        except FormatError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FormatError(f"{path}: its description does not fit together ({error!r}).") from error
        return model


def _plain(name: str, value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, schedules.Schedule):
        names = {cls: name for name, cls in schedules.BY_NAME.items()}
        if type(value) not in names:
            raise ValueError(f"{name}={value!r} cannot be saved: only fastmlp's own schedules can.")
        return {"schedule": names[type(value)], **asdict(value)}
    if name == "random_state" and not isinstance(value, int | np.integer | None):
        return None
    if isinstance(value, np.ndarray | tuple | list):
        return [_plain(name, item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _describe_labels(classes: np.ndarray) -> dict[str, Any]:
    if classes.dtype.kind not in _LABEL_KINDS or (
        classes.dtype.kind == "O" and not all(isinstance(label, str) for label in classes)
    ):
        raise ValueError(f"class labels of type {classes.dtype} cannot be saved; use numbers or strings.")
    return {"dtype": classes.dtype.str if classes.dtype.kind != "O" else "object", "values": classes.tolist()}
