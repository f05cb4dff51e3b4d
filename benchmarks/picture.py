"""The picture: a panel for each group and number of threads, a mark for each contender in each case.

Times are on a logarithmic axis, where equal distances are equal ratios, with a line from quartile to
quartile; `BASELINE` is drawn last and largest. It needs matplotlib.
"""

from __future__ import annotations

import io
from pathlib import Path

from benchmarks import outputs
from benchmarks.contenders import BASELINE, CONTENDERS
from benchmarks.results import CaseResult, Results

#: Inches: of a panel across, of a case down, and of what stands above and below the cases.
WIDTH, CASE_HEIGHT, MARGIN = 9.0, 0.45, 1.1

#: Marks that differ in black and white as well.
MARKERS = "oD^vs<>pPX*h"


def write(results: Results, folder: Path) -> list[Path]:
    """Write results.png and results.svg; raise ImportError without matplotlib."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    paths = [folder / f"results.{suffix}" for suffix in ("png", "svg")]
    with rc_context({"svg.hashsalt": "benchmarks"}):  # the same results give the same file
        figure = draw(results, panels_of(results))
        FigureCanvasAgg(figure)
        for path in paths:
            metadata = {"Date": None} if path.suffix == ".svg" else None
            content = io.BytesIO()
            figure.savefig(content, format=path.suffix[1:], dpi=150, bbox_inches="tight", metadata=metadata)
            outputs.write(path, content.getvalue())
    return paths


def panels_of(results: Results) -> list[tuple[str, list[CaseResult]]]:
    """Return the titles and cases of the panels; where nobody has a time, the tables say why."""
    panels: dict[str, list[CaseResult]] = {}
    for group, members in results.groups.items():
        for member in sorted(members, key=lambda member: member.threads):
            if results.rows(member):
                title = f"{group}, {member.threads} thread{'s' if member.threads > 1 else ''}"
                panels.setdefault(title, []).append(member)
    return list(panels.items())


def draw(results: Results, panels: list[tuple[str, list[CaseResult]]]):
    """Return the figure with these panels, one below the other."""
    from matplotlib.figure import Figure

    heights = [MARGIN + CASE_HEIGHT * len(members) for _, members in panels] or [MARGIN]
    figure = Figure(figsize=(WIDTH, sum(heights) + MARGIN), layout="constrained")
    if not panels:
        figure.text(0.5, 0.5, "no round was finished", ha="center")
        return figure
    axes = figure.subplots(len(panels), squeeze=False, height_ratios=heights)[:, 0]
    handles = {}
    for axis, (title, members) in zip(axes, panels, strict=True):
        handles |= _panel(axis, title, results, members)
    ordered = [name for name in results.contenders if name in handles]
    figure.legend([handles[name] for name in ordered], ordered, loc="outside lower center", ncols=5)
    figure.suptitle(f"{results.processor}; {results.started}", fontsize="medium")
    return figure


def _panel(axis, title: str, results: Results, members: list[CaseResult]) -> dict:
    """Draw a panel; return a handle for the legend for each contender in it."""
    from matplotlib.ticker import LogLocator, NullFormatter

    handles = {}
    for y, member in enumerate(members):
        scale = member.case.scale
        for row in results.rows(member):
            name = row.contender.partition("@")[0]
            first, index = row.contender == BASELINE, list(CONTENDERS).index(name)
            style = {
                "color": "black" if name == BASELINE else f"C{index % 10}",
                "marker": MARKERS[index % len(MARKERS)],
                "markersize": 8 if first else 6,
                "fillstyle": "none" if "@" in row.contender else "full",
                "linestyle": "none",
                "zorder": 3 if first else 2,
            }
            spread = [[(row.median - row.lower) * scale], [(row.upper - row.median) * scale]]
            handles[row.contender] = axis.errorbar([row.median * scale], [y], xerr=spread, **style)
    case = members[0].case
    axis.set_title(title, loc="left", fontsize="medium")
    axis.set_xscale("log")
    low, high = axis.get_xlim()
    # Beside each other the numbers of more than three powers of ten would not fit.
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlabel(f"{case.symbol} per {case.unit}")
    axis.set_yticks(range(len(members)), [member.case.name for member in members])
    axis.set_ylim(len(members) - 0.5, -0.5)
    axis.grid(axis="x", which="both", alpha=0.3)
    return handles
