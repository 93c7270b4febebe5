"""A student's fidelity for people: one static HTML page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from rankdistill import files
from rankdistill.evaluation.fidelity.records import (
    MEASURES,
    PAGE,
    RUNGS,
    STAGES,
    Fidelity,
    Gap,
    agreement_rows,
    gap_rows,
)
from rankdistill.evaluation.pages import render
from rankdistill.evaluation.plots import BAR, BAR_HEIGHT, INK, POINT, RULE, figure, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
        gap_figure=None if found.gap is None else svg(gap_plot(found.gap)),
        histograms=[
            (MEASURES[one.measure].format(k=found.k), histogram(found, one.measure)) for one in found.agreements
        ],
        signature=json.dumps(found.signature, indent=1, ensure_ascii=False),
    )
    files.write_text(folder / PAGE, page)


def gap_plot(gap: Gap) -> Figure:
    """Bars from a perfect ranking down to the student's; the stronger part of each is what its stage takes."""
    drawing, axes = figure(0.9 + BAR_HEIGHT * len(gap.rungs))
    axes.axvline(gap.rungs[0].ndcg_at_10, color=RULE, linewidth=1)
    for row, rung in enumerate(gap.rungs):
        axes.barh(row, rung.ndcg_at_10, color=BAR, height=0.6)
        said = f"{rung.ndcg_at_10:.4f}"
        right = rung.ndcg_at_10
        if row:
            part = gap.parts[row - 1]
            if part.difference > 0:
                axes.barh(row, part.difference, left=rung.ndcg_at_10, color=POINT, height=0.6)
                right += part.difference
            said += f"  {STAGES[part.name]} {0.0 - gap.shown()[row - 1]:+.4f}"
        axes.annotate(said, (right, row), xytext=(6, 0), textcoords="offset points", va="center", fontsize=9, color=INK)
    axes.set_yticks(range(len(gap.rungs)), [RUNGS[rung.name] for rung in gap.rungs])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.55)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
    axes.set_xlabel("nDCG@10")
    return drawing


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
