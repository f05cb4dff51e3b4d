"""Imports of what only a part of fastmlp needs."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def needed(module: str, caller: str, command: str) -> Any:
    """Import a module that only a part of fastmlp needs; say how to install it where it is not.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(f"{caller} needs {module}, which is not installed: {command}.") from error
