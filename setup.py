"""The extension modules and their flags; everything else is in pyproject.toml."""

import os
from glob import glob

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("FASTMLP_DEBUG") == "1"
SANITIZE = os.environ.get("FASTMLP_SANITIZE")  # "address,undefined" or "thread"

# No -ffast-math, no contraction: every fused multiply-add is explicit, so that all instruction sets
# give the same bits. No -march: csrc/cpu.c chooses at run time.
compile_args = ["-std=c11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-pthread"]
link_args = ["-pthread"]
if SANITIZE:
    compile_args += [f"-fsanitize={SANITIZE}", "-fno-omit-frame-pointer", "-g"]
    link_args += [f"-fsanitize={SANITIZE}"]

C_CORE = sorted(glob("csrc/**/*.c", recursive=True))
HEADERS = sorted(glob("csrc/**/*.h", recursive=True) + glob("csrc/*.def"))

extensions = [
    Extension(
        f"fastmlp.engine.{name}",
        [f"fastmlp/engine/{name}.pyx", *c_sources],
        depends=HEADERS,
        include_dirs=["csrc", np.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
        extra_compile_args=compile_args,
        extra_link_args=link_args,
    )
    for name, c_sources in (
        ("core", C_CORE),
        ("blas", []),
        ("operations", []),
        ("walk", []),
        ("update", []),
        ("passes", []),
        ("native", []),
        ("prediction", []),
        ("compiled", []),
    )
]

directives = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,
    "embedsignature": True,
    "freethreading_compatible": False,
}

setup(ext_modules=cythonize(extensions, compiler_directives=directives))
