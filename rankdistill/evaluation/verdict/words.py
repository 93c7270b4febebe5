"""How a difference is said."""

from __future__ import annotations

from rankdistill.evaluation.verdict.evidence import Judged, Test


def beside(student: Judged, other: Judged, test: Test) -> str:
    """Both values, their difference and its corrected p-value."""
    return f"nDCG@10 {student.mean:.3f} against {other.mean:.3f} ({test.difference:+.3f}; {p_value(test.p_holm)})"


def p_value(value: float) -> str:
    """`p .012`, to three places."""
    return f"p {value:.3f}" if value >= 0.001 else "p < .001"
