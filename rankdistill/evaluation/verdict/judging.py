"""From evaluations to a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rankdistill.evaluation import conclusion
from rankdistill.evaluation.comparing import Trained, nested_values
from rankdistill.evaluation.results import MAIN_MEASURE
from rankdistill.evaluation.verdict.evidence import BM25, TEACHER, Evidence, Judged
from rankdistill.evaluation.verdict.int8 import Int8
from rankdistill.evaluation.verdict.records import Bounds, Verdict, concluded
from rankdistill.evaluation.verdict.registry import CHECKS


def gather(
    student: Path | Trained, others: Mapping[str, Path | Trained], int8: Int8 | None = None, seed: int = 0
) -> Evidence:
    """What evaluations say of a student.

    Args:
        student: its evaluation, or those of its trainings.
        others: likewise, by role (`evidence.OTHERS`).
        int8: its int8 file beside float32.
        seed: of permutations and resamples.

    Raises:
        DataError: a folder holds no whole evaluation, or they are of different data, split or depth.
    """
    query_ids, systems = nested_values([student, *others.values()], MAIN_MEASURE, seed)
    judged = [Judged(system, values) for system, values in systems]
    return Evidence(judged[0], dict(zip(others, judged[1:], strict=True)), query_ids, int8, seed)


def judge(evidence: Evidence, bounds: Bounds) -> Verdict:
    """Every check's finding, and what they come to."""
    findings = [check(evidence, bounds) for check in CHECKS.values()]
    return concluded(evidence.student.name, summary(evidence), findings, bounds)


def summary(evidence: Evidence) -> str:
    """Quality, speed and bytes beside BM25 and the teacher, as far as they were measured."""
    of = {role: evidence.others[role].system for role in (BM25, TEACHER) if role in evidence.others}
    test = evidence.tests.get(BM25)
    return conclusion.figures(
        evidence.student.system, of.get(TEACHER), of.get(BM25), None if test is None else test.p_holm
    )
