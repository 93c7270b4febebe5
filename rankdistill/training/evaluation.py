"""What is measured while a student trains. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentence_transformers.sentence_transformer.evaluation import SentenceEvaluator


@dataclass(frozen=True)
class Evaluation:
    """What is measured every `eval_steps`.

    Args:
        evaluator: gives the measures by name.
        best: the measure, higher is better, whose best checkpoint is kept; None keeps the last.
        besides: name in the log -> another measure to tell.
    """

    evaluator: SentenceEvaluator
    best: str | None
    besides: Mapping[str, str] = field(default_factory=dict)
