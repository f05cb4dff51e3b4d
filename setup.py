"""The extension modules, their flags, and how they are compiled; the rest is in pyproject.toml."""

import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from glob import glob
from pathlib import Path
from threading import Semaphore

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

DEBUG = os.environ.get("FASTMLP_DEBUG") == "1"
SANITIZE = os.environ.get("FASTMLP_SANITIZE")  # "address,undefined" or "thread"
N_PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

# No -ffast-math, no contraction: every fused multiply-add is explicit, so that all instruction sets
# give the same bits. No -march: csrc/cpu.c chooses at run time.
compile_args = ["-std=c11", "-ffp-contract=off", "-fno-math-errno", "-pthread"]
link_args = ["-pthread"]
if SANITIZE:
    compile_args += [f"-fsanitize={SANITIZE}", "-fno-omit-frame-pointer"]
    link_args += [f"-fsanitize={SANITIZE}"]
if DEBUG or SANITIZE:
    compile_args.append("-g")
else:  # the names of functions stay, for debuggers and profilers
    compile_args.append("-g0")
    if sys.platform == "linux":
        link_args.append("-Wl,--strip-debug")

directives = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,
    "embedsignature": True,
    "freethreading_compatible": False,
}

# The units with the widest vectors take longest: they are the first to be compiled.
C_CORE = sorted(
    glob("csrc/**/*.c", recursive=True), key=lambda path: ("avx512" not in path, "isa" not in path, path)
)
HEADERS = sorted(glob("csrc/**/*.h", recursive=True) + glob("csrc/*.def"))


def extension(name, sources, optimization="-O2"):
    """Return an extension module that may use the C core's headers.

    The loops that take time are the C core's; the other modules compile a third faster with -O2.
    """
    return Extension(
        name,
        sources,
        depends=HEADERS,
        include_dirs=["csrc", np.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
        extra_compile_args=[*compile_args, optimization],
        extra_link_args=link_args,
    )


def declare_kernels():
    """Make engine/kernels.pxi, what Cython reads of csrc/kernels.def, unless it is up to date."""
    text = re.sub(r"/\*.*?\*/", "", Path("csrc/kernels.def").read_text(), flags=re.DOTALL)
    lines = ['cdef extern from "operations.h" nogil:', "    ctypedef struct kernels_t:"]
    for kind, name, arguments in re.findall(r"KERNEL\((\w+),\s*(\w+),\s*\((.*?)\)\)", text, flags=re.DOTALL):
        lines.append(f"        {kind} (*{name})(")
        lines += [f"            {argument.strip()}," for argument in " ".join(arguments.split()).split(",")]
        lines[-1] = lines[-1].rstrip(",") + ") noexcept nogil"
    lines.append("    ctypedef struct operations_t:")
    lines += [f"        const operation_type_t *{name}" for name in re.findall(r"OPERATION\((\w+)\)", text)]
    declarations, path = "\n".join(lines) + "\n", Path("fastmlp/engine/kernels.pxi")
    if not path.exists() or path.read_text() != declarations:
        path.write_text(declarations)


class BuildSideBySide(build_ext):
    """Compile all C files, also those of one module, on all processors."""

    def build_extensions(self):
        """Build the modules in threads, which share the processors."""
        self.parallel = max(2, N_PROCESSORS)
        compile_one, free = self.compiler._compile, Semaphore(N_PROCESSORS)

        def compile_when_free(*args, **kwargs):
            with free:
                compile_one(*args, **kwargs)

        def compile_all(sources, output_dir=None, macros=None, include_dirs=None, debug=0, extra_preargs=None,
                        extra_postargs=None, depends=None):  # fmt: skip
            macros, objects, postargs, options, build = self.compiler._setup_compile(
                output_dir, macros, include_dirs, sources, depends, extra_postargs
            )
            arguments = self.compiler._get_cc_args(options, debug, extra_preargs)
            with ThreadPoolExecutor(len(objects)) as pool:
                running = [
                    pool.submit(compile_when_free, name, *build[name], arguments, postargs, options)
                    for name in objects
                    if name in build
                ]
            for job in running:
                job.result()  # an error of the compiler
            return objects

        self.compiler.compile = compile_all
        super().build_extensions()


MODULES = ("blas", "operations", "walk", "update", "passes", "native", "prediction", "compiled")

if __name__ == "__main__":
    declare_kernels()
    modules = [extension("fastmlp.engine.core", ["fastmlp/engine/core.pyx", *C_CORE], "-O3")]
    modules += [extension(f"fastmlp.engine.{name}", [f"fastmlp/engine/{name}.pyx"]) for name in MODULES]
    setup(
        ext_modules=cythonize(modules, compiler_directives=directives, nthreads=N_PROCESSORS),
        cmdclass={"build_ext": BuildSideBySide},
    )
