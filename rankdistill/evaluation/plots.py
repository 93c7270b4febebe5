"""The plots of a report, as SVG text that can stand inside a page or as PNG files: same results, same bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rankdistill import files
from rankdistill.evaluation.measures import EVERY_TITLE as TITLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rankdistill.evaluation.curves import Curves
    from rankdistill.evaluation.systems import Comparison, System

WIDTH, BAR_HEIGHT = 7.0, 0.42
"""Inches."""

DOTS = 150
"""Of a picture, an inch."""

INK, BAR, POINT, RULE = "#1f2933", "#a9c8e8", "#2f6db5", "#c4ccd4"

THEME = {INK: "ink", "#000000": "ink", BAR: "bar", POINT: "point", RULE: "rule"}
"""Colour -> the variable `--plot-...` that a page may set in its place, as for a dark one."""


def quality_plot(systems: Sequence[System], measure: str) -> str:
    """Horizontal bars of one measure with its 95% intervals."""
    drawing, axes = figure(1.0 + BAR_HEIGHT * len(systems))
    values = [system.measures[measure] for system in systems]
    intervals = [system.intervals.get(measure, (value, value)) for system, value in zip(systems, values, strict=True)]
    axes.barh(range(len(systems)), values, color=BAR, height=0.6)
    for row, (value, (low, high)) in enumerate(zip(values, intervals, strict=True)):
        axes.plot([low, high], [row, row], color=INK, linewidth=1.5, solid_capstyle="butt")
        axes.annotate(
            f"{value:.4f}", (high, row), xytext=(6, 0), textcoords="offset points", va="center", fontsize=9, color=INK
        )
    axes.set_yticks(range(len(systems)), [literal(system.name) for system in systems])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.2 * max(high for _, high in intervals) or 1)
    axes.set_xlabel(TITLES[measure])
    return svg(drawing)


def trade_off_plot(systems: Sequence[System], measure: str, costs: Mapping[str, float], label: str) -> str:
    """Quality against a cost on a logarithmic axis; the line joins the systems that none is better and cheaper than.

    Args:
        systems: those with an entry in `costs` are drawn.
        measure: the quality.
        costs: system name -> cost, above 0.
        label: the cost and its unit.
    """
    drawing, axes = figure(3.4)
    drawn = [system for system in systems if system.name in costs]
    _logarithmic(axes, [costs[system.name] for system in drawn])
    axes.scatter([costs[system.name] for system in drawn], [system.measures[measure] for system in drawn], color=POINT)
    _draw_front(axes, drawn, measure, costs)
    middle = median(costs[system.name] for system in drawn)
    for place, system in enumerate(sorted(drawn, key=lambda one: costs[one.name])):
        inward = costs[system.name] > middle
        axes.annotate(
            literal(system.name),
            (costs[system.name], system.measures[measure]),
            xytext=(-6 if inward else 6, 6 if place % 2 else -12),
            textcoords="offset points",
            ha="right" if inward else "left",
            fontsize=9,
            color=INK,
        )
    axes.margins(x=0.25, y=0.2)
    axes.set_xlabel(label)
    axes.set_ylabel(TITLES[measure])
    return svg(drawing)


LARGEST_AREA, LEAST_AREA = 900.0, 40.0
"""Of a bubble, in square points."""


def pareto_plot(
    systems: Sequence[System],
    measure: str,
    milliseconds: Mapping[str, float],
    index_bytes: Mapping[str, float],
    notes: Mapping[str, str],
    beaten: Mapping[str, Sequence[str]],
) -> str:
    """Quality against the time of a query; a bubble's area is the index, a hollow one is dominated in all costs.

    Args:
        systems: those with an entry in `milliseconds` are drawn.
        measure: the quality.
        milliseconds: system name -> median time of a query.
        index_bytes: system name -> size of its index, in any unit; a dot where it is unknown.
        notes: system name -> its other costs, in words.
        beaten: system name -> what dominates it.
    """
    drawn = [system for system in systems if system.name in milliseconds]
    drawing, axes = figure(4.6)
    _logarithmic(axes, [milliseconds[system.name] for system in drawn])
    _draw_front(axes, drawn, measure, milliseconds)
    largest = max(index_bytes.values(), default=0.0)
    middle = median(milliseconds[system.name] for system in drawn)
    for place, system in enumerate(sorted(drawn, key=lambda one: milliseconds[one.name])):
        spot = (milliseconds[system.name], system.measures[measure])
        share = index_bytes.get(system.name, 0.0) / largest if largest else 0.0
        axes.scatter(
            *spot,
            s=max(LEAST_AREA, LARGEST_AREA * share),
            color="none" if beaten[system.name] else POINT,
            alpha=0.75,
            edgecolor=POINT,
            linewidth=1.5,
        )
        inward = spot[0] > middle
        up = place % 2 == 0
        axes.annotate(
            literal("\n".join(filter(None, [system.name, notes.get(system.name, "")]))),
            spot,
            xytext=(-14 if inward else 14, 8 if up else -8),
            textcoords="offset points",
            ha="right" if inward else "left",
            va="bottom" if up else "top",
            fontsize=8.5,
            color=INK,
        )
    axes.margins(x=0.3, y=0.25)
    axes.set_xlabel("ms/query")
    axes.set_ylabel(TITLES[measure])
    return svg(drawing)


DECADE = 10.0
"""Largest cost over the least, up to which the numbers between powers of ten are written at an axis too."""


def _logarithmic(axes: Axes, costs: Sequence[float]) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}" if max(costs) < DECADE * min(costs) else "")


def _draw_front(axes: Axes, systems: Sequence[System], measure: str, costs: Mapping[str, float]) -> None:
    """A line along the systems that no other is both better and cheaper than."""
    best, front = float("-inf"), []
    for system in sorted(systems, key=lambda one: (costs[one.name], -one.measures[measure])):
        if system.measures[measure] > best:
            best = system.measures[measure]
            front.append((costs[system.name], best))
    axes.step(*zip(*front, strict=True), where="post", color=RULE, linewidth=1.5, zorder=0)


def difference_plot(comparisons: Sequence[Comparison], measure: str) -> Figure:
    """The differences to the baseline in one measure, with their 95% intervals; filled points were shown to differ."""
    drawn = [one for one in comparisons if one.measure == measure]
    drawing, axes = figure(1.0 + BAR_HEIGHT * len(drawn))
    axes.axvline(0, color=RULE, linewidth=1)
    for row, one in enumerate(drawn):
        axes.plot(one.interval, [row, row], color=INK, linewidth=1.5, solid_capstyle="butt")
        fill = POINT if one.significant() else "white"
        axes.plot(one.difference, row, marker="o", color=POINT, markerfacecolor=fill)
        axes.annotate(
            f"{one.difference:+.4f}",
            (one.difference, row),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            color=INK,
        )
    axes.set_yticks(range(len(drawn)), [literal(one.system) for one in drawn])
    axes.set_ylim(len(drawn) - 0.5, -0.7)
    axes.margins(x=0.1)
    axes.set_xlabel(f"{TITLES[measure]} minus that of {literal(drawn[0].baseline)}" if drawn else TITLES[measure])
    return drawing


def distribution_plot(
    values: Sequence[float], measure: str, mean: float, interval: tuple[float, float] | None, name: str
) -> Figure:
    """How many queries have which value of one measure, with the mean and its 95% interval.

    Args:
        values: one a query, from 0 to 1.
        measure: what they are of.
        mean: theirs.
        interval: of the mean; None: not drawn.
        name: of the system.
    """
    drawing, axes = figure(3.0)
    axes.hist(values, bins=20, range=(0.0, 1.0), color=BAR)
    if interval is not None:
        axes.axvspan(*interval, color=POINT, alpha=0.25, linewidth=0)
    axes.axvline(mean, color=INK, linewidth=1.5)
    of = (
        f"mean {mean:.4f}"
        if interval is None
        else f"mean {mean:.4f}, 95% interval {interval[0]:.3f} to {interval[1]:.3f}"
    )
    axes.set_title(f"{literal(name)}: {of}", loc="left", fontsize=10, color=INK)
    axes.set_xlim(0, 1)
    axes.set_xlabel(f"{TITLES[measure]} of a query")
    axes.set_ylabel("queries")
    return drawing


SERIES = (POINT, "#d55e00", "#009e73", "#b8609a", "#9a7500")
"""Colours of several lines; each can be told on white and on a dark page."""


def curves_plot(trainings: Sequence[Curves]) -> str:
    """The loss by step above, measures on dev splits below; a line a training, a dotted one at the step that was kept.

    Args:
        trainings: at least one.
    """
    measures = list(dict.fromkeys(name for one in trainings for name in one.dev))
    drawn = canvas(CURVES_WIDTH, 2.0 + (1.5 if measures else 0.0))
    panels = drawn.subplots(1 + bool(measures), 1, sharex=True, squeeze=False)[:, 0]
    for axes in panels:
        _plain(axes)
    for one in trainings:
        panels[0].plot(*zip(*one.loss, strict=True), color=POINT, linewidth=1.2, alpha=0.8)
        for place, name in enumerate(measures):
            if points := one.dev.get(name):
                colour = SERIES[place % len(SERIES)]
                label = literal(name) if one is trainings[0] else None
                panels[-1].plot(*zip(*points, strict=True), color=colour, marker="o", markersize=3, label=label)
        if one.kept is not None:
            for axes in panels:
                axes.axvline(one.kept, color=RULE, linestyle=":", linewidth=1)
    panels[0].set_ylabel("loss")
    if len(measures) == 1:
        panels[-1].set_ylabel(literal(measures[0]))
    elif measures:
        panels[-1].legend(fontsize=8, frameon=False, labelcolor=INK)
    panels[-1].set_xlabel("step")
    return svg(drawn)


CURVES_WIDTH = 4.8
"""Inches."""


def canvas(width: float, height: float) -> Figure:
    """An empty figure of that many inches, which a notebook shows: matplotlib's own it shows once pyplot is loaded."""
    return _figure_of_notebooks()(figsize=(width, height), layout="constrained")


@cache
def _figure_of_notebooks() -> type[Figure]:
    from matplotlib.figure import Figure

    class NotebookFigure(Figure):
        def _repr_png_(self) -> bytes:
            drawn = io.BytesIO()
            self.savefig(drawn, format="png", dpi=DOTS)
            return drawn.getvalue()

    return NotebookFigure


def figure(height: float, width: float = WIDTH) -> tuple[Figure, Axes]:
    """An empty figure of that many inches, in the reports' colours, and its axes."""
    drawn = canvas(width, height)
    axes = drawn.add_subplot()
    _plain(axes)
    return drawn, axes


def _plain(axes: Axes) -> None:
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(RULE)
    axes.tick_params(colors=INK, labelsize=9)


def literal(text: str) -> str:
    """A name as matplotlib is to write it: what stands between two dollars is no formula."""
    return text.replace("$", r"\$")


def svg(drawing: Figure, themed: bool = True) -> str:
    """The figure as an `<svg>` element: text kept as text, fixed ids, no date, no background.

    Args:
        drawing: the figure.
        themed: let the page set the colours of `THEME`.
    """
    import matplotlib

    stream = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "rankdistill", "font.family": "sans-serif"}):
        drawing.savefig(stream, format="svg", facecolor="none", metadata={"Date": None, "Creator": None})
    drawn = stream.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    for colour, name in THEME.items() if themed else ():
        drawn = drawn.replace(colour, f"var(--plot-{name}, {colour})")
    return drawn


def png(drawing: Figure, path: Path) -> None:
    """Write the figure to `path`; the same figure, by the same matplotlib, gives the same bytes."""
    with files.atomic_path(path) as temporary:
        drawing.savefig(temporary, format="png", dpi=DOTS, metadata={"Software": None})
