"""Recall under approximate search for people: one static HTML page with a plot."""

from __future__ import annotations

import json
from pathlib import Path

from rankdistill import files
from rankdistill.evaluation.ann_result import PAGE, AnnRecall, curve_rows, needed_rows, recall_plot
from rankdistill.evaluation.pages import render
from rankdistill.evaluation.plots import png, svg

TEMPLATE, PICTURE = "ann.html.j2", "ann.png"


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
