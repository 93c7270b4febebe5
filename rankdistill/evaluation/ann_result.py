"""What is found under approximate search, as table rows and as a plot."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import files
from rankdistill.display import Table
from rankdistill.evaluation.measured import Measured
from rankdistill.evaluation.measures import TITLES
from rankdistill.evaluation.plots import BAR, INK, POINT, figure, literal
from rankdistill.evaluation.system_table import Rows

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure

FILE_NAME, PAGE = "ann.json", "report.html"
COLOURS = (INK, POINT, BAR)


@dataclass(frozen=True)
class Point:
    """One value of the search parameter.

    Args:
        value: of the parameter.
        recall: share of the 10 documents of exact search, with the same query vectors, that were found, or others with
            scores as high; mean.
        ndcg_at_10: of what was found.
        milliseconds: a query, searched on one thread in one batch, without encoding; None where it was not timed.
    """

    value: int
    recall: float
    ndcg_at_10: float
    milliseconds: float | None


@dataclass(frozen=True)
class Curve:
    """One system's recall against effort.

    Args:
        name: of the pairing.
        exact: nDCG@10 of exact search.
        points: in the order of the values.
        needed: recall (as `0.95`) -> smallest value of the parameter that reaches it, None where even the largest of
            the values does not.
    """

    name: str
    exact: float
    points: tuple[Point, ...]
    needed: Mapping[str, int | None]


@dataclass(frozen=True, repr=False)
class AnnRecall(Measured):
    """The curves of several systems on one index; they print as two tables.

    Args:
        signature: what the numbers depend on.
    """

    data: str
    split: str
    queries: int
    documents: int
    factory: str
    parameter: str
    curves: tuple[Curve, ...]
    signature: Mapping[str, Any] = field(default_factory=dict)

    def ratios(self) -> dict[str, dict[str, float | None]]:
        """System -> recall -> how many times the first system's effort it needs; None where one is not known."""
        base = self.curves[0].needed
        return {
            curve.name: {
                target: value / first if value and first else None
                for (target, value), first in zip(curve.needed.items(), base.values(), strict=True)
            }
            for curve in self.curves[1:]
        }

    def __repr__(self) -> str:
        names = ", ".join(curve.name for curve in self.curves)
        return f"AnnRecall({names} on {self.factory}: {self.data}, {self.split}, {self.queries:,} queries)"

    def tables(self) -> list[Table]:
        """What was found for each effort, and the effort that a recall needs."""
        about = f"{self.factory} on {self.data}, {self.split}, {self.queries} queries"
        return [Table(about, *curve_rows(self)), Table("What a recall needs", *needed_rows(self))]

    def lines(self) -> list[str]:
        """Where the report lies."""
        return [] if self.path is None else [str(self.path / PAGE)]

    def to_polars(self) -> pl.DataFrame:
        """A point a row: system, parameter, value, recall, ndcg_at_10, milliseconds."""
        import polars as pl

        schema = {
            "system": pl.String,
            "parameter": pl.String,
            "value": pl.Int64,
            **dict.fromkeys(("recall", "ndcg_at_10", "milliseconds"), pl.Float64),
        }
        rows = [
            [curve.name, self.parameter, point.value, point.recall, point.ndcg_at_10, point.milliseconds]
            for curve in self.curves
            for point in curve.points
        ]
        return pl.DataFrame(rows, schema=schema, orient="row")

    def plot(self) -> Figure:
        """Recall against effort, a line a system."""
        return recall_plot(self)

    def to_json(self) -> dict[str, Any]:
        """All fields, the ratios included."""
        return asdict(self) | {"ratios": self.ratios()}

    def write(self, folder: Path) -> None:
        """Write `ann.json` into `folder`."""
        files.write_text(folder / FILE_NAME, json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n")


def curve_rows(result: AnnRecall) -> Rows:
    """A system at a value of the parameter a row; the last row of each is exact search."""
    timed = any(point.milliseconds is not None for curve in result.curves for point in curve.points)
    header = ["queries by", result.parameter, "recall@10", TITLES["ndcg_at_10"], *(["ms/query"] if timed else [])]
    rows = []
    for curve in result.curves:
        for point in curve.points:
            taken = [] if point.milliseconds is None else [f"{point.milliseconds:.3f}"]
            rows.append([curve.name, str(point.value), f"{point.recall:.4f}", f"{point.ndcg_at_10:.4f}", *taken])
        rows.append([curve.name, "exact", "1.0000", f"{curve.exact:.4f}", *(["-"] if timed else [])])
    return header, rows


def needed_rows(result: AnnRecall) -> Rows:
    """A system a row: the effort that each recall needs, and how many times the first system's that is."""
    largest = result.curves[0].points[-1].value
    ratios = result.ratios()
    header = ["queries by", *(f"{result.parameter} for {target}" for target in result.curves[0].needed)]
    rows = []
    for curve in result.curves:
        shown = [curve.name]
        for target, value in curve.needed.items():
            ratio = ratios.get(curve.name, {}).get(target)
            times = "" if ratio is None else f" (x{ratio:.2f})"
            shown.append((f"> {largest}" if value is None else str(value)) + times)
        rows.append(shown)
    return header, rows


def recall_plot(result: AnnRecall) -> Figure:
    """Recall against effort, a line a system."""
    drawing, axes = figure(3.4)
    for curve, colour in zip(result.curves, COLOURS, strict=False):
        values = [point.value for point in curve.points]
        axes.plot(values, [point.recall for point in curve.points], color=colour, marker="o", label=literal(curve.name))
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel(literal(result.parameter))
    axes.set_ylabel("recall@10")
    axes.legend(frameon=False, fontsize=9)
    return drawing
