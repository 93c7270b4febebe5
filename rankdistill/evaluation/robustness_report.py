"""The grid of dimensions x precision for people: one static HTML page, and the heat maps as a picture."""

from __future__ import annotations

import json
from pathlib import Path

from rankdistill import files
from rankdistill.evaluation.measures import TITLES
from rankdistill.evaluation.pages import render
from rankdistill.evaluation.plots import png, svg
from rankdistill.evaluation.precisions import RESCORED
from rankdistill.evaluation.robustness_result import PAGE, Robustness, grid_rows, heat_map

TEMPLATE, PICTURE = "robustness.html.j2", "robustness.png"


def write_report(result: Robustness, folder: Path) -> None:
    """Write `report.html` and `robustness.png` into `folder`; the same result gives the same bytes."""
    drawing = heat_map(result)
    page = render(
        TEMPLATE,
        result=result,
        grid=grid_rows(result),
        measure=TITLES["ndcg_at_10"],
        rescored=RESCORED,
        figure=svg(drawing, themed=False),
        signature=json.dumps(result.signature, indent=1, ensure_ascii=False),
    )
    files.write_text(folder / PAGE, page)
    png(drawing, folder / PICTURE)
