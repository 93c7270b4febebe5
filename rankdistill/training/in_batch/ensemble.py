"""The in-batch teacher that is the weighted mean of others, each in deviations of its scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rankdistill.errors import ConfigError
from rankdistill.teachers.base import Role, teacher_id

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from rankdistill.training.in_batch.teacher import InBatchTeacher


@dataclass(frozen=True)
class WeightedTeachers:
    """`sum_t factor_t s_t` over in-batch teachers, whatever else is in the batch.

    Args:
        members: the teachers.
        factors: weight over deviation of each, the weights summing to 1.
    """

    members: Sequence[InBatchTeacher]
    factors: Sequence[float]

    @property
    def teacher_id(self) -> str:
        """From the members' ids and their factors."""
        return teacher_id("ensemble", {member.teacher_id: factor for member, factor in self._parts()})

    @property
    def space(self) -> None:
        """None: a mean of scores has no space."""

    @property
    def tower(self) -> None:
        """None: likewise."""

    def know(self, texts: Sequence[str], kind: Role) -> None:
        """Let every member know the texts."""
        for member in self.members:
            member.know(texts, kind)

    def let_go(self) -> None:
        """Let every member free what made its vectors."""
        for member in self.members:
            member.let_go()

    def scores(self, queries: Sequence[str], documents: Sequence[str]) -> NDArray[np.float32]:
        """float32[queries, documents], in deviations."""
        found = np.zeros((len(queries), len(documents)))
        for member, factor in self._parts():
            found += factor * member.scores(queries, documents)
        return found.astype(np.float32)

    def topic_vectors(self, queries: Sequence[str]) -> NDArray[np.float32] | csr_array:
        """Those of the first member."""
        return self.members[0].topic_vectors(queries)

    def vectors(self, texts: Sequence[str], kind: Role) -> NDArray[np.float32]:
        """ConfigError: a mean of scores has no single vector of a text."""
        raise ConfigError(
            expected="a dense in-batch teacher, which has one vector a text",
            got=f"{self.teacher_id}, the mean of {len(self.members)} teachers' scores",
            consequence="nothing was trained",
            remedy="name an embedding store or a dense model as in_batch_teacher",
        )

    def rows(self, texts: Sequence[str], kind: Role) -> NDArray[np.float32]:
        """ConfigError: likewise."""
        return self.vectors(texts, kind)

    def _parts(self) -> list[tuple[InBatchTeacher, float]]:
        return list(zip(self.members, self.factors, strict=True))
