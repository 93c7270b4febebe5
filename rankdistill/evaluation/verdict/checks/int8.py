"""Whether the int8 file may stand in for the student."""

from __future__ import annotations

from rankdistill.evaluation.verdict.evidence import Evidence
from rankdistill.evaluation.verdict.int8 import Int8
from rankdistill.evaluation.verdict.records import Bounds, Finding, Status


def check(evidence: Evidence, bounds: Bounds) -> Finding:
    """Refuse a file that is broken, absent or too far from float32; warn where none was given."""
    return finding(evidence.int8, bounds)


def finding(found: Int8 | None, bounds: Bounds) -> Finding:
    """What the check says of an int8 file, whatever else is known of the student."""
    if found is None:
        return Finding(
            check="int8",
            status=Status.WARN,
            judged=False,
            sentence="no int8 file was given, so nothing is known of one",
        )
    if found.none_needed:
        return Finding(
            check="int8",
            status=Status.PASS,
            judged=False,
            sentence="there is no int8 file, and none is needed: the model is a table and has no graph",
        )
    if found.problem is not None:
        return Finding(
            check="int8",
            status=Status.REFUSE,
            reason="whose int8 file is broken",
            sentence=f"the int8 file {found.problem}",
            figures={"problem": found.problem, "texts": found.texts, "bytes": found.size},
        )
    assert found.mean_cosine is not None, "without a problem there are vectors"
    figures: dict[str, float | int | str | None] = {
        "texts": found.texts,
        "bytes": found.size,
        "mean_cosine": found.mean_cosine,
        "least_cosine": found.least_cosine,
        "ndcg_float32": found.ndcg_float32,
        "ndcg_int8": found.ndcg_int8,
    }
    said = f"int8 has a mean cosine of {found.mean_cosine:.4f} with float32 over {found.texts:,} queries"
    change = None
    if found.ndcg_int8 is not None and found.ndcg_float32 is not None:
        change = found.ndcg_int8 - found.ndcg_float32
        said += f" and nDCG@10 {found.ndcg_int8:.3f} where float32 has {found.ndcg_float32:.3f} ({change:+.4f})"
    if found.mean_cosine < bounds.least_cosine or (change is not None and change < -bounds.most_loss):
        return Finding(
            check="int8",
            status=Status.REFUSE,
            reason="whose int8 file gives other vectors",
            sentence=f"{said}; a cosine of {bounds.least_cosine:g} is asked for, and a loss of {bounds.most_loss:g} at "
            "most",
            figures=figures,
        )
    if change is None:
        return Finding(
            check="int8",
            status=Status.WARN,
            sentence=f"{said}; no documents were searched with it",
            figures=figures,
        )
    return Finding(check="int8", status=Status.PASS, sentence=said, figures=figures)
