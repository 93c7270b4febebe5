"""The gate's report as files: one static HTML page with histograms, and all its numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from rankdistill import files
from rankdistill.evaluation.pages import render
from rankdistill.evaluation.plots import BAR, figure, svg
from rankdistill.gate.registry import CHECKS
from rankdistill.gate.verdict import Histogram, Report

TEMPLATE = "gate.html.j2"
HISTOGRAM_INCHES = (2.4, 5.0)
"""Height and width."""


def write_html(report: Report, path: Path) -> None:
    """Write the page; nothing in it is loaded from elsewhere, and the same report gives the same bytes."""
    page = render(
        TEMPLATE,
        report=report,
        checks=list(CHECKS),
        figures={
            teacher.teacher_id: [
                (histogram.title, histogram_plot(histogram))
                for verdict in teacher.verdicts
                for histogram in verdict.histograms
            ]
            for teacher in report.teachers
        },
    )
    files.write_text(path, page)


def write_json(report: Report, path: Path) -> None:
    """Write the verdicts with all their numbers."""
    files.write_text(path, json.dumps(report.to_json(), indent=1, ensure_ascii=False) + "\n")


def histogram_plot(histogram: Histogram) -> str:
    """Bars of the counts."""
    height, width = HISTOGRAM_INCHES
    drawing, axes = figure(height, width)
    edges = np.asarray(histogram.edges)
    axes.bar(edges[:-1], histogram.counts, width=np.diff(edges), align="edge", color=BAR)
    axes.set_ylabel("count")
    axes.margins(x=0.01)
    return svg(drawing)
