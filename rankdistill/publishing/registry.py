"""The checks before a publication, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rankdistill.evaluation.verdict.records import Finding
from rankdistill.publishing.checks import (
    costs,
    data,
    files,
    identity,
    leakage,
    lineage,
    mock_run,
    prompts,
    scores,
    training_data,
)
from rankdistill.publishing.evidence import Evidence

Check = Callable[[Evidence], Finding]
"""What one check finds; it never raises for what it finds."""

CHECKS: Mapping[str, Check] = {
    "identity": identity.check,
    "data": data.check,
    "lineage": lineage.check,
    "training_data": training_data.check,
    "leakage": leakage.check,
    "scores": scores.check,
    "files": files.check,
    "prompts": prompts.check,
    "mock_run": mock_run.check,
    "costs": costs.check,
}
"""Name -> check. Add one here, and its row in docs/publish.md."""
