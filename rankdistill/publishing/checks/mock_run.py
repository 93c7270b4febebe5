"""Whether mteb loads and runs the model."""

from __future__ import annotations

from rankdistill.evaluation.verdict.records import Finding, Status
from rankdistill.publishing.evidence import Evidence


def check(evidence: Evidence) -> Finding:
    """Refuse a model that fails one of mteb's mock tasks."""
    if evidence.mock is None:
        return Finding(
            check="mock_run",
            status=Status.REFUSE,
            judged=False,
            reason="which mteb's mock run has not seen",
            sentence="mteb's mock run was left out",
        )
    if evidence.mock:
        name, why = next(iter(evidence.mock.items()))
        return Finding(
            check="mock_run",
            status=Status.REFUSE,
            reason="which mteb cannot run",
            sentence=f"{len(evidence.mock)} of {evidence.mocked} mock tasks failed, as {name}: {why}",
        )
    if not evidence.mocked:
        return Finding(
            check="mock_run",
            status=Status.REFUSE,
            judged=False,
            reason="which none of mteb's mock tasks ran on",
            sentence="no mock task of mteb ran: the libraries that they need are not installed",
        )
    return Finding(
        check="mock_run",
        status=Status.PASS,
        sentence=f"{evidence.mocked} mock tasks of mteb, all green",
        figures={"tasks": evidence.mocked},
    )
