"""What a grid of dimensions x precision says, as table rows and as heat maps."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rankdistill import files
from rankdistill.display import Table
from rankdistill.evaluation.measured import Measured
from rankdistill.evaluation.measures import TITLES
from rankdistill.evaluation.plots import INK, canvas, literal
from rankdistill.evaluation.system_table import Rows

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FILE_NAME, PAGE = "robustness.json", "report.html"
FIRST, RANDOM = "first dimensions", "random dimensions"
PANEL_WIDTH, ROW_HEIGHT, MARGIN = 3.4, 0.42, 1.0
"""Inches."""
LOWEST, DARK, HIGHEST = 0.5, 0.85, 1.1
"""Retention at which the colours of the heat maps begin, need white text, and end."""


@dataclass(frozen=True)
class Cell:
    """One number of dimensions at one precision.

    Args:
        dimension: how many were kept.
        precision: see `rankdistill.evaluation.precisions`.
        ndcg_at_10: of the first `dimension` dimensions.
        random: nDCG@10 of each random choice of as many; empty where all are kept.
    """

    dimension: int
    precision: str
    ndcg_at_10: float
    random: tuple[float, ...] = ()

    @property
    def random_mean(self) -> float | None:
        """Mean over the random choices."""
        return float(np.mean(self.random)) if self.random else None

    @property
    def random_deviation(self) -> float | None:
        """Their standard deviation (of a sample); None for fewer than two."""
        return float(np.std(self.random, ddof=1)) if len(self.random) > 1 else None


@dataclass(frozen=True)
class SystemGrid:
    """All cells of one system.

    Args:
        name: of the pairing.
        dimension: of its vectors.
        full: nDCG@10 of all dimensions in float32: what retention is measured against.
        cells: precision by precision.
    """

    name: str
    dimension: int
    full: float
    cells: tuple[Cell, ...]

    def retention(self, value: float | None) -> float | None:
        """`value` as a share of the own full value; None where either is missing."""
        return value / self.full if value is not None and self.full else None


@dataclass(frozen=True, repr=False)
class Robustness(Measured):
    """The grids of several systems on the same queries; they print as one table.

    Args:
        signature: what the numbers depend on.
    """

    data: str
    split: str
    queries: int
    documents: int
    systems: tuple[SystemGrid, ...]
    signature: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        names = ", ".join(system.name for system in self.systems)
        return f"Robustness({names}: {self.data}, {self.split}, {self.queries:,} queries)"

    def tables(self) -> list[Table]:
        """A system at a precision a row."""
        title = f"{TITLES['ndcg_at_10']} on {self.data}, {self.split}, {self.queries} queries"
        return [Table(title, *grid_rows(self), texts=3)]

    def lines(self) -> list[str]:
        """Where the report lies."""
        return [] if self.path is None else [str(self.path / PAGE)]

    def to_polars(self) -> pl.DataFrame:
        """A cell a row: system, precision, dimension, ndcg_at_10, retention, random_mean, random_deviation."""
        import polars as pl

        schema = {
            "system": pl.String,
            "precision": pl.String,
            "dimension": pl.Int64,
            **dict.fromkeys(("ndcg_at_10", "retention", "random_mean", "random_deviation"), pl.Float64),
        }
        rows = [
            [
                *(system.name, cell.precision, cell.dimension, cell.ndcg_at_10),
                *(system.retention(cell.ndcg_at_10), cell.random_mean, cell.random_deviation),
            ]
            for system in self.systems
            for cell in system.cells
        ]
        return pl.DataFrame(rows, schema=schema, orient="row")

    def plot(self) -> Figure:
        """Heat maps of retention by precision and dimensions."""
        return heat_map(self)

    def to_json(self) -> dict[str, Any]:
        """All fields, with retention and the random choices' mean and deviation."""
        content = asdict(self)
        for system, shown in zip(self.systems, content["systems"], strict=True):
            shown["cells"] = [
                asdict(cell)
                | {
                    "retention": system.retention(cell.ndcg_at_10),
                    "random_mean": cell.random_mean,
                    "random_deviation": cell.random_deviation,
                    "random_retention": system.retention(cell.random_mean),
                }
                for cell in system.cells
            ]
        return content

    def write(self, folder: Path) -> None:
        """Write `robustness.json` into `folder`."""
        files.write_text(folder / FILE_NAME, json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n")


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


def heat_map(result: Robustness) -> Figure:
    """Retention by precision (rows) and dimensions (columns): a column of panels a system, random choices below."""
    kinds = [kind for kind, read in READ.items() if any(read(cell) is not None for cell in result.systems[0].cells)]
    precisions = len(_precisions(result.systems[0]))
    drawing = canvas(PANEL_WIDTH * len(result.systems), len(kinds) * (MARGIN + ROW_HEIGHT * precisions))
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
    axes.set_title(f"{literal(system.name)}, {kind}", fontsize=9, color=INK)


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
