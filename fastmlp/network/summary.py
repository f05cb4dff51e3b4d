"""A table of a network's layers, as text and as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from fastmlp.engine.plan import LayerPlan, Plan
from fastmlp.network.inputs import Inputs

#: The columns, and whether they hold numbers, which stand at the right.
_COLUMNS = (
    ("Layer", True), ("Activation", False), ("Outputs", True), ("Parameters", True), ("Also", False),
)  # fmt: skip


@dataclass(frozen=True)
class Summary:
    """The layers of a plan with their sizes, below what the network takes and what computes it."""

    plan: Plan
    computed_in: str
    operations: str
    inputs: Inputs

    def text(self) -> str:
        """Return the table in plain text."""
        table = [[name for name, _ in _COLUMNS], *self._rows()]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [_line(row, widths) for row in table]
        lines.insert(1, "-" * max(map(len, lines)))
        return "\n".join([*self._title(), *lines, *self._totals()])

    def html(self) -> str:
        """Return the table as HTML."""
        head = "".join(f"<th>{escape(name)}</th>" for name, _ in _COLUMNS)
        rows = "".join(f"<tr>{''.join(map(_cell, row, _COLUMNS))}</tr>" for row in self._rows())
        return (
            f"<div>{'<br>'.join(map(escape, self._title()))}"
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
            f"{'<br>'.join(map(escape, self._totals()))}</div>"
        )

    def _title(self) -> list[str]:
        sizes = "-".join(str(n) for n in (self.plan.n_features, *(one.n_out for one in self.plan.layers)))
        n = self.plan.n_features
        prepared = ", standardised" * (self.inputs.preparation is not None)
        return [
            f"Network {sizes}, {self.computed_in}, {self.operations} engine",
            f"Inputs: {n:,} feature{'s' * (n > 1)}{prepared}",
        ]

    def _rows(self) -> list[list[str]]:
        return [
            [str(i), layer.activation, f"{layer.n_out:,}", f"{sum(_counts(layer)):,}", _others(layer)]
            for i, layer in enumerate(self.plan.layers)
        ]

    def _totals(self) -> list[str]:
        counts = [_counts(layer) for layer in self.plan.layers]
        trainable, fixed = sum(one for one, _ in counts), sum(one for _, one in counts)
        n_bytes = (trainable + fixed) * self.plan.dtype.itemsize
        return [
            f"Parameters: {trainable + fixed:,} ({n_bytes:,} bytes)",
            f"Trainable: {trainable:,}",
            f"Not trainable: {fixed:,}",
        ]


def _counts(layer: LayerPlan) -> tuple[int, int]:
    """Return how many of a layer's parameters training learns, and how many it does not.

    It does not learn those of a frozen layer, nor the running statistics of a batch normalisation.
    """
    learned = layer.n_in * layer.n_out + len(layer.learned) * layer.n_out
    others = (len(layer.vectors) - len(layer.learned)) * layer.n_out
    return (learned, others) if layer.trainable else (0, learned + others)


def _others(layer: LayerPlan) -> str:
    """Return what a layer normalises and drops, and whether it is frozen."""
    return ", ".join(
        [f"{layer.norm} norm"] * bool(layer.norm)
        + [f"dropout {layer.dropout:g}"] * bool(layer.dropout)
        + ["frozen"] * (not layer.trainable)
    )


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        cell.rjust(width) if is_number else cell.ljust(width)
        for cell, width, (_, is_number) in zip(row, widths, _COLUMNS, strict=True)
    )
    return "  ".join(cells).rstrip()


def _cell(text: str, column: tuple[str, bool]) -> str:
    return f'<td style="text-align: {"right" if column[1] else "left"}">{escape(text)}</td>'
