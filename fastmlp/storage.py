"""Model files: safetensors with one JSON description, written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

FORMAT = "fastmlp"
FORMAT_VERSION = 1


class FormatError(ValueError):
    """A file is not what it says it is, or not what fastmlp can read."""


def write(path: str | os.PathLike, description: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
    """Write a model file: to a temporary file in the same folder first, then in its place in one move."""
    metadata = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "model": json.dumps(description, allow_nan=False),
    }
    data = save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, metadata)
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Yield a file that takes the place of ``path`` when it is whole, and leaves nothing behind if not.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target}: the folder {target.parent} does not exist.")
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes files that only their owner can read
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read(path: str | os.PathLike) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the description and the tensors of a model file.

    Raises
    ------
    FormatError
        If it is not a whole safetensors file of ours, or newer than this version of fastmlp.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file.")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            description = _description(path, metadata)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
    except SafetensorError as error:
        raise FormatError(f"{path}: not a whole safetensors file ({error}).") from None
    return description, tensors


def _description(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    """Check the format and its version, and parse the description."""
    if metadata.get("format") != FORMAT:
        raise FormatError(f"{path}: a safetensors file, but not a fastmlp model.")
    version = metadata.get("format_version", "")
    if not version.isdecimal() or int(version) > FORMAT_VERSION:
        raise FormatError(
            f"{path}: format version {version!r} is newer than this fastmlp reads "
            f"({FORMAT_VERSION}); upgrade fastmlp."
        )
    try:
        description = json.loads(metadata["model"])
    except (KeyError, ValueError):
        description = None
    if not isinstance(description, dict):
        raise FormatError(f"{path}: its description is damaged.")
    return description
