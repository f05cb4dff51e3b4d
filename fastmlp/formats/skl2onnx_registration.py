"""The estimators in skl2onnx's table of classes, whichever of the two packages is imported first.

skl2onnx asks the steps of a pipeline for the methods `onnx_parser`, `onnx_shape_calculator` and
`onnx_converter`, which our estimators have. Its converters of meta-estimators (`BaggingClassifier`,
`GridSearchCV`, ...) look the class of each part up in a table instead, and none of our code runs between
``import skl2onnx`` and that look-up. skl2onnx has no entry points, and importing it here would make
``import fastmlp`` slower for everybody. What remains is a finder: it lets the other finders find skl2onnx,
and adds to the table after the import.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

from sklearn.base import ClassifierMixin, RegressorMixin

_ALIASES = {ClassifierMixin: "FastmlpMLPClassifier", RegressorMixin: "FastmlpMLPRegressor"}
_classes: list[type] = []


def register(cls: type) -> None:
    """Add a class of estimators to skl2onnx's table, now or when skl2onnx is imported."""
    _classes.append(cls)
    if hasattr(sys.modules.get("skl2onnx"), "update_registered_converter"):  # it is imported, to its end
        _add(cls)


def _add(cls: type) -> None:
    """Add a class to the table; a change in skl2onnx must not break the import of either package."""
    try:
        from skl2onnx import update_registered_converter

        for kind, alias in _ALIASES.items():
            if issubclass(cls, kind):
                update_registered_converter(cls, alias, _set_types, _convert)
    except Exception as error:
        warnings.warn(f"skl2onnx does not accept fastmlp's {cls.__name__}: {error!r}", stacklevel=2)


def _set_types(operator: Any) -> None:
    from fastmlp.formats.skl2onnx import set_types  # which imports skl2onnx, and may be what imports it

    set_types(operator)


def _convert(scope: Any, operator: Any, container: Any) -> None:
    from fastmlp.formats.skl2onnx import convert

    convert(scope, operator, container)


class _Finder:
    """A finder that finds what the others find."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Return the spec of skl2onnx with a loader that adds the estimators after the import."""
        if name != "skl2onnx":
            return None
        others = (one for one in sys.meta_path if one is not self and hasattr(one, "find_spec"))
        spec = next(filter(None, (one.find_spec(name, path, target) for one in others)), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: Any) -> None:
                execute(module)
                for cls in _classes:
                    _add(cls)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


sys.meta_path.insert(0, _Finder())
