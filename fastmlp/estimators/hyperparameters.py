"""The parameters of the estimators: their ranges and their defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, field, make_dataclass
from inspect import get_annotations
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, TypeVar, dataclass_transform

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.metaestimators import available_if

from fastmlp import activations, augmentations, initializers, losses, optimizers, schedules
from fastmlp.callbacks import Callback
from fastmlp.engine.selection import DTYPES, ENGINES
from fastmlp.estimators.settings import HIDDEN_ACTIVATIONS, PROGRESS_BAR, EstimatorSettings
from fastmlp.network import preparation as preparations
from fastmlp.optimizers import is_full_batch

_Class = TypeVar("_Class", bound=Any)
_Method = TypeVar("_Method", bound=Callable[..., Any])
_T = TypeVar("_T")
# What an editor is told that parameters can be; `_parameter_constraints` is what they are held to.
Int = int | np.integer
Float = float | np.floating | np.integer
Several = Sequence[_T] | NDArray[Any]
Sizes = Int | Several[int]
Activation = str | activations.Activation
Activations = Activation | Several[Activation]
Loss = str | losses.Loss | None

# What PReLU learns belongs to hidden units.
_OUTPUT_ACTIVATIONS = {*activations.NAMES, *activations.ALIASES} - {"prelu"}


def loss_choices(*kinds: type[losses.Loss]) -> list[Any]:
    """Return what the parameter ``loss`` can be, where these kinds are fit."""
    return [StrOptions({kind.name for kind in kinds}), *kinds, None]


def checks_parameters(method: _Method) -> _Method:
    """Have a method that fits check the parameters first, by scikit-learn's rules."""
    return _fit_context(prefer_skip_nested_validation=True)(method)


def of_batches(method: _Method) -> _Method:
    """Have estimators offer a method, which fits, only where their solver learns from batches."""
    available: _Method = available_if(_learns_from_batches)(checks_parameters(method))
    return available


def _learns_from_batches(estimator: Any) -> bool:
    if is_full_batch(estimator.solver):
        raise AttributeError("partial_fit is for stochastic solvers only; lbfgs takes all data at once.")
    return True


@dataclass_transform(kw_only_default=True, eq_default=False)
def constructed(*, kw_only: bool = True) -> Callable[[_Class], _Class]:
    """Return a decorator that makes a class's constructor of its annotated attributes, as `dataclass` does.

    The attributes of its bases are parameters, too; without ``kw_only`` its own can be passed by position,
    but for those after an attribute of the type ``KW_ONLY``.

    The class does not become a dataclass: pandas, pydantic and others would take it for a record of its
    parameters, and a copy that they make would not be fitted.
    """

    def decorate(cls: _Class) -> _Class:
        own: dict[str, tuple[Any, bool]] = {}
        by_name = kw_only
        for name, annotation in get_annotations(cls).items():
            if annotation in (KW_ONLY, "KW_ONLY"):
                by_name = True
            elif not name.startswith("_"):
                own[name] = vars(cls)[name], by_name
        cls._own_parameters = own
        parameters: dict[str, tuple[Any, bool]] = {}
        for base in reversed(cls.__mro__):
            parameters |= vars(base).get("_own_parameters", {})
        fields = [
            (name, Any, field(default=default, kw_only=by_name))
            for name, (default, by_name) in parameters.items()
        ]
        made = make_dataclass(cls.__qualname__, fields, namespace={"__module__": cls.__module__})
        cls.__init__ = made.__init__  # type: ignore[misc]
        cls.__init__.__annotations__ = {}  # `help` shows names and defaults
        return cls

    return decorate


class ActivationOptions(StrOptions):
    """Names that may carry a parameter, which `activations.canonical` checks, and objects of these names."""

    def is_satisfied_by(self, val: object) -> bool:
        """Return whether a value is one of them."""
        name = str(val) if type(val) in activations.BY_NAME.values() else val
        return isinstance(name, str) and name.partition("(")[0] in self.options


@constructed()
class Hyperparameters(BaseEstimator):
    """The parameters of MLPClassifier and MLPRegressor: what they may be, and their defaults."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [ActivationOptions(HIDDEN_ACTIVATIONS), "array-like"],
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
        "verbose": ["verbose", StrOptions({PROGRESS_BAR})],
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
        "output_activation": [ActivationOptions(_OUTPUT_ACTIVATIONS), None],
        "loss": [StrOptions(set(losses.BY_NAME)), losses.Loss, None],
        "callbacks": ["array-like"],
    }

    # The subclasses repeat those of the first three that can be passed by position.
    loss: Loss = None
    hidden_layer_sizes: Sizes = (100,)
    activation: Activations = "relu"
    solver: str | optimizers.Optimizer = "adam"
    alpha: Float = 0.0001
    batch_size: Int | Literal["auto"] = "auto"
    learning_rate: str | schedules.Schedule = "constant"
    learning_rate_init: Float = 0.001
    power_t: Float = 0.5
    max_iter: Int = 200
    shuffle: bool = True
    random_state: Int | np.random.RandomState | None = None
    tol: float = 1e-4
    verbose: bool | int | Literal["bar"] = False
    momentum: Float = 0.9
    nesterovs_momentum: bool = True
    beta_1: Float = 0.9
    beta_2: Float = 0.999
    epsilon: Float = 1e-8
    n_iter_no_change: Float = 10
    max_fun: Int = 15000
    warm_start: bool = False
    early_stopping: bool = False
    validation_fraction: Float = 0.1
    scoring: str | Callable[..., Any] | None = None
    max_seconds: Float | None = None
    l2: Float = 0.0
    l1: Float = 0.0
    weight_decay: Float | None = None
    clip_value: Float | None = None
    clip_norm: Float | None = None
    ema_decay: Float | None = None
    augmentation: str | augmentations.Augmentation | Sequence[str | augmentations.Augmentation] | None = None
    image_shape: Sequence[int] | None = None
    dropout: Float | Several[float] = 0.0
    batch_norm: bool | Several[bool] = False
    layer_norm: bool | Several[bool] = False
    input_dropout: Float = 0.0
    input_noise: Float = 0.0
    weight_init: str | initializers.Initializer | Sequence[str | initializers.Initializer] | None = None
    output_activation: Activation | None = None
    dtype: str = "auto"
    engine: str = "auto"
    n_threads: int | None = None
    prepare: str | None = None
    callbacks: Sequence[Callback] = ()

    def _settings(self) -> EstimatorSettings:
        """Return the present parameters."""
        return EstimatorSettings({name: getattr(self, name) for name in self._parameter_constraints})
