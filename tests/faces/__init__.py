"""The compiled kernels and operations as Python functions: for tests and benchmarks, not in the package.

`kernels` and `operations` are built in place by ``python tests/faces/build.py``, as `make test` does.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
SHARED = [
    *(ROOT / "csrc").rglob("*.h"),
    *ROOT.glob("csrc/*.def"),
    *(ROOT / "fastmlp" / "engine" / name for name in ("csrc.pxd", "core.pxd")),
]
SOURCES = {
    "kernels": [*SHARED, FOLDER / "kernels.pyx", ROOT / "fastmlp" / "engine" / "operations.pxd"],
    "operations": [*SHARED, FOLDER / "operations.pyx"],
}


def is_built(name: str) -> bool:
    """Return whether a module is there, and no older than what it is built from."""
    built = [path.stat().st_mtime for path in FOLDER.glob(f"{name}.*.so")]
    return bool(built) and min(built) >= max(path.stat().st_mtime for path in SOURCES[name])


if not all(map(is_built, SOURCES)):
    raise ImportError("the faces of the kernels are not built; run `python tests/faces/build.py`")
