"""A note where the gradients of a training were mostly clipped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rankdistill.notes import note

OFTEN = 0.5
"""A share of clipped steps above which a note says so."""


def note_clipping(log: Mapping[str, Any], remedy: str, step: str = "") -> None:
    """A note where a training log tells that more than half of its steps were clipped.

    Args:
        log: of the run; those of older runs do not tell.
        remedy: what can be done.
        step: of a recipe, whose log it is.
    """
    share = log.get("clipped_steps", 0.0)
    if share > OFTEN:
        who = f"{step}: " if step else ""
        note(f"{who}gradients were clipped in {share:.0%} of the steps, so their sizes had little say; {remedy}")
