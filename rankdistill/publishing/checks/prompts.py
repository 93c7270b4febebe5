"""Whether what the model puts before a text is recorded, and is what it was evaluated with."""

from __future__ import annotations

from rankdistill.evaluation.tasks.model_meta import prompts_of
from rankdistill.evaluation.verdict.records import Finding, Status
from rankdistill.publishing.evidence import Evidence


def check(evidence: Evidence) -> Finding:
    """Refuse results with other prompts than the published model has, and a `use_instructions` that hides one."""
    wrong = []
    for one in evidence.tasks:
        for test, evaluation in one.evaluations.items():
            used = prompts_of(evaluation.signature.get("system", {}))
            if used != dict(evidence.prompts):
                has = _said(evidence.prompts)
                wrong.append(f"{one.name}, {test.title} was evaluated with {_said(used)}, the model has {has}")
    if evidence.meta.use_instructions != any(evidence.prompts.values()):
        wrong.append(f"use_instructions is {evidence.meta.use_instructions}, the model has {_said(evidence.prompts)}")
    if wrong:
        return Finding(
            check="prompts",
            status=Status.REFUSE,
            reason="whose prompts are not those of its results",
            sentence="; ".join(wrong),
        )
    return Finding(check="prompts", status=Status.PASS, sentence=f"{_said(evidence.prompts)}, in model and results")


def _said(prompts: object) -> str:
    found = dict(prompts)  # type: ignore[call-overload]
    return ", ".join(f"{role} {text!r}" for role, text in found.items() if text) or "no prompts"
