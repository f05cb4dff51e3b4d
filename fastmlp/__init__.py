"""fastmlp: the fast multilayer perceptron for CPUs.

``fastmlp.fit(X, y)`` trains a model in one line; `MLPClassifier` and `MLPRegressor` are its scikit-learn
face, `Network` and `Trainer` spell out layers and training.

Everything public is an attribute of this package and imported when it is first asked for: ``import fastmlp``
alone is quick, and loads neither NumPy nor scikit-learn.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from threading import RLock
from typing import TYPE_CHECKING, Any

if find_spec("fastmlp.engine.core") is None:
    raise ImportError(
        "fastmlp's compiled engine is missing here, because Python imported the source checkout itself: "
        "run `pip install -e .` in it, or start Python in another folder to use an installed fastmlp."
    )

from fastmlp._support.former_modules import FormerModules

if TYPE_CHECKING:  # for editors and type checkers; `_HOMES` says the same to Python
    from fastmlp import (
        activations,
        augmentations,
        callbacks,
        datasets,
        initializers,
        layers,
        losses,
        optimizers,
        plots,
        schedules,
        studies,
    )
    from fastmlp._version import __version__
    from fastmlp.environment import show_config
    from fastmlp.estimators.classifier import MLPClassifier
    from fastmlp.estimators.fitted_models import FittedModels
    from fastmlp.estimators.loading import from_sklearn, load
    from fastmlp.estimators.many import fit_many
    from fastmlp.estimators.recipe import fit
    from fastmlp.estimators.regressor import MLPRegressor
    from fastmlp.formats.safetensors_file import FormatError
    from fastmlp.network.network import Network
    from fastmlp.network.preparation import Preparation
    from fastmlp.training.divergence import DivergenceWarning
    from fastmlp.training.gradient_check import GradientCheck, gradient_check
    from fastmlp.training.history import History
    from fastmlp.training.trainer import Trainer

__all__ = [
    "DivergenceWarning",
    "FittedModels",
    "FormatError",
    "GradientCheck",
    "History",
    "MLPClassifier",
    "MLPRegressor",
    "Network",
    "Preparation",
    "Trainer",
    "__version__",
    "activations",
    "augmentations",
    "callbacks",
    "datasets",
    "fit",
    "fit_many",
    "from_sklearn",
    "gradient_check",
    "initializers",
    "layers",
    "load",
    "losses",
    "optimizers",
    "plots",
    "schedules",
    "show_config",
    "studies",
]

#: The module of each public class and function, relative to this package; the other names are modules.
_HOMES = {
    "DivergenceWarning": "training.divergence",
    "FittedModels": "estimators.fitted_models",
    "FormatError": "formats.safetensors_file",
    "GradientCheck": "training.gradient_check",
    "History": "training.history",
    "MLPClassifier": "estimators.classifier",
    "MLPRegressor": "estimators.regressor",
    "Network": "network.network",
    "Preparation": "network.preparation",
    "Trainer": "training.trainer",
    "__version__": "_version",
    "fit": "estimators.recipe",
    "fit_many": "estimators.many",
    "from_sklearn": "estimators.loading",
    "gradient_check": "training.gradient_check",
    "load": "estimators.loading",
    "show_config": "environment",
}

if not any(isinstance(finder, FormerModules) for finder in sys.meta_path):
    sys.meta_path.append(FormerModules(__all__))

if not TYPE_CHECKING:  # a type checker would take it that any name can be imported
    # Threads that import scikit-learn at once, by modules of their own, may find parts of it half imported.
    # No module of fastmlp asks `__getattr__` for what the lock is needed for: that could be a deadlock.
    _IMPORTING = RLock()

    def __getattr__(name: str) -> Any:
        """Import a public name, or a module of this package, when it is first asked for (PEP 562)."""
        spec = None if name.startswith("_") or name in _HOMES else find_spec(f"{__name__}.{name}")
        if name in _HOMES:
            with _IMPORTING:
                value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        elif spec is not None and spec.submodule_search_locations is not None:
            with _IMPORTING:
                value = import_module(spec.name)
        elif spec is not None:
            value = import_module(spec.name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """Return the public names, also those that are not imported yet."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
