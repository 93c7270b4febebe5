"""What a check found, and what all of them come to, as `results.json` has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from pydantic import Field

from rankdistill.display import Table
from rankdistill.evaluation.systems import Record


class Status(StrEnum):
    """How a check ended: only `refuse` stands against shipping; `warn` is for the reader to weigh."""

    PASS = "pass"
    WARN = "warn"
    REFUSE = "refuse"


class Finding(Record):
    """What one check found.

    Args:
        check: its name in `registry.CHECKS`.
        status: how it ended.
        sentence: what was found, with its figures.
        judged: whether there was something to judge; False with what was missing in the sentence.
        reason: why not to ship, in a few words; empty unless refused.
        figures: what was measured, by name.
    """

    check: str
    status: Status
    sentence: str
    judged: bool = True
    reason: str = ""
    figures: dict[str, float | int | str | None] = Field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether it does not stand against shipping."""
        return self.status != Status.REFUSE


class Bounds(Record):
    """Where the checks draw their lines.

    Args:
        keep: least share of the teacher's nDCG@10.
        level: of significance, after Holm's correction.
        least_queries: judged queries below which nothing is said to be shown.
        least_cosine: mean cosine of the int8 file's vectors with float32's.
        most_loss: nDCG@10 that int8 queries may lose against float32 ones.
    """

    keep: float = 0.9
    level: float = 0.05
    least_queries: int = 50
    least_cosine: float = 0.95
    most_loss: float = 0.01


USUAL = Bounds()
"""Where lines are drawn unless a user says otherwise."""


class Verdict(Record):
    """Whether to ship one student.

    Args:
        student: its name.
        ship: whether no check refuses.
        sentence: that, its reasons, and the summary.
        summary: quality kept, times faster and bytes, as far as they were measured.
        findings: one a check, in the order of `registry.CHECKS`.
        bounds: where the lines were drawn.
    """

    student: str
    ship: bool
    sentence: str
    summary: str
    findings: list[Finding]
    bounds: Bounds

    @property
    def reasons(self) -> list[Finding]:
        """What stands against shipping."""
        return [one for one in self.findings if not one.passed]

    def finding(self, check: str) -> Finding:
        """What the check of this name found.

        Raises:
            KeyError: no such check.
        """
        return {one.check: one for one in self.findings}[check]

    def with_finding(self, finding: Finding) -> Verdict:
        """The verdict with another finding of one check, its bounds as they were."""
        findings = [finding if one.check == finding.check else one for one in self.findings]
        return concluded(self.student, self.summary, findings, self.bounds)

    def table(self) -> Table:
        """A check a row: how it ended and what was found."""
        rows = [[one.check, str(one.status), one.sentence] for one in self.findings]
        return Table(
            f"{self.student}: {'ship' if self.ship else 'refuse'}", ["check", "verdict", "finding"], rows, texts=3
        )


def concluded(student: str, summary: str, findings: Sequence[Finding], bounds: Bounds) -> Verdict:
    """What the findings come to: one that refuses is enough."""
    reasons = [one.reason for one in findings if not one.passed]
    opening = f"Refuse {student}, {_listed(reasons)}" if reasons else f"Ship {student}"
    return Verdict(
        student=student,
        ship=not reasons,
        sentence=f"{opening}: {summary}.",
        summary=summary,
        findings=list(findings),
        bounds=bounds,
    )


def _listed(clauses: Iterable[str]) -> str:
    *first, last = clauses
    return f"{', '.join(first)} and {last}" if first else last
