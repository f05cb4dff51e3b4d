"""The parameters of the estimators: their ranges and defaults, and what is built from them alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral, Real
from types import FunctionType
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import check_scoring
from sklearn.utils._param_validation import Interval, Options, StrOptions

from fastmlp import activations, augmentations, initializers, losses, optimizers, schedules
from fastmlp import preparation as preparations
from fastmlp.layers import Dense
from fastmlp.machine import DTYPES, ENGINES
from fastmlp.optimizers import LBFGS, SGD, is_full_batch

# Softmax is for outputs; across the units of a hidden layer scikit-learn's users do not expect it.
_HIDDEN_ACTIVATIONS = {*activations.NAMES, *activations.ALIASES} - {"softmax"}
# What PReLU learns belongs to hidden units.
_OUTPUT_ACTIVATIONS = {*activations.NAMES, *activations.ALIASES} - {"prelu"}


def loss_choices(*kinds: type[losses.Loss]) -> list[Any]:
    """Return what the parameter ``loss`` can be, where these kinds are fit."""
    return [StrOptions({kind.name for kind in kinds}), *kinds, None]


def frozen(value: Any) -> Any:
    """Return a value that a change of the given one in place leaves alone.

    Examples
    --------
    >>> frozen([8, [4]]), frozen({"a": 2.0})
    ((8, (4,)), (('a', 2.0),))
    """
    if isinstance(value, dict):
        return tuple((key, frozen(one)) for key, one in value.items())
    if hasattr(value, "__array__"):
        return frozen(np.asarray(value).tolist()) if np.ndim(value) else value
    if isinstance(value, Sequence) and not isinstance(value, str) and not callable(value):
        return tuple(frozen(one) for one in value)
    return value


def with_defaults(constructor: Any, **defaults: Any) -> Any:
    """Return a copy of a constructor with other defaults for some keywords; its signature says so."""
    parts = (constructor.__code__, constructor.__globals__, constructor.__name__, constructor.__defaults__)
    copy = FunctionType(*parts)
    copy.__kwdefaults__ = {**constructor.__kwdefaults__, **defaults}
    copy.__qualname__, copy.__module__ = constructor.__qualname__, constructor.__module__
    return copy


class _ActivationOptions(StrOptions):
    """Names that may carry a parameter, "leaky_relu(0.2)"; `activations.canonical` checks that."""

    def is_satisfied_by(self, val):
        return isinstance(val, str) and val.partition("(")[0] in self.options


class Parameters(BaseEstimator):
    """The parameters of MLPClassifier and MLPRegressor: what they may be, and what they stand for."""

    _parameter_constraints: dict = {  # noqa: RUF012  scikit-learn's way to declare them
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [_ActivationOptions(_HIDDEN_ACTIVATIONS), "array-like"],
        "solver": [StrOptions(set(optimizers.BY_NAME)), *optimizers.BY_NAME.values()],
        "alpha": [Interval(Real, 0, np.inf, closed="left")],
        "l2": [Interval(Real, 0, np.inf, closed="left")],
        "l1": [Interval(Real, 0, np.inf, closed="left")],
        "clip_value": [Interval(Real, 0, np.inf, closed="neither"), None],
        "clip_norm": [Interval(Real, 0, np.inf, closed="neither"), None],
        "ema_decay": [Interval(Real, 0, 1, closed="left"), None],
        "augmentation": [
            StrOptions(set(augmentations.BY_NAME)),
            augmentations.Augmentation,
            "array-like",
            None,
        ],
        "image_shape": ["array-like", None],
        "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
        "batch_norm": ["boolean", "array-like"],
        "layer_norm": ["boolean", "array-like"],
        "input_dropout": [Interval(Real, 0, 1, closed="left")],
        "input_noise": [Interval(Real, 0, np.inf, closed="left")],
        "weight_decay": [Interval(Real, 0, np.inf, closed="left"), None],
        "weight_init": [StrOptions(set(initializers.BY_NAME)), initializers.Initializer, "array-like", None],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions(set(schedules.BY_NAME)), schedules.Schedule],
        "learning_rate_init": [Interval(Real, 0, np.inf, closed="neither")],
        "power_t": [Interval(Real, 0, np.inf, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, np.inf, closed="left")],
        "verbose": ["verbose"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, np.inf, closed="neither")],
        "warm_start": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "scoring": [str, callable, None],
        "max_seconds": [Interval(Real, 0, np.inf, closed="neither"), None],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "dtype": [StrOptions({"auto", *DTYPES})],
        "engine": [StrOptions(set(ENGINES))],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "prepare": [StrOptions({"auto", *preparations.KINDS}), None],
        "output_activation": [_ActivationOptions(_OUTPUT_ACTIVATIONS), None],
        "loss": [StrOptions(set(losses.BY_NAME)), losses.Loss, None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
        "callbacks": ["array-like"],
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        momentum=0.9,
        nesterovs_momentum=True,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        warm_start=False,
        early_stopping=False,
        validation_fraction=0.1,
        scoring=None,
        max_seconds=None,
        l2=0.0,
        l1=0.0,
        weight_decay=None,
        clip_value=None,
        clip_norm=None,
        ema_decay=None,
        augmentation=None,
        image_shape=None,
        dropout=0.0,
        batch_norm=False,
        layer_norm=False,
        input_dropout=0.0,
        input_noise=0.0,
        weight_init=None,
        output_activation=None,
        loss=None,
        label_smoothing=0.0,
        class_weight=None,
        dtype="auto",
        engine="auto",
        n_threads=None,
        prepare=None,
        callbacks=(),
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.scoring = scoring
        self.max_seconds = max_seconds
        self.l2 = l2
        self.l1 = l1
        self.weight_decay = weight_decay
        self.clip_value = clip_value
        self.clip_norm = clip_norm
        self.ema_decay = ema_decay
        self.augmentation = augmentation
        self.image_shape = image_shape
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.layer_norm = layer_norm
        self.input_dropout = input_dropout
        self.input_noise = input_noise
        self.weight_init = weight_init
        self.output_activation = output_activation
        self.loss = loss
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.dtype = dtype
        self.engine = engine
        self.n_threads = n_threads
        self.prepare = prepare
        self.callbacks = callbacks

    def _frozen_params(self) -> dict[str, Any]:
        """Return the present parameters as they are now."""
        return {name: frozen(getattr(self, name)) for name in self._parameter_constraints}

    def _check_params(self):
        """Refuse parameters that no data could make good."""
        self._validate_params()
        self._hidden_layers()
        self._optimizer()
        self._scorer()

    def _hidden_layers(self) -> list[Dense]:
        sizes = self.hidden_layer_sizes
        sizes = [sizes] if isinstance(sizes, Integral) else list(sizes)
        if any(not isinstance(size, Integral) or size < 1 for size in sizes):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
        names = self._per_layer("activation", len(sizes))
        for name in names:
            if not isinstance(name, str) or name.partition("(")[0] not in _HIDDEN_ACTIVATIONS:
                raise ValueError(
                    f"activation={name!r} is not one for hidden layers; choose from "
                    f"{', '.join(sorted(_HIDDEN_ACTIVATIONS))}."
                )
        others = {one: self._per_layer(one, len(sizes)) for one in ("dropout", "batch_norm", "layer_norm")}
        return [
            Dense(
                int(size),
                activations.canonical(names[i]),
                dropout=others["dropout"][i],
                batch_norm=bool(others["batch_norm"][i]),
                layer_norm=bool(others["layer_norm"][i]),
            )
            for i, size in enumerate(sizes)
        ]

    def _per_layer(self, name: str, n_layers: int) -> list:
        """Return a parameter's value for each hidden layer, of one for all of them or a list of as many."""
        value = getattr(self, name)
        values = [value] * n_layers if isinstance(value, str) or np.ndim(value) == 0 else list(value)
        if len(values) != n_layers:
            raise ValueError(
                f"{name}={value!r} must be one value, or one for each of {n_layers} hidden layers."
            )
        return values

    def _optimizer(self):
        if not isinstance(self.solver, str):
            optimizer = self.solver
        elif self.solver == "sgd":
            optimizer = SGD(self.learning_rate_init, self.momentum, self.nesterovs_momentum)
        elif self.solver in ("adam", "adamw"):
            kind = optimizers.BY_NAME[self.solver]
            optimizer = kind(self.learning_rate_init, self.beta_1, self.beta_2, self.epsilon)
        elif self.solver == "lbfgs":
            optimizer = LBFGS(self.max_fun, tol=self.tol)
        else:
            optimizer = optimizers.BY_NAME[self.solver](self.learning_rate_init)
        if is_full_batch(optimizer):
            if self.weight_decay:
                raise ValueError(
                    f"weight_decay={self.weight_decay!r} does not go with L-BFGS: decay is not part of the "
                    "loss that it minimises; use l2 or alpha."
                )
            return optimizer
        if self.weight_decay is not None:
            optimizer = replace(optimizer, weight_decay=self.weight_decay)
        return optimizer

    def _scorer(self):
        """Return the scorer that ``scoring`` stands for, or None; scikit-learn refuses what is none."""
        return None if self.scoring is None else check_scoring(self, scoring=self.scoring)

    def _schedule(self, optimizer):
        if not isinstance(optimizer, SGD) and self.learning_rate in ("invscaling", "adaptive"):
            return "constant"  # scikit-learn heeds these two for SGD only
        if self.learning_rate == "invscaling":
            return schedules.InverseScaling(self.power_t)
        return self.learning_rate
