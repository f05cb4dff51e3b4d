"""What this installation of fastmlp is and what it found on the machine."""

from __future__ import annotations

import os
import platform

from fastmlp._version import __version__ as __version__
from fastmlp.engine.selection import engine_info


def config() -> dict[str, str]:
    """Return the version, the build and the machine, as lines of text by name."""
    info = engine_info()
    blas = "; ".join(f"{lib['library']} {lib['version']}, {lib['threads']} threads" for lib in info["blas"])
    try:
        n_cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        n_cpus = os.cpu_count() or 1
    return {
        "fastmlp": __version__,
        "Python": platform.python_version(),
        "compiler": info["compiler"],
        "instruction sets": ", ".join(info["instruction sets"]) + f" (in use: {info['instruction set']})",
        "engine": f"{info['engine']}, up to {info['threads']} threads",
        "bfloat16": "AVX512_BF16" if info["bfloat16"] else "not available",
        "BLAS": blas or "none found",
        "processors": f"{n_cpus} of {os.cpu_count()} usable",
    }


def show_config() -> None:
    """Print the version, compiler, instruction sets, engine, BLAS and threads; worth adding to a report."""
    lines = config()
    width = max(map(len, lines))
    for name, value in lines.items():
        print(f"{name:<{width}}  {value}")
