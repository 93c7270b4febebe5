"""What a check says, and what the gate says of a whole store. Plain records; `to_json` gives JSON values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from rankdistill.display import Shown, Table
from rankdistill.errors import GateError
from rankdistill.teachers.names import beside

if TYPE_CHECKING:
    import polars as pl

MOST_IN_FULL = 3
"""Teachers of whom every check is shown; of more, only what is not in order."""


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

    def table(self, statuses: Collection[Status] = SEVERITY) -> Table:
        """A check of one of these statuses a row: its verdict, what was found, and what to do."""
        header = ["check", "verdict", "finding", "what it means and what to do"]
        rows = [
            [one.check, str(one.status), one.finding, "; ".join(part for part in (one.meaning, one.remedy) if part)]
            for one in self.verdicts
            if one.status in statuses
        ]
        return Table(f"{beside(self.name, self.teacher_id)}: {self.status}", header, rows, texts=len(header))


@dataclass(frozen=True, repr=False)
class Report(Shown):
    """The gate's answer for a store; it prints every check of a few teachers, and what is not in order of many.

    Args:
        title: what was checked.
        student: the similarity that the advice is for, `cosine` or `dot`.
        teachers: one report a teacher.
        strict: whether a warning is a failure too.
        written: the files that it was written to.
    """

    title: str
    student: str
    teachers: Sequence[TeacherReport]
    strict: bool = False
    written: Sequence[str] = ()

    def __repr__(self) -> str:
        return f"Report({self.title!r}: {self.status}, {len(self.teachers):,} teachers)"

    @property
    def status(self) -> Status:
        """The worst teacher's."""
        return worst(teacher.status for teacher in self.teachers)

    def tables(self) -> list[Table]:
        """Every check of each teacher; of more than `MOST_IN_FULL`, what is not in order, and an overview."""
        if len(self.teachers) <= MOST_IN_FULL:
            return [teacher.table() for teacher in self.teachers]
        bad = [teacher.table((Status.WARN, Status.FAIL)) for teacher in self.teachers]
        return [*(table for table in bad if table.rows), self.overview()]

    def lines(self) -> list[str]:
        """The files that it was written to."""
        return list(self.written)

    def overview(self) -> Table:
        """A teacher a row: its status, and the checks that failed, warned, or could not judge."""
        listed = {f"{Status.FAIL}s": Status.FAIL, f"{Status.WARN}s": Status.WARN, "unknown": Status.UNKNOWN}
        header = ["teacher", "scores in", "verdict", *listed]
        rows = [
            [
                teacher.name,
                teacher.score_kind,
                str(teacher.status),
                *(", ".join(one.check for one in teacher.of_status(status)) or "-" for status in listed.values()),
            ]
            for teacher in self.teachers
        ]
        return Table(f"{self.title}: {self.status}", header, rows, texts=len(header))

    def to_polars(self) -> pl.DataFrame:
        """A row a teacher and check: teacher, teacher_id, score_kind, check, status, finding, meaning, remedy."""
        import polars as pl

        names = ("check", "status", "finding", "meaning", "remedy")
        rows = [
            [teacher.name, teacher.teacher_id, teacher.score_kind, *(str(getattr(one, name)) for name in names)]
            for teacher in self.teachers
            for one in teacher.verdicts
        ]
        columns = ["teacher", "teacher_id", "score_kind", *names]
        return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")

    def to_json(self) -> dict[str, Any]:
        """Every verdict with all its numbers, as JSON values."""
        return {
            "title": self.title,
            "student": self.student,
            "status": str(self.status),
            "teachers": [asdict(teacher) | {"status": str(teacher.status)} for teacher in self.teachers],
        }

    def require(self, strict: bool | None = None, remedy: str = "") -> None:
        """Raise GateError if a check failed, or, where `strict`, warned.

        Args:
            strict: whether a warning is a failure too; as the report was asked for unless given.
            remedy: joins what the checks advise.
        """
        strict = self.strict if strict is None else strict
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
