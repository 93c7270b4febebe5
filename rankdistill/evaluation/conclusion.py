"""What a comparison comes to, in one sentence a student: quality, speed and size beside its teacher and BM25."""

from __future__ import annotations

from collections.abc import Sequence

from rankdistill.evaluation.measures import TITLES
from rankdistill.evaluation.results import MAIN_MEASURE, Results
from rankdistill.evaluation.system_table import MEGABYTE
from rankdistill.evaluation.systems import Comparison, System


def conclusions(
    results: Results,
    students: Sequence[str],
    teacher: str | None = None,
    words: str | None = None,
    against_words: Sequence[Comparison] = (),
) -> list[str]:
    """A sentence for each student: what it keeps of the teacher, whether it beats BM25, how much faster and smaller.

    Nothing is said of what was not measured. Speed is the ratio of medians over queries asked one by one; the teacher's
    is that of its whole system, with what it re-ranks.

    Args:
        results: the systems, with their costs.
        students: names of systems.
        teacher: name of another; None: there is none to compare with.
        words: that of BM25; None likewise.
        against_words: tests of the students against BM25.

    Raises:
        KeyError: no such system.
    """
    found = {system.name: system for system in results.systems}
    of_teacher = None if teacher is None else found[teacher]
    of_words = None if words is None else found[words]
    tests = {one.system: one for one in against_words if one.measure == MAIN_MEASURE}
    return [_sentence(found[name], of_teacher, of_words, tests.get(name)) for name in students]


def _sentence(student: System, teacher: System | None, words: System | None, test: Comparison | None) -> str:
    value = student.measures[MAIN_MEASURE]
    parts = [f"{student.name}: {TITLES[MAIN_MEASURE]} {value:.3f}"]
    if words is not None:
        parts.append(_beside_words(value, words, test))
    if teacher is not None:
        parts += _beside_teacher(student, teacher)
    elif student.model_bytes:
        parts.append(f"{_megabytes(student.model_bytes)} MB of weights")
    return ", ".join(parts) + "."


def _beside_words(value: float, words: System, test: Comparison | None) -> str:
    other = words.measures[MAIN_MEASURE]
    says = "above" if value > other else "below" if value < other else "as"
    shown = "" if test is None else f"; p {test.p_holm:.3f}" if test.p_holm >= 0.001 else "; p < .001"
    return f"{says} {words.name}'s {other:.3f} ({value - other:+.3f}{shown})"


def _beside_teacher(student: System, teacher: System) -> list[str]:
    value, best = student.measures[MAIN_MEASURE], teacher.measures[MAIN_MEASURE]
    parts = [f"{value / best:.0%} of the {best:.3f} of {teacher.name}"] if best else []
    if student.latency_ms and teacher.latency_ms and student.latency_ms.p50:
        ratio = teacher.latency_ms.p50 / student.latency_ms.p50
        times = f"{ratio:.1f} times faster" if ratio >= 1 else f"{1 / ratio:.1f} times slower"
        parts.append(f"{times} a query ({student.latency_ms.p50:.1f} ms against {teacher.latency_ms.p50:.1f})")
    if student.model_bytes and teacher.model_bytes:
        share = student.model_bytes / teacher.model_bytes
        parts.append(
            f"{_megabytes(student.model_bytes)} MB of weights, {share:.0%} of {_megabytes(teacher.model_bytes)} MB"
        )
    elif student.model_bytes:
        parts.append(f"{_megabytes(student.model_bytes)} MB of weights")
    return parts


def _megabytes(size: int) -> str:
    return f"{size / MEGABYTE:.3g}"
