"""What was chosen and why, in a few lines."""

from __future__ import annotations

from rankdistill.recipe.choosing.choose import Choice
from rankdistill.recipe.choosing.splits import MADE
from rankdistill.verbs.settings import least_queries

_PARTS = (
    ("data.source", "documents"),
    ("queries", "queries"),
    ("data.train", "trained on"),
    ("data.hold_out", "put aside"),
    ("data.test", "judged on"),
    ("student.keep_layers", "student"),
    ("student.max_mb", "its size"),
    ("align.steps", "training"),
)
"""Settings whose reasons are told, and what they are called there."""


def lines(choice: Choice) -> list[str]:
    """A line for each part of what was chosen."""
    values, reasons = _values(choice), choice.reasons
    found = []
    for place, called in _PARTS:
        if place in reasons and reasons[place] != MADE:
            value = values.get(place)
            found.append(f"{called}: {f'{value}: ' if value else ''}{reasons[place]}")
    if choice.tested is not None and choice.tested < least_queries():
        judged = f"{choice.tested:,} judged queries, of {least_queries()} asked for"
        found.append(
            f"the verdict will refuse: it has {judged}; more of them (qrels/test.tsv, --queries and --qrels), or more "
            "documents to make some of, would do"
        )
    return found


def _values(choice: Choice) -> dict[str, str]:
    """What stands before a reason that does not say it."""
    recipe = choice.recipe
    kept = recipe.student.keep_layers
    return {
        "student.keep_layers": f"layers {', '.join(map(str, kept or ()))} of {recipe.student.model}",
        "student.max_mb": f"{recipe.student.max_mb:g} MB" if recipe.student.max_mb is not None else "",
        "align.steps": f"{recipe.align.steps} steps of alignment to {recipe.space.model}, {recipe.train.steps} on the "
        f"scores of {recipe.teacher.model}",
    }
