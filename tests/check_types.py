"""Check the types of the README's code and of typed_calls.py as an editor does, with basedpyright.

``make lint`` runs this. An optional package that is not installed is no error.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Return the status of basedpyright over all of it, 0 without errors."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, f"README_block_{i}.py") for i in range(1, len(blocks) + 1)]
        for file, block in zip(files, blocks, strict=True):
            file.write_text(block, encoding="utf-8")
        checker = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable]
        return subprocess.run([*checker, *files, "tests/typed_calls.py"], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
