"""The modules of versions 0.1 and 0.2 under their names of then, for imports and for files that name them.

A pickle or a file of skops names the module of each class that it needs. `MLPClassifier` and the other
classes keep the module that defines them as their ``__module__``, as scikit-learn's estimators do. A shorter
"fastmlp" would never change, but with it `inspect.getsource`, `typing.get_type_hints` and doctest look into
the wrong module. A module that moves gets a line in this table instead, which stays for as long as files of
that version can be read.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

#: The present name of each former module.
FORMER_MODULES = {
    "fastmlp.classifier": "fastmlp.estimators.classifier",
    "fastmlp.config": "fastmlp.environment",
    "fastmlp.divergence": "fastmlp.training.divergence",
    "fastmlp.gradients": "fastmlp.training.gradient_check",
    "fastmlp.history": "fastmlp.training.history",
    "fastmlp.many": "fastmlp.estimators.many",
    "fastmlp.preparation": "fastmlp.network.preparation",
    "fastmlp.recipe": "fastmlp.estimators.recipe",
    "fastmlp.regressor": "fastmlp.estimators.regressor",
    "fastmlp.stopping": "fastmlp.training.watch",
    "fastmlp.storage": "fastmlp.formats.safetensors_file",
    "fastmlp.sweeps": "fastmlp.estimators.fitted_models",
    "fastmlp.trainer": "fastmlp.training.trainer",
}


class FormerModules:
    """A finder and loader of the former modules: each takes its names from the present one, with a warning.

    Parameters
    ----------
    public : collection of str
        The names that can be imported from ``fastmlp`` itself, which the warning then recommends.
    """

    def __init__(self, public: Collection[str]) -> None:
        self.public = public

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a former module, and None for any other."""
        if fullname not in FORMER_MODULES:
            return None
        return ModuleSpec(fullname, self)  # type: ignore[arg-type]  # it has a loader's methods

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module without any names."""
        return ModuleType(spec.name, f"The former name of {FORMER_MODULES[spec.name]}.")

    def exec_module(self, module: ModuleType) -> None:
        """Have the module import each name from the present one when it is asked for."""

        def take(name: str) -> Any:
            former, present = module.__name__, FORMER_MODULES[module.__name__]
            if name.startswith("__"):  # of the import system
                raise AttributeError(f"module {former!r} has no attribute {name!r}")
            value = getattr(import_module(present), name)
            home = "fastmlp" if name in self.public else present
            warnings.warn(
                f"{former}.{name} is deprecated since fastmlp 0.3; use {home}.{name}.",
                DeprecationWarning,
                stacklevel=2,
            )
            return value

        module.__dict__["__getattr__"] = take
