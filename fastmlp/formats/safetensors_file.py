"""Model files: safetensors with one JSON description, written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from fastmlp._support.files import replacing

FORMAT = "fastmlp"
FORMAT_VERSION = 1


class FormatError(ValueError):
    """A file is not what it says it is, or not what fastmlp can read."""


def write(path: str | os.PathLike[str], description: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
    """Write a model file: whole or not at all."""
    header = {"format": FORMAT, "format_version": FORMAT_VERSION, **description}
    metadata = {
        FORMAT: json.dumps(header, allow_nan=False)
    }  # one entry: safetensors does not keep their order
    data = save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, metadata)
    with replacing(path) as file:
        file.write(data)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the description and the tensors of a model file.

    Raises
    ------
    FormatError
        If it is not a whole safetensors file of ours, or newer than this version of fastmlp.
    """
    path = Path(os.fsdecode(path))
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file.")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            description = _description(path, metadata)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
    except FormatError:
        raise
    except (SafetensorError, TypeError, ValueError, AttributeError) as error:
        # The last three come from types that NumPy does not have.
        raise FormatError(f"{path}: not a whole safetensors file of NumPy's types ({error}).") from None
    return description, tensors


def _description(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    """Parse the description, and check the format and its version."""
    if FORMAT not in metadata:
        raise FormatError(f"{path}: a safetensors file, but not a fastmlp model.")
    try:
        description = json.loads(metadata[FORMAT])
    except (ValueError, RecursionError):
        description = None
    if not isinstance(description, dict) or description.pop("format", None) != FORMAT:
        raise FormatError(f"{path}: its description is damaged.")
    version = description.pop("format_version", None)
    if type(version) is not int or version < 1:
        raise FormatError(f"{path}: {version!r} is not a format version.")
    if version > FORMAT_VERSION:
        raise FormatError(
            f"{path}: format version {version} is newer than this fastmlp reads ({FORMAT_VERSION}); "
            "upgrade fastmlp."
        )
    return description
