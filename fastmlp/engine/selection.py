"""The engines and types by name, and what of them there is on this machine."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from fastmlp._support.threads import count_threads
from fastmlp.engine.core import BFLOAT16_IS_MISSING, has_bfloat16, instruction_set
from fastmlp.engine.plan import Plan

#: What predicts for all of them but the reference.
PREDICTOR = "fastmlp.engine.prediction"
COMPILED = "fastmlp.engine.compiled"

#: The engines by name; "auto" is "tile" wherever the processor has vectors for it (engine/plan.py).
ENGINES = {
    "auto": "fastmlp.engine.native",
    "blas": "fastmlp.engine.native",
    "tile": "fastmlp.engine.native",
    "reference": "fastmlp.engine.reference.native",
}
DTYPES = ("float32", "float64", "bfloat16")


def dtype_name(dtype: Any) -> str:
    """Return the name, one of `DTYPES`, that a name or type stands for."""
    try:
        name = "bfloat16" if isinstance(dtype, str) and dtype == "bfloat16" else np.dtype(dtype).name
    except TypeError:
        name = None
    if dtype is None or name not in DTYPES:
        raise ValueError(f"dtype={dtype!r} is not supported; choose one of {', '.join(DTYPES)}.")
    return name


def choose_operations(instruction_set: str) -> str:
    """Return who multiplies where ``engine="auto"``: "tile", or "blas" where there are no vectors for tiles.

    By the machine's family alone, so that a network has the same bits wherever it is trained. Beside OpenBLAS
    0.3.30 on two threads each, tiles led with AVX-512 by 1.5 to 2.5 times, from 20-32-32-3 to
    784-4096-4096-10; with AVX2 by 1.0 to 1.3 times, but there BLAS led by 1.8 times at 784-4096-4096-10.
    """
    return "blas" if instruction_set == "portable" else "tile"


def operations_of(engine: str, dtype: str) -> str:
    """Return whose products an engine has, "tile" or "blas"; refuse one that there is not, for this type.

    Raises
    ------
    ValueError
        If the engine is unknown, or cannot compute in ``dtype``, one of `DTYPES`, on this machine.
    """
    if not isinstance(engine, str) or engine not in ENGINES:
        raise ValueError(f"engine={engine!r} is not known; choose one of {', '.join(ENGINES)}.")
    operations = engine if engine in ("blas", "tile") else choose_operations(instruction_set())
    if dtype == "bfloat16" and engine != "reference":
        if operations != "tile":
            raise ValueError(f"dtype='bfloat16' goes with engine 'tile', not {operations!r}.")
        if not has_bfloat16():
            raise ValueError(BFLOAT16_IS_MISSING)
    return operations


def in_use(engine: str, plan: Plan) -> str:
    """Return what "auto" stands for with a plan, "tile" or "blas"; any other engine as it was given."""
    return plan.operations if engine == "auto" else engine


def needs_blas(engine: str) -> bool:
    """Return whether an engine multiplies by BLAS on this machine, ours or NumPy's."""
    return engine != "tile" and (engine != "auto" or choose_operations(instruction_set()) != "tile")


def limited_blas(operations: str, n_threads: int | None) -> AbstractContextManager[Any]:
    """Keep BLAS to so many threads for as long as this is open, where ``operations`` are "blas".

    BLAS has one number of threads for the whole process; with None it stays as it is.
    """
    if n_threads is None or operations != "blas":
        return nullcontext()
    limits: AbstractContextManager[Any] = threadpool_limits(count_threads(n_threads), user_api="blas")
    return limits


def can_train_in(dtype: str) -> bool:
    """Return whether this machine can: bfloat16 needs a processor with instructions for it."""
    return dtype != "bfloat16" or has_bfloat16()


def engine_info() -> dict[str, Any]:
    """Return what the compiled engine is and what it found on this machine."""
    from threadpoolctl import ThreadpoolController

    from fastmlp.engine import core

    import_module(ENGINES["auto"])  # loads SciPy's BLAS, so that it is there to be found
    libraries = ThreadpoolController().select(user_api="blas").info()
    # NumPy's wheels bring a BLAS of their own; the engine uses SciPy's.
    ours = [library for library in libraries if "scipy.libs" in library["filepath"]] or libraries
    blas = [
        {"library": library["internal_api"], "version": library["version"], "threads": library["num_threads"]}
        for library in ours
    ]
    return {
        "compiler": core.compiler(),
        "instruction sets": core.instruction_sets(),
        "instruction set": core.instruction_set(),
        "engine": choose_operations(core.instruction_set()),
        "threads": count_threads(),
        "bfloat16": has_bfloat16(),
        "blas": blas,
    }
