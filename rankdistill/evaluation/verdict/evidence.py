"""What a verdict is given: a student and what it is held against, query by query, and its int8 file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rankdistill.evaluation.significance import holm, randomisation_test, trainings_interval
from rankdistill.evaluation.systems import System
from rankdistill.evaluation.verdict.int8 import Int8

BM25, UNTRAINED, TEACHER = "bm25", "untrained", "teacher"
"""What a student may be held against."""

OTHERS = (BM25, UNTRAINED, TEACHER)


@dataclass(frozen=True)
class Judged:
    """One system with its nDCG@10 of every query.

    Args:
        system: its name and costs.
        values: `[trainings, queries]`, each system's queries in one order.
    """

    system: System
    values: NDArray[np.float64]

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.system.name

    @property
    def mean(self) -> float:
        """Over queries and trainings."""
        return float(self.values.mean())


@dataclass(frozen=True)
class Test:
    """The student minus another system in nDCG@10, paired by query.

    Args:
        difference: of the means.
        interval: 95%, over queries and trainings.
        p_value: two-sided paired randomisation test.
        p_holm: Holm-corrected over the tests of this verdict.
    """

    difference: float
    interval: tuple[float, float]
    p_value: float
    p_holm: float

    @property
    def figures(self) -> dict[str, float | int | str | None]:
        """The numbers by name."""
        low, high = self.interval
        return {
            "difference": self.difference,
            "low": low,
            "high": high,
            "p_value": self.p_value,
            "p_holm": self.p_holm,
        }


@dataclass(frozen=True)
class Evidence:
    """What is known of one student.

    Args:
        student: whom the verdict is about.
        others: what it is held against, by role (`OTHERS`); a role that was not evaluated is absent.
        query_ids: of the judged queries.
        int8: its int8 file beside float32; None where none was given.
        seed: of permutations and resamples.
    """

    student: Judged
    others: Mapping[str, Judged]
    query_ids: Sequence[str]
    int8: Int8 | None = None
    seed: int = 0

    @cached_property
    def tests(self) -> dict[str, Test]:
        """Role -> the student against it; one family of Holm's correction."""
        found = [(role, self.others[role]) for role in OTHERS if role in self.others]
        mine = self.student.values
        p_values = [
            randomisation_test(mine.mean(axis=0), other.values.mean(axis=0), seed=self.seed) for _, other in found
        ]
        return {
            role: Test(
                difference=float(mine.mean(axis=0).mean() - other.values.mean(axis=0).mean()),
                interval=trainings_interval(mine, other.values, seed=self.seed),
                p_value=p_value,
                p_holm=corrected,
            )
            for (role, other), p_value, corrected in zip(found, p_values, holm(p_values), strict=True)
        }
