"""The version of this installation, as pip knows it."""

from __future__ import annotations

from importlib.metadata import version

__version__ = version("fastmlp")
