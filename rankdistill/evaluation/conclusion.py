"""What a comparison comes to, in one sentence a student: quality, speed and size beside its teacher and BM25."""

from __future__ import annotations

from collections.abc import Sequence

from rankdistill.evaluation.measures import TITLES
from rankdistill.evaluation.results import MAIN_MEASURE, Results
from rankdistill.evaluation.system_table import MEGABYTE
from rankdistill.evaluation.systems import Comparison, Latency, System
from rankdistill.evaluation.verdict.words import p_value as p_value_in_words


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
    p_values = {name: tests[name].p_holm if name in tests else None for name in students}
    return [f"{name}: {figures(found[name], of_teacher, of_words, p_values[name])}." for name in students]


def figures(student: System, teacher: System | None, words: System | None, p_value: float | None = None) -> str:
    """One student's quality, speed and bytes beside its teacher and BM25, as far as they were measured.

    Args:
        student: the system.
        teacher: another; None: there is none to compare with.
        words: BM25; None likewise.
        p_value: of the difference to BM25, corrected; None: not tested.
    """
    value = student.measures[MAIN_MEASURE]
    parts = [f"{TITLES[MAIN_MEASURE]} {value:.3f}"]
    if words is not None:
        parts.append(_beside_words(value, words, p_value))
    if teacher is not None:
        parts += _beside_teacher(student, teacher)
    elif student.model_bytes:
        parts.append(f"{_megabytes(student.model_bytes)} MB of weights")
    return ", ".join(parts)


def _beside_words(value: float, words: System, p_value: float | None) -> str:
    other = words.measures[MAIN_MEASURE]
    says = "above" if value > other else "below" if value < other else "as"
    shown = "" if p_value is None else f"; {p_value_in_words(p_value)}"
    return f"{says} {words.name}'s {other:.3f} ({value - other:+.3f}{shown})"


def _beside_teacher(student: System, teacher: System) -> list[str]:
    """Share of the quality, times faster, bytes."""
    value, best = student.measures[MAIN_MEASURE], teacher.measures[MAIN_MEASURE]
    parts = [f"{value / best:.0%} of the {best:.3f} of {teacher.name}"] if best else []
    if student.latency_ms and teacher.latency_ms and student.latency_ms.p50 and teacher.latency_ms.p50:
        ratio = teacher.latency_ms.p50 / student.latency_ms.p50
        times = f"{max(ratio, 1 / ratio):.1f}"
        said = "as fast" if times == "1.0" else f"{times} times {'faster' if ratio > 1 else 'slower'}"
        parts.append(
            f"{said} a query ({_milliseconds(student.latency_ms)} ms against {_milliseconds(teacher.latency_ms)})"
        )
    if student.model_bytes and teacher.model_bytes:
        share = student.model_bytes / teacher.model_bytes
        parts.append(
            f"{_megabytes(student.model_bytes)} MB of weights, {share:.0%} of {_megabytes(teacher.model_bytes)} MB"
        )
    elif student.model_bytes:
        parts.append(f"{_megabytes(student.model_bytes)} MB of weights")
    return parts


def _milliseconds(latency: Latency) -> str:
    return f"{latency.p50:.1f}" if latency.p50 >= 1 else f"{latency.p50:.2g}"


def _megabytes(size: int) -> str:
    return f"{size / MEGABYTE:.3g}"
