"""Build the faces of the kernels for the tests, in place: python tests/faces/build.py"""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import setup

ROOT = Path(__file__).resolve().parents[2]

if __name__ == "__main__":
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    from setup import BuildSideBySide, declare_kernels, directives, extension

    declare_kernels()
    faces = [extension(f"faces.{name}", [f"tests/faces/{name}.pyx"]) for name in ("kernels", "operations")]
    setup(
        name="faces",
        packages=["faces"],
        package_dir={"": "tests"},
        ext_modules=cythonize(faces, compiler_directives=directives),
        cmdclass={"build_ext": BuildSideBySide},
        script_args=["--quiet", "build_ext", "--inplace", *sys.argv[1:]],
    )
