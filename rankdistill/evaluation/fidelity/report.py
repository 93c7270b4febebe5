"""A student's fidelity for people: one static HTML page."""

from __future__ import annotations

import json
from pathlib import Path

from rankdistill import files
from rankdistill.evaluation.fidelity.records import (
    MEASURES,
    PAGE,
    Fidelity,
    agreement_rows,
    gap_rows,
)
from rankdistill.evaluation.pages import render
from rankdistill.evaluation.plots import BAR, figure, svg

TEMPLATE = "fidelity.html.j2"

HISTOGRAM_INCHES = (2.2, 4.6)
"""Height and width."""

BINS = 20


def write_html(found: Fidelity, folder: Path) -> None:
    """Write `report.html` into `folder`; the same result gives the same bytes."""
    page = render(
        TEMPLATE,
        result=found,
        agreement=agreement_rows(found),
        gap=None if found.gap is None else gap_rows(found.gap),
        gap_figure=None if found.gap is None else svg(found.gap.plot()),
        histograms=[
            (MEASURES[one.measure].format(k=found.k), histogram(found, one.measure)) for one in found.agreements
        ],
        signature=json.dumps(found.signature, indent=1, ensure_ascii=False),
    )
    files.write_text(folder / PAGE, page)


def histogram(found: Fidelity, measure: str) -> str:
    """How many queries have which value of a measure."""
    values = found.to_polars().get_column(measure).drop_nulls().to_numpy()
    height, width = HISTOGRAM_INCHES
    drawing, axes = figure(height, width)
    if measure == "margin_r2":
        values = values.clip(-1.0, 1.0)  # below that a query tells no more
    low = {"spearman": -1.0, "kendall": -1.0, "margin_r2": -1.0}.get(measure, 0.0)
    high = max(float(values.max()) if len(values) else 1.0, 1e-6) if measure == "kl_divergence" else 1.0
    axes.hist(values, bins=BINS, range=(low, high), color=BAR)
    axes.set_ylabel("queries")
    axes.set_xlabel(MEASURES[measure].format(k=found.k))
    return svg(drawing)
