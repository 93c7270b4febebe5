"""The checks of a verdict, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rankdistill.evaluation.verdict.checks import bm25, int8, queries, teacher, untrained
from rankdistill.evaluation.verdict.evidence import Evidence
from rankdistill.evaluation.verdict.records import Bounds, Finding

Check = Callable[[Evidence, Bounds], Finding]
"""What one check finds; it never raises for what it finds."""

CHECKS: Mapping[str, Check] = {
    "queries": queries.check,
    "bm25": bm25.check,
    "untrained": untrained.check,
    "teacher": teacher.check,
    "int8": int8.check,
}
"""Name -> check. Add one here, and its row in docs/verdict.md."""
