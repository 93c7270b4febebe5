"""A query model and a document model of one space, and what they make of a split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rankdistill.data import Dataset
from rankdistill.evaluation.dense import Encoder
from rankdistill.evaluation.embedded import Embedded, Pairing
from rankdistill.index.encoding import encode
from rankdistill.space import require_searchable

TEACHER, STUDENT, ASYMMETRIC = "teacher", "student", "asymmetric"

Progress = Callable[[int], None]
"""Called with the number of texts just encoded."""


@dataclass(frozen=True)
class Towers:
    """The two sides of asymmetric search.

    Args:
        student: embeds queries into the teacher's space.
        teacher: embeds the documents.

    Raises:
        SpaceMismatchError: the student was not aligned with this teacher.
    """

    student: Encoder
    teacher: Encoder

    def __post_init__(self) -> None:
        require_searchable(self.teacher.space, self.student.query_spaces)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self.teacher.space.dimension

    @property
    def similarity(self) -> str:
        """`cosine` or `dot`, as the documents' space has it."""
        return self.teacher.space.similarity

    @property
    def fingerprints(self) -> Mapping[str, Mapping[str, Any]]:
        """What the vectors of either depend on, as JSON values."""
        return {STUDENT: dict(self.student.fingerprint), TEACHER: dict(self.teacher.fingerprint)}

    def triangle(self, dataset: Dataset, split: str, progress: Progress = lambda done: None) -> tuple[Pairing, ...]:
        """The teacher alone, the student alone, and the student's queries against the teacher's documents.

        Raises:
            DataError: no such split.
        """
        teacher, asymmetric = self.searchers(dataset, split, progress)
        documents = _documents(self.student, dataset, progress)
        return teacher, Pairing(STUDENT, asymmetric.queries, documents), asymmetric

    def searchers(
        self, dataset: Dataset, split: str, progress: Progress = lambda done: None
    ) -> tuple[Pairing, Pairing]:
        """The teacher's queries and the student's against the teacher's documents.

        Raises:
            DataError: no such split.
        """
        queries = dataset.queries(split)
        by_student, by_teacher = (
            Embedded(list(queries), encoder.encode_queries(list(queries.values())))
            for encoder in (self.student, self.teacher)
        )
        documents = _documents(self.teacher, dataset, progress)
        return Pairing(TEACHER, by_teacher, documents), Pairing(ASYMMETRIC, by_student, documents)


def open_towers(query_model: str, document_model: str, backend: str = "auto", max_length: int | None = None) -> Towers:
    """The towers of two model references.

    Args:
        query_model: the student.
        document_model: its teacher.
        backend: of `TextEncoder`, for both.
        max_length: tokens a text, for both; None takes each model's own.

    Raises:
        ModelReferenceError: a model is not to be found.
        SpaceMismatchError: the student was not aligned with this teacher.
    """
    from rankdistill.inference import TextEncoder

    student, teacher = (
        TextEncoder(reference, backend=backend, max_length=max_length) for reference in (query_model, document_model)
    )
    return Towers(student, teacher)


def _documents(encoder: Encoder, dataset: Dataset, progress: Progress) -> Embedded:
    return Embedded(dataset.doc_ids, encode(encoder, list(dataset.contents.values()), progress))
