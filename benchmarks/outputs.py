"""Files that --out names: refused before anything is measured, and written whole or not at all.

fastmlp is imported only here, once it is needed: the process that measures loads no contender before.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def writable_file(text: str) -> Path:
    """Return the path in the text, of a file that can be written."""
    from fastmlp._support.files import check_writable

    try:
        check_writable(text)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return Path(text)


def writable_folder(text: str) -> Path:
    """Return the path in the text, of a folder that files can be written into, or that can be made."""
    folder = Path(text)
    writable_file(str(next(one for one in (folder, *folder.parents) if one.exists()) / "results.json"))
    return folder


def write(path: Path, content: str | bytes) -> None:
    """Write a file."""
    from fastmlp._support.files import replacing

    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)
