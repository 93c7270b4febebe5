"""The grid of dimensions x precision for people: table rows, heat maps, and one static HTML page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rankdistill import files
from rankdistill.evaluation.measures import TITLES
from rankdistill.evaluation.pages import render
from rankdistill.evaluation.plots import INK, png, svg
from rankdistill.evaluation.precisions import RESCORED
from rankdistill.evaluation.report import Rows
from rankdistill.evaluation.robustness import Cell, Robustness, SystemGrid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEMPLATE, PAGE, PICTURE = "robustness.html.j2", "report.html", "robustness.png"
FIRST, RANDOM = "first dimensions", "random dimensions"
PANEL_WIDTH, ROW_HEIGHT, MARGIN = 3.4, 0.42, 1.0
"""Inches."""
LOWEST, DARK, HIGHEST = 0.5, 0.85, 1.1
"""Retention at which the colours of the heat maps begin, need white text, and end."""

READ: dict[str, Callable[[Cell], float | None]] = {
    FIRST: lambda cell: cell.ndcg_at_10,
    RANDOM: lambda cell: cell.random_mean,
}


def grid_rows(result: Robustness) -> Rows:
    """A system at a precision a row, for the first dimensions and for random ones; retention in brackets."""
    dimensions = _dimensions(result.systems[0])
    header = ["system", "precision", "kept", *map(str, dimensions)]
    rows = []
    for system in result.systems:
        for precision in _precisions(system):
            cells = {cell.dimension: cell for cell in system.cells if cell.precision == precision}
            rows.append([system.name, precision, "first", *(_first(system, cells[kept]) for kept in dimensions)])
            if any(cell.random for cell in cells.values()):
                rows.append([system.name, precision, "random", *(_random(system, cells[kept]) for kept in dimensions)])
    return header, rows


def write_report(result: Robustness, folder: Path) -> None:
    """Write `report.html` and `robustness.png` into `folder`; the same result gives the same bytes."""
    drawing = heat_map(result)
    page = render(
        TEMPLATE,
        result=result,
        table=grid_rows(result),
        measure=TITLES["ndcg_at_10"],
        rescored=RESCORED,
        figure=svg(drawing),
        signature=json.dumps(result.signature, indent=1, ensure_ascii=False),
    )
    files.write_text(folder / PAGE, page)
    png(drawing, folder / PICTURE)


def heat_map(result: Robustness) -> Figure:
    """Retention by precision (rows) and dimensions (columns): a column of panels a system, random choices below."""
    from matplotlib.figure import Figure

    kinds = [kind for kind, read in READ.items() if any(map(read, result.systems[0].cells))]
    precisions = len(_precisions(result.systems[0]))
    size = (PANEL_WIDTH * len(result.systems), len(kinds) * (MARGIN + ROW_HEIGHT * precisions))
    drawing = Figure(figsize=size, layout="constrained")
    panels = drawing.subplots(len(kinds), len(result.systems), squeeze=False)
    for line, kind in enumerate(kinds):
        for column, system in enumerate(result.systems):
            _panel(panels[line, column], system, kind)
    return drawing


def _panel(axes: Axes, system: SystemGrid, kind: str) -> None:
    dimensions, precisions = _dimensions(system), _precisions(system)
    shares = np.full((len(precisions), len(dimensions)), np.nan)
    for cell in system.cells:
        share = system.retention(READ[kind](cell))
        if share is not None:
            shares[precisions.index(cell.precision), dimensions.index(cell.dimension)] = share
    axes.imshow(shares, cmap="Blues", vmin=LOWEST, vmax=HIGHEST, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        if np.isfinite(share):
            axes.text(
                column, row, f"{share:.1%}", ha="center", va="center", fontsize=8, color="w" if share > 0.85 else INK
            )
    axes.set_xticks(range(len(dimensions)), [str(kept) for kept in dimensions])
    axes.set_yticks(range(len(precisions)), precisions)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(f"{system.name}, {kind}", fontsize=9, color=INK)


def _first(system: SystemGrid, cell: Cell) -> str:
    return f"{cell.ndcg_at_10:.4f} {_share(system.retention(cell.ndcg_at_10))}"


def _random(system: SystemGrid, cell: Cell) -> str:
    if cell.random_mean is None:
        return "-"
    spread = "" if cell.random_deviation is None else f" ±{cell.random_deviation:.3f}"
    return f"{cell.random_mean:.4f}{spread} {_share(system.retention(cell.random_mean))}"


def _share(value: float | None) -> str:
    return "" if value is None else f"({value:.1%})"


def _dimensions(system: SystemGrid) -> list[int]:
    return list(dict.fromkeys(cell.dimension for cell in system.cells))


def _precisions(system: SystemGrid) -> list[str]:
    return list(dict.fromkeys(cell.precision for cell in system.cells))
