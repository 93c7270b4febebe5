"""A recipe as YAML that says why each value was chosen."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from rankdistill.recipe.loading import AnyRecipe

WIDTH = 120


def text(recipe: AnyRecipe, reasons: Mapping[str, str], heading: str = "") -> str:
    """The settings that the recipe was given, each below its reason; `rankdistill run` reads it.

    Args:
        recipe: as `choose` gives it.
        reasons: dotted setting -> why.
        heading: what stands on top.
    """
    given = recipe.model_dump(mode="json", exclude_unset=True)
    lines = [*_comment(heading, ""), *_comment("Every setting and its meaning: rankdistill run --schema", "")]
    return "\n".join([*lines, "", *_block(given, reasons, "", 0)]) + "\n"


def _block(content: Mapping[str, Any], reasons: Mapping[str, str], above: str, depth: int) -> Iterator[str]:
    margin = "  " * depth
    for name, value in content.items():
        place = f"{above}{name}"
        if depth == 0 and isinstance(value, dict):
            yield ""
        yield from _comment(reasons.get(place, ""), margin)
        if isinstance(value, dict) and value and depth == 0:
            yield f"{margin}{_scalar(name)}:"
            yield from _block(value, reasons, f"{place}.", depth + 1)
        else:
            yield f"{margin}{_scalar(name)}: {_scalar(value)}"


def _comment(words: str, margin: str) -> list[str]:
    lines = textwrap.wrap(words, WIDTH - len(margin) - 2, break_long_words=False, break_on_hyphens=False)
    return [f"{margin}# {line}" for line in lines]


def _scalar(value: Any) -> str:
    """A value in one line, as YAML has it."""
    shown = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True, sort_keys=False)
    return shown.removesuffix("\n").removesuffix("\n...")
