"""The gate's report for people: rows for the terminal, and one static HTML page with histograms."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from rankdistill import files
from rankdistill.evaluation.pages import render
from rankdistill.evaluation.plots import BAR, figure, svg
from rankdistill.evaluation.report import Rows
from rankdistill.gate.registry import CHECKS
from rankdistill.gate.verdict import Histogram, Report, Status, TeacherReport

TEMPLATE = "gate.html.j2"
HISTOGRAM_INCHES = (2.4, 5.0)
"""Height and width."""


def overview_rows(report: Report) -> Rows:
    """A teacher a row: its status, and the checks that failed, warned, or could not judge."""
    header = ["teacher", "scores in", "verdict", *(f"{status}s" for status in (Status.FAIL, Status.WARN)), "unknown"]
    rows = [
        [
            teacher.name,
            teacher.score_kind,
            str(teacher.status),
            *(_names(teacher, status) for status in (Status.FAIL, Status.WARN, Status.UNKNOWN)),
        ]
        for teacher in report.teachers
    ]
    return header, rows


def verdict_rows(teacher: TeacherReport) -> Rows:
    """A check a row: its verdict, what was found, and what to do."""
    rows = [[one.check, str(one.status), one.finding, _advice(one.meaning, one.remedy)] for one in teacher.verdicts]
    return ["check", "verdict", "finding", "what it means and what to do"], rows


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


def _names(teacher: TeacherReport, status: Status) -> str:
    return ", ".join(verdict.check for verdict in teacher.of_status(status)) or "-"


def _advice(meaning: str, remedy: str) -> str:
    return "; ".join(part for part in (meaning, remedy) if part)
