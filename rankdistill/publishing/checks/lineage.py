"""Whether all that went into the student is known."""

from __future__ import annotations

from rankdistill.evaluation.verdict.records import Finding, Status
from rankdistill.publishing.evidence import Evidence


def check(evidence: Evidence) -> Finding:
    """Refuse a student of which an input was not found: what it was trained on is then not known."""
    lineage = evidence.lineage
    if lineage.missing:
        return Finding(
            check="lineage",
            status=Status.REFUSE,
            judged=False,
            reason="whose lineage is not known",
            sentence=f"not found: {'; '.join(lineage.missing)}. Say where they lie: --lineage FOLDER, with stores, "
            "collections, teachers and models in it or below",
        )
    models = ", ".join(f"{one.title} ({' and '.join(one.roles)})" for one in lineage.parents.values())
    sources = ", ".join(one.called for one in lineage.sources.values())
    return Finding(
        check="lineage",
        status=Status.PASS,
        sentence=f"from {models or 'no other model'}" + (f", on {sources}" if sources else ""),
        figures={"models": len(lineage.parents), "collections": len(lineage.sources)},
    )
