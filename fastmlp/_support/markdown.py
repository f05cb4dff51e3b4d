"""Tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]], n_left: int) -> list[str]:
    r"""Return the lines of a table, with the cells of its first ``n_left`` columns to the left.

    Examples
    --------
    >>> print("\n".join(markdown_table(["run", "test"], [["wide", "9 %"]], 1)))
    | run  | test |
    |:-----|-----:|
    | wide |  9 % |
    """
    table = [[cell.replace("|", "\\|") for cell in row] for row in (headings, *rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        cells = [
            cell.ljust(width) if i < n_left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"| {' | '.join(cells)} |")
    rules = [f":{'-' * (n + 1)}" if i < n_left else f"{'-' * (n + 1)}:" for i, n in enumerate(widths)]
    lines.insert(1, f"|{'|'.join(rules)}|")
    return lines
