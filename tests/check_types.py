"""Check what a user's editor says of the README's code, of typed_calls.py and of typed_script.py.

basedpyright checks all of them, and mypy typed_script.py, strictly. ``make lint`` runs this. An optional
package that is not installed is no error.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Return 0 if neither checker finds an error."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, f"README_block_{i}.py") for i in range(1, len(blocks) + 1)]
        for file, block in zip(files, blocks, strict=True):
            file.write_text(block, encoding="utf-8")
        checker = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable]
        ours = ["tests/typed_calls.py", "tests/typed_script.py"]
        of_pyright = subprocess.run([*checker, *files, *ours], cwd=ROOT).returncode
    strict_mypy = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent"]  # silent on fastmlp/
    of_mypy = subprocess.run([*strict_mypy, "tests/typed_script.py"], cwd=ROOT).returncode
    return of_pyright or of_mypy


if __name__ == "__main__":
    sys.exit(main())
