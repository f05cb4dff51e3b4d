"""Names that are imported when they are first asked for, by several threads at once."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import fastmlp

ROOT = Path(__file__).parents[1]
SCRIPT = """
import sys, threading
import fastmlp
sys.setswitchinterval(1e-6)
start, errors = threading.Barrier(8), []
def ask(first):
    start.wait()
    for name in fastmlp.__all__[first:] + fastmlp.__all__[:first]:
        try:
            getattr(fastmlp, name)
        except BaseException as error:
            errors.append(f"{name}: {error!r}")
threads = [threading.Thread(target=ask, args=(3 * i,), daemon=True) for i in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(100)
assert not any(thread.is_alive() for thread in threads), "deadlock"
print(errors)
"""


def test_threads_may_ask_for_names_at_once():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "[]\n", done.stdout + done.stderr


def test_no_module_asks_for_what_is_imported_under_the_lock():
    """Two threads could otherwise wait for each other, one for the lock and one for the module."""
    leaves = {path.stem for path in (ROOT / "fastmlp").glob("[a-z]*.py")}
    for path in (ROOT / "fastmlp").rglob("*.py"):
        if path == Path(fastmlp.__file__):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "fastmlp":
                assert {alias.name for alias in node.names} <= leaves, path
