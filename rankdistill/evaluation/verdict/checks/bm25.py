"""Whether the student is worth having where BM25 needs no model."""

from __future__ import annotations

from rankdistill.evaluation.verdict.evidence import BM25, Evidence
from rankdistill.evaluation.verdict.records import Bounds, Finding, Status
from rankdistill.evaluation.verdict.words import beside
from rankdistill.querying.collection import PREFIX


def check(evidence: Evidence, bounds: Bounds) -> Finding:
    """Refuse where the student is significantly below BM25, or nobody looked; warn where no difference is shown.

    Queries that were made of the documents are quotes, or nearly, of which BM25 finds every one: that a student finds
    fewer is only a warning then.
    """
    other = evidence.others.get(BM25)
    if other is None:
        return Finding(
            check="bm25",
            status=Status.REFUSE,
            judged=False,
            reason="which was not held against BM25",
            sentence="BM25 was not evaluated, so it is not known whether a model is worth having here",
        )
    test, student = evidence.tests[BM25], evidence.student
    said = beside(student, other, test)
    figures = {"student": student.mean, "bm25": other.mean, **test.figures}
    if test.p_holm >= bounds.level:
        return Finding(
            check="bm25", status=Status.WARN, sentence=f"as BM25, as far as is shown: {said}", figures=figures
        )
    if test.difference > 0:
        return Finding(check="bm25", status=Status.PASS, sentence=f"above BM25: {said}", figures=figures)
    if all(query_id.startswith(PREFIX) for query_id in evidence.query_ids):
        return Finding(
            check="bm25",
            status=Status.WARN,
            judged=False,
            sentence=f"below BM25: {said}; but all queries were made of the documents, mostly in their very words, "
            "which is what BM25 finds, so it is not known which is better for users' own",
            figures=figures,
        )
    return Finding(
        check="bm25",
        status=Status.REFUSE,
        reason="which is below BM25",
        sentence=f"below BM25: {said}; BM25 alone is better and needs no model",
        figures=figures,
    )
