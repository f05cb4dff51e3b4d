"""The command `fastmlp`, also as `python -m fastmlp`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, or say which extra it needs."""
    try:
        import pandas  # noqa: F401
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ImportError as error:
        sys.exit(f"fastmlp: the command line needs {error.name}: pip install 'fastmlp[cli]'")
    from fastmlp.cli.commands import app
    from fastmlp.cli.console import prepare_streams

    prepare_streams()
    app(prog_name="fastmlp")


if __name__ == "__main__":
    main()
