"""Whether training taught the student anything."""

from __future__ import annotations

from rankdistill.evaluation.verdict.evidence import UNTRAINED, Evidence
from rankdistill.evaluation.verdict.records import Bounds, Finding, Status
from rankdistill.evaluation.verdict.words import beside


def check(evidence: Evidence, bounds: Bounds) -> Finding:
    """Refuse unless the student is significantly above what it was before training."""
    other = evidence.others.get(UNTRAINED)
    if other is None:
        return Finding(
            check="untrained",
            status=Status.REFUSE,
            judged=False,
            reason="which was not held against itself before training",
            sentence="the student before training was not evaluated, so it is not known whether training did anything",
        )
    test, student = evidence.tests[UNTRAINED], evidence.student
    said = beside(student, other, test)
    figures = {"student": student.mean, "untrained": other.mean, **test.figures}
    if test.difference > 0 and test.p_holm < bounds.level:
        return Finding(
            check="untrained", status=Status.PASS, sentence=f"above itself before training: {said}", figures=figures
        )
    worse = test.p_holm < bounds.level
    return Finding(
        check="untrained",
        status=Status.REFUSE,
        reason="which training made worse" if worse else "which learnt nothing that shows",
        sentence=f"{'below itself' if worse else 'not shown to be above itself'} before training: {said}",
        figures=figures,
    )
