"""Tools find the functions of the C core under their own names: in the sources and in what was built."""

import platform
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from fastmlp.engine import core

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for kind in ("*.c", "*.h") for path in (ROOT / "csrc").rglob(kind))
#: The lists of names, and the two headers of every unit, may paste names together.
PASTING = {"csrc/fastmlp.h", "csrc/isa/begin.h", "csrc/isa/end.h"}


def needs(tool):
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"needs {tool}")


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def test_no_macro_defines_a_function():
    found = []
    for path in SOURCES:
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text().replace("\\\n", " ")
        for line in re.findall(r"^#define .*", text, re.MULTILINE):
            if re.search(r"\b(static|void)\b.*\(.*\)\s*\{", line) or ("##" in line and name not in PASTING):
                found.append(f"{name}: {line}")
    assert not found


@needs("ctags")
@needs("nm")
def test_ctags_lists_every_function_once_per_file_under_its_own_name():
    lines = output("ctags", "-x", "--language-force=C", "--kinds-c=f", *map(str, SOURCES)).splitlines()
    tags = Counter((line.split()[3], line.split()[0]) for line in lines)
    assert [tag for tag, n in tags.items() if n > 1] == []
    names = {name for _, name in tags}
    # What the compiler made of them, but for what Cython added: clones have a suffix behind a dot.
    symbols = [line.split() for line in output("nm", core.__file__).splitlines()]
    made = {parts[2].partition(".")[0] for parts in symbols if len(parts) == 3 and parts[1] in "tT"}
    ours = {name for name in made if name in names or name.startswith(("tile_", "fastmlp_", "batch_norm"))}
    assert ours - names == set()
    assert {"tile_forward", "batch_norm_backward", "loss_gradient", "fastmlp_run_stages"} <= ours


@needs("gdb")
def test_gdb_breaks_on_a_kernel_in_every_unit():
    text = output("gdb", "-batch", "-nx", "-ex", "break tile_forward", core.__file__)
    n_units = 2 * (3 if platform.machine() == "x86_64" else 2)  # types, and instruction sets compiled
    assert f"({n_units} locations)" in text
