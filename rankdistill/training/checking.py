"""The gate before training: what the scores that a run reads are worth, and whether the run may go on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from rankdistill.gate.run import examine
from rankdistill.gate.subject import of_frames
from rankdistill.training.config import TrainConfig
from rankdistill.training.inputs import Inputs

REMEDY = "see `rankdistill check STORE --report check.html`; --no-check (check: warn) trains on them all the same"


def check(
    found: Inputs,
    kinds: Mapping[str, str],
    config: TrainConfig,
    cosine: bool,
    own_names: Collection[str] = (),
    name: str | None = None,
) -> dict[str, Any]:
    """The gate's answer for the training log: mode, status, and each check's status and finding.

    Nothing is checked where `config.check` is `off`, nor for a loss that reads no teacher score.

    Args:
        found: the scores and candidates that will be trained on.
        kinds: teacher id -> what it scores in.
        config: of the run.
        cosine: whether the student's similarity lies in [-1, 1].
        own_names: the names under which the teacher's own ranking may stand among the candidates.
        name: what the teacher is shown as; its id unless given.

    Raises:
        GateError: a check failed, and `config.check` is `refuse`.
    """
    if config.check == "off" or config.learns_from_labels:
        return {"mode": "off"}
    subject = of_frames(
        "the store", found.scan_candidates, found.scan_scores, found.teacher_id, kinds, own_names, name, found.near
    )
    report = examine(subject, "cosine" if cosine else "dot", _loss(config))
    if config.check == "refuse":
        report.require(remedy=REMEDY)
    verdicts = {
        verdict.check: {"status": str(verdict.status), "finding": verdict.finding}
        for teacher in report.teachers
        for verdict in teacher.verdicts
    }
    return {"mode": config.check, "status": str(report.status), "verdicts": verdicts}


def _loss(config: TrainConfig) -> str:
    """The loss as it reads the scores: without its margins, splade_v3 is a KL divergence."""
    if config.compares_margins:
        return config.loss
    return next((name for name, weight in config.terms.items() if weight > 0), config.loss)
