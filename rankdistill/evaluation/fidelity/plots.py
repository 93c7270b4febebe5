"""The gap as bars, from a perfect ranking down to the student's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rankdistill.evaluation.plots import BAR, BAR_HEIGHT, INK, POINT, RULE, figure, literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Step:
    """One bar.

    Args:
        ranking: what it is of.
        value: its nDCG@10.
        stage: what leads to it from the bar above; None for the first.
        taken: what that takes, as it is printed.
    """

    ranking: str
    value: float
    stage: str | None = None
    taken: float = 0.0


def gap_plot(steps: Sequence[Step]) -> Figure:
    """Bars from the first ranking down; the stronger part of each is what its stage takes."""
    drawing, axes = figure(0.9 + BAR_HEIGHT * len(steps))
    axes.axvline(steps[0].value, color=RULE, linewidth=1)
    for row, step in enumerate(steps):
        axes.barh(row, step.value, color=BAR, height=0.6)
        right, said = step.value, f"{step.value:.4f}"
        if step.stage is not None:
            if step.taken > 0:
                axes.barh(row, step.taken, left=step.value, color=POINT, height=0.6)
                right += step.taken
            said += f"  {step.stage} {0.0 - step.taken:+.4f}"
        axes.annotate(said, (right, row), xytext=(6, 0), textcoords="offset points", va="center", fontsize=9, color=INK)
    axes.set_yticks(range(len(steps)), [literal(step.ranking) for step in steps])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.55)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
    axes.set_xlabel("nDCG@10")
    return drawing
