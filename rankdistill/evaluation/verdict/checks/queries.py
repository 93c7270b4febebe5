"""Whether there are queries enough to show anything, and whose they are."""

from __future__ import annotations

from rankdistill.evaluation.verdict.evidence import Evidence
from rankdistill.evaluation.verdict.records import Bounds, Finding, Status
from rankdistill.querying.collection import PREFIX


def check(evidence: Evidence, bounds: Bounds) -> Finding:
    """Refuse on fewer than `least_queries`; warn where they were generated from the documents."""
    count = len(evidence.query_ids)
    generated = sum(query_id.startswith(PREFIX) for query_id in evidence.query_ids)
    figures: dict[str, float | int | str | None] = {"queries": count, "generated": generated}
    if count < bounds.least_queries:
        return Finding(
            check="queries",
            status=Status.REFUSE,
            judged=False,
            reason=f"which {count} judged queries cannot show",
            sentence=f"{count} judged queries, where {bounds.least_queries} are asked for: so few show little of any "
            "system",
            figures=figures,
        )
    if generated:
        return Finding(
            check="queries",
            status=Status.WARN,
            sentence=f"{generated:,} of {count:,} judged queries were made of the documents: they show that documents "
            "are found by what they say, not what users ask; judge some real ones",
            figures=figures,
        )
    return Finding(check="queries", status=Status.PASS, sentence=f"{count:,} judged queries", figures=figures)
