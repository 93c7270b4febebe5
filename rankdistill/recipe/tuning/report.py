"""What a search came to: the best settings, every trial, and what mattered."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from rankdistill import files
from rankdistill.display import Shown, Table
from rankdistill.recipe.tuning.space import Choice, Space, encoded
from rankdistill.recipe.tuning.study import Trial

if TYPE_CHECKING:
    import polars as pl

RESULTS, PAGE, BEST = "tuning.json", "report.html", "best.yaml"

NOISE = (
    "The best of several values on dev is too high by chance, the more so the more trials there are and the fewer dev "
    "queries: only the test split, which no trial read, says what the settings are worth."
)


@dataclass(frozen=True, repr=False)
class Tuned(Shown):
    """What a search came to; it prints as its trials, the best first, and what mattered.

    Args:
        path: the folder.
        student: the student of the recipe that was searched.
        metric: the measure on dev that was searched for.
        trials: those that have ended, in their order.
        importance: setting -> share of what the value varies by, of settings that every trial has.
        space: what could be chosen.
        as_given: whether the first trial is the recipe as it was given.
    """

    path: Path
    student: str
    metric: str
    trials: tuple[Trial, ...]
    importance: Mapping[str, float]
    space: Space
    as_given: bool = True

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        found = self.best
        best = "none was judged" if found is None else f"best {self.metric} {found.value:.4f}"
        return f"Tuned({str(self.path)!r}: {len(self.trials)} trials, {best})"

    @property
    def best(self) -> Trial | None:
        """The judged trial of the highest value, of equal ones the first; None where none was judged."""
        judged = [trial for trial in self.trials if trial.state == "done"]
        return max(judged, key=lambda trial: trial.value or 0.0, default=None)

    @property
    def recipe(self) -> Path:
        """The recipe with the best settings, for `rankdistill run`."""
        return self.path / BEST

    def tables(self) -> list[Table]:
        """The trials, the best first; what mattered; each value of a choice."""
        names = [name for name in self.space if any(name in trial.settings for trial in self.trials)]
        order = {"done": 0, "stopped": 1, "failed": 2}
        rows = [
            [
                "recipe" if self.as_given and trial.number == 0 else str(trial.number),
                trial.state,
                *(_shown(trial.settings[name]) if name in trial.settings else "" for name in names),
                "" if trial.value is None else f"{trial.value:.4f}",
                f"{trial.seconds:,.0f}",
            ]
            for trial in sorted(self.trials, key=lambda one: (order[one.state], -(one.value or 0.0), one.number))
        ]
        found = [
            Table(f"{self.student}: trials", ["trial", "state", *names, self.metric, "seconds"], rows, 2 + len(names))
        ]
        if self.importance:
            shares = [[name, f"{share:.0%}"] for name, share in self.importance.items()]
            found.append(Table("what mattered: share of the variance", ["setting", "share"], shares))
        choices = list(self._choices())
        if choices:
            header = ["setting", "value", "judged", "stopped", "best", "median"]
            found.append(Table("each choice, over the trials that had it", header, choices, 2))
        return found

    def lines(self) -> list[str]:
        """The best settings beside the recipe's own, and how to go on."""
        best = self.best
        if best is None:
            reasons = dict.fromkeys(trial.reason for trial in self.trials if trial.reason)
            return ["no trial was judged", *reasons]
        settings = ", ".join(f"{name} {_shown(value)}" for name, value in best.settings.items())
        given = [trial for trial in self.trials if trial.number == 0 and trial.state == "done" and self.as_given]
        first = given[0] if given else None
        if best is first:
            said = f"no trial is better on dev than the recipe itself: {self.metric} {best.value:.4f}"
        else:
            than = f" (the recipe as given: {first.value:.4f})" if first is not None else ""
            said = f"best {self.metric} on dev: {best.value:.4f}{than} with {settings}"
        failed = dict.fromkeys(
            f"trial {one.number} failed: {one.reason}" for one in self.trials if one.state == "failed"
        )
        return [said, *failed, NOISE, f"rankdistill run {self.recipe}", str(self.path / PAGE)]

    def to_polars(self) -> pl.DataFrame:
        """One trial a row: trial, state, value, seconds, reason, and a column of JSON for each setting."""
        import polars as pl

        names = list(self.space)
        rows = [
            [
                *(one.number, one.state, one.value, one.seconds, one.reason),
                *(encoded(one.settings[name]) if name in one.settings else None for name in names),
            ]
            for one in self.trials
        ]
        schema: dict[str, Any] = {"trial": pl.Int64, "state": pl.String, "value": pl.Float64, "seconds": pl.Float64}
        return pl.DataFrame(rows, schema=schema | dict.fromkeys(["reason", *names], pl.String), orient="row")

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "folder": str(self.path),
            "student": self.student,
            "metric": self.metric,
            "best": None if self.best is None else self.best.to_json(),
            "recipe": str(self.recipe),
            "importance": dict(self.importance),
            "space": {name: part.model_dump(mode="json") for name, part in self.space.items()},
            "trials": [trial.to_json() for trial in self.trials],
        }

    def write(self) -> None:
        """Write `tuning.json` and `report.html` into the folder."""
        content = {name: value for name, value in self.to_json().items() if name not in ("folder", "recipe")}
        files.write_text(self.path / RESULTS, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        files.write_text(self.path / PAGE, self._page())

    def _choices(self) -> Iterator[list[str]]:
        for name, part in self.space.items():
            if not isinstance(part, Choice):
                continue
            for value in part.choices:
                had = [one for one in self.trials if name in one.settings and one.settings[name] == value]
                judged = [one.value for one in had if one.state == "done" and one.value is not None]
                if had:
                    stopped = sum(one.state == "stopped" for one in had)
                    numbers = [f"{max(judged):.4f}", f"{median(judged):.4f}"] if judged else ["", ""]
                    yield [name, _shown(value), str(len(judged)), str(stopped), *numbers]

    def _page(self) -> str:
        parts = [f"<h1>{escape(self.path.name)}: search on dev</h1>", f"<p>{escape(self.lines()[0])}</p>"]
        parts += [f"<p>{escape(NOISE)}</p>", self._picture(), *(table.html() for table in self.tables())]
        parts += [f"<p>{escape(line)}</p>" for line in self.lines()[1:-1] if line != NOISE]
        head = f'<head><meta charset="utf-8"><style>{_STYLE}</style></head>'
        return f'<!DOCTYPE html>\n<html lang="en">{head}<body>{"".join(parts)}</body></html>\n'

    def _picture(self) -> str:
        """The value of each trial, and the best so far, as SVG."""
        judged = [one for one in self.trials if one.state == "done" and one.value is not None]
        if len(judged) < 2:
            return ""
        return _svg([one.number for one in judged], [one.value or 0.0 for one in judged], self.metric)


_STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:75em;margin:2em auto;padding:0 1em}table{border-collapse:collapse;"
    "margin:1.5em 0}caption{text-align:left;font-weight:bold}th,td{padding:.2em .8em;border-bottom:1px solid #ddd}"
    "svg{max-width:100%;height:auto}"
)


def _svg(numbers: Sequence[int], values: Sequence[float], metric: str) -> str:
    import matplotlib
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 2.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(numbers, values, "o", color="#4c78a8", label="trial")
    best = [max(values[: place + 1]) for place in range(len(values))]
    axes.step(numbers, best, where="post", color="#e45756", label="best so far")
    axes.set_xlabel("trial")
    axes.set_ylabel(f"{metric} on dev")
    axes.legend(frameon=False)
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "rankdistill", "svg.fonttype": "none"}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue().partition("<svg")[2].join(["<svg", ""])


def _shown(value: Any) -> str:
    """A value of a setting in a few characters."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return value if isinstance(value, str) else encoded(value)
