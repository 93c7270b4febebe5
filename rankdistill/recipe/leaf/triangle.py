"""The triangle of a student: its standard and asymmetric nDCG@10 and the teacher's, a test split and on average."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from rankdistill import files, integrity, plain_json
from rankdistill.recipe.leaf.schema import asymmetric

if TYPE_CHECKING:
    from rankdistill.verbs.compare import Results

FILE_NAME = "triangle.json"
MEASURE = "ndcg_at_10"
MEAN = "mean"


@dataclass(frozen=True)
class Triangle:
    """nDCG@10 of one student and its teacher.

    Args:
        student: its name in the recipe.
        data: the collection; `mean` for the average over the splits, each counting once.
        split: of the collection.
        standard: the student embeds queries and documents.
        asymmetric: the student embeds queries, the teacher documents.
        teacher: the teacher embeds both.
    """

    student: str
    data: str
    split: str
    standard: float
    asymmetric: float
    teacher: float

    @property
    def retention(self) -> dict[str, float]:
        """`standard` and `asymmetric` as shares of the teacher's; 0 where the teacher finds nothing."""
        return {
            name: getattr(self, name) / self.teacher if self.teacher else 0.0 for name in ("standard", "asymmetric")
        }


def triangles(every: Sequence[Results], teacher: str, students: Sequence[str]) -> list[Triangle]:
    """One for each student and test split, and behind those of a student their mean if there are several.

    Args:
        every: the results of the test splits.
        teacher: what they call the teacher.
        students: what they call the students.
    """
    found = []
    for student in students:
        own = [_of(results, teacher, student) for results in every]
        found += own
        if len(own) > 1:
            found.append(_mean(student, own))
    return found


def write(folder: Path, found: Sequence[Triangle]) -> None:
    """Write `triangle.json` into `folder`."""
    rows = [asdict(one) | {"retention": one.retention} for one in found]
    files.write_text(folder / FILE_NAME, json.dumps({"measure": MEASURE, "triangles": rows}, indent=1) + "\n")


def read(folder: Path) -> list[Triangle]:
    """What `write` wrote into `folder`."""
    rows = plain_json.read(integrity.require(folder / FILE_NAME))["triangles"]
    return [Triangle(**{name: value for name, value in row.items() if name != "retention"}) for row in rows]


def _of(results: Results, teacher: str, student: str) -> Triangle:
    values = {system.name: system.measures[MEASURE] for system in results.systems}
    return Triangle(student, results.data, results.split, values[student], values[asymmetric(student)], values[teacher])


def _mean(student: str, own: Sequence[Triangle]) -> Triangle:
    standard, both, teacher = (
        fmean(getattr(one, name) for one in own) for name in ("standard", "asymmetric", "teacher")
    )
    return Triangle(student, MEAN, "", standard, both, teacher)
