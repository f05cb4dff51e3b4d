"""The figure that pictures are drawn on; importing this module imports matplotlib."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from matplotlib.figure import Figure

from fastmlp.plots.style import style


class Picture(Figure):
    """A figure that notebooks show by themselves, with no call of pyplot, and that keeps its style."""

    def savefig(self, *args: Any, **options: Any) -> Any:
        """Write the figure, on its own ground whatever ``matplotlib.rcParams`` say by now."""
        with style():
            return super().savefig(*args, **options)

    def _repr_png_(self) -> bytes:
        """Return what a notebook shows."""
        file = BytesIO()
        self.savefig(file, format="png", dpi=120)
        return file.getvalue()
