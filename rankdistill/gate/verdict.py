"""What a check says, and what the gate says of a whole store. Plain records; `to_json` gives JSON values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from rankdistill.errors import GateError


class Status(StrEnum):
    """How a check ended; `unknown` means that there was too little to judge by."""

    UNKNOWN = "unknown"
    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


Numbers = Mapping[str, float | int | str | None]
"""What was measured, by name."""

SEVERITY = tuple(Status)
"""From harmless to bad."""


@dataclass(frozen=True)
class Histogram:
    """Counts of values in bins of equal width.

    Args:
        title: what was counted, with its unit.
        edges: [bins + 1], rising.
        counts: [bins].
    """

    title: str
    edges: Sequence[float]
    counts: Sequence[int]


@dataclass(frozen=True)
class Verdict:
    """What one check found in one teacher's scores.

    Args:
        check: its name in `registry.CHECKS`.
        status: how it ended.
        finding: what was measured, in a sentence with its numbers.
        meaning: what follows for training.
        remedy: what to do; empty where nothing is needed.
        numbers: what was measured, by name.
        histograms: distributions that belong to the finding.
        examples: a few of the rows that the finding is about, for a reader.
    """

    check: str
    status: Status
    finding: str
    meaning: str = ""
    remedy: str = ""
    numbers: Numbers = field(default_factory=dict)
    histograms: Sequence[Histogram] = ()
    examples: Sequence[str] = ()


@dataclass(frozen=True)
class TeacherReport:
    """The verdicts over one teacher's scores.

    Args:
        teacher_id: whose.
        name: what people call it; the id where it has no name.
        score_kind: the unit that the scores are said to be in.
        verdicts: one a check, in the order of `registry.CHECKS`.
    """

    teacher_id: str
    name: str
    score_kind: str
    verdicts: Sequence[Verdict]

    @property
    def status(self) -> Status:
        """The worst verdict's."""
        return worst(verdict.status for verdict in self.verdicts)

    def of_status(self, status: Status) -> list[Verdict]:
        """The verdicts with that status."""
        return [verdict for verdict in self.verdicts if verdict.status == status]

    def summary(self) -> dict[str, str]:
        """Check -> status."""
        return {verdict.check: str(verdict.status) for verdict in self.verdicts}


@dataclass(frozen=True)
class Report:
    """The gate's answer for a store.

    Args:
        title: what was checked.
        student: the similarity that the advice is for, `cosine` or `dot`.
        teachers: one report a teacher.
    """

    title: str
    student: str
    teachers: Sequence[TeacherReport]

    @property
    def status(self) -> Status:
        """The worst teacher's."""
        return worst(teacher.status for teacher in self.teachers)

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        return {
            "title": self.title,
            "student": self.student,
            "status": str(self.status),
            "teachers": [asdict(teacher) | {"status": str(teacher.status)} for teacher in self.teachers],
        }

    def require(self, strict: bool = False, remedy: str = "") -> None:
        """Raise GateError if a check failed, or, where `strict`, warned; `remedy` joins what the checks advise."""
        stops = {Status.FAIL, Status.WARN} if strict else {Status.FAIL}
        stopped = [
            (teacher, verdict) for teacher in self.teachers for verdict in teacher.verdicts if verdict.status in stops
        ]
        if not stopped:
            return
        advice = dict.fromkeys(verdict.remedy for _, verdict in stopped if verdict.remedy)
        raise GateError(
            expected="teacher scores that a student can learn from" + (" without a warning" if strict else ""),
            got="; ".join(f"{teacher.name}: {verdict.check}: {verdict.finding}" for teacher, verdict in stopped),
            consequence="; ".join(dict.fromkeys(verdict.meaning for _, verdict in stopped if verdict.meaning)),
            remedy="; ".join([*advice, *([remedy] if remedy else [])]),
        )


def worst(statuses: Iterator[Status]) -> Status:
    """The most severe; `unknown` where nothing was judged."""
    return max(statuses, key=SEVERITY.index, default=Status.UNKNOWN)
