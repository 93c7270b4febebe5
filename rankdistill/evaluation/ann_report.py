"""Recall under approximate search for people: table rows, and one static HTML page with a plot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from rankdistill import files
from rankdistill.evaluation.ann import AnnRecall
from rankdistill.evaluation.measures import TITLES
from rankdistill.evaluation.pages import render
from rankdistill.evaluation.plots import BAR, INK, POINT, figure, png, svg
from rankdistill.evaluation.report import Rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATE, PAGE, PICTURE = "ann.html.j2", "report.html", "ann.png"
COLOURS = (INK, POINT, BAR)


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
        axes.plot(values, [point.recall for point in curve.points], color=colour, marker="o", label=curve.name)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel(result.parameter)
    axes.set_ylabel("recall@10")
    axes.legend(frameon=False, fontsize=9)
    return drawing


def write_report(result: AnnRecall, folder: Path) -> None:
    """Write `report.html` and `ann.png` into `folder`; the same result gives the same bytes."""
    drawing = recall_plot(result)
    page = render(
        TEMPLATE,
        result=result,
        tables={
            "What was found": curve_rows(result),
            "What a recall needs": needed_rows(result),
        },
        figure=svg(drawing),
        signature=json.dumps(result.signature, indent=1, ensure_ascii=False),
    )
    files.write_text(folder / PAGE, page)
    png(drawing, folder / PICTURE)
