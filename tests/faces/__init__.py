"""The compiled kernels and operations as Python functions: for tests and benchmarks, not in the package.

`kernels` and `operations` are built in place by ``python tests/faces/build.py``, as `make test` does.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
SOURCES = [
    *FOLDER.glob("*.pyx"),
    *ROOT.glob("csrc/*.[dh]*"),
    *(ROOT / "fastmlp" / "engine" / name for name in ("csrc.pxd", "core.pxd")),
]


def is_built(name: str) -> bool:
    """Return whether a module is there, and no older than what it is built from."""
    built = [path.stat().st_mtime for path in FOLDER.glob(f"{name}.*.so")]
    return bool(built) and min(built) >= max(path.stat().st_mtime for path in SOURCES)


if not (is_built("kernels") and is_built("operations")):
    raise ImportError("the faces of the kernels are not built; run `python tests/faces/build.py`")
