"""Whether the student keeps enough of its teacher."""

from __future__ import annotations

from rankdistill.evaluation.significance import ratio_interval
from rankdistill.evaluation.verdict.evidence import TEACHER, Evidence
from rankdistill.evaluation.verdict.records import Bounds, Finding, Status


def check(evidence: Evidence, bounds: Bounds) -> Finding:
    """Refuse below `keep` of the teacher's nDCG@10; warn where the interval reaches below it, or nobody looked."""
    other, student = evidence.others.get(TEACHER), evidence.student
    if other is None or not other.mean:
        missing = "the teacher was not evaluated" if other is None else f"{other.name} finds nothing that is relevant"
        return Finding(
            check="teacher",
            status=Status.WARN,
            judged=False,
            sentence=f"{missing}, so it is not known how much of it the student keeps",
        )
    share = student.mean / other.mean
    low, high = ratio_interval(student.values, other.values, seed=evidence.seed)
    said = (
        f"{share:.0%} of {other.name}'s nDCG@10 ({student.mean:.3f} of {other.mean:.3f}; 95% interval {low:.0%} to "
        f"{high:.0%}), where {bounds.keep:.0%} are asked for"
    )
    figures: dict[str, float | int | str | None] = {
        "student": student.mean,
        "teacher": other.mean,
        "share": share,
        "share_low": low,
        "share_high": high,
        **evidence.tests[TEACHER].figures,
    }
    if share < bounds.keep:
        return Finding(
            check="teacher",
            status=Status.REFUSE,
            reason="which keeps too little of its teacher",
            sentence=f"keeps {said}",
            figures=figures,
        )
    if low < bounds.keep:
        return Finding(
            check="teacher", status=Status.WARN, sentence=f"keeps {said}: less is not excluded", figures=figures
        )
    return Finding(check="teacher", status=Status.PASS, sentence=f"keeps {said}", figures=figures)
