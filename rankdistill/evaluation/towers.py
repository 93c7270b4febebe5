"""A query model and a document model of one space, and what they make of a split."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rankdistill import files
from rankdistill.bundles import open_document_encoder, open_query_encoder
from rankdistill.data import Dataset
from rankdistill.evaluation.embedded import Embedded, Pairing
from rankdistill.indexing.arrays import RowsFile
from rankdistill.indexing.base import Vectors
from rankdistill.indexing.encoding import write
from rankdistill.indexing.kinds import Encoder
from rankdistill.progress import Progress
from rankdistill.space import require_dimension, require_searchable

TEACHER, STUDENT, ASYMMETRIC = "teacher", "student", "asymmetric"


@dataclass(frozen=True)
class Towers:
    """The two sides of asymmetric search.

    Args:
        student: embeds queries into the teacher's space.
        teacher: embeds the documents.
        unaligned: trust that the two share a space, which nothing says; only their dimension is checked.

    Raises:
        SpaceMismatchError: the student was not aligned with this teacher.
    """

    student: Encoder
    teacher: Encoder
    unaligned: bool = False

    def __post_init__(self) -> None:
        if self.unaligned:
            require_dimension(self.teacher.space, self.student.space)
        else:
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

    def triangle(
        self, dataset: Dataset, split: str, progress: Progress = lambda done: None, teacher: Pairing | None = None
    ) -> tuple[Pairing, Pairing, Pairing]:
        """The teacher alone, the student alone, and the student's queries against the teacher's documents.

        Args:
            dataset: queries and documents.
            split: whose queries.
            progress: called with the number of texts just encoded.
            teacher: what this returned first for another student of the same teacher, to be used again.

        Raises:
            DataError: no such split.
        """
        by_teacher, asymmetric = self.searchers(dataset, split, progress, teacher)
        own = Pairing(STUDENT, asymmetric.queries, _documents(self.student, dataset, progress))
        return by_teacher, own, asymmetric

    def searchers(
        self, dataset: Dataset, split: str, progress: Progress = lambda done: None, teacher: Pairing | None = None
    ) -> tuple[Pairing, Pairing]:
        """The teacher's queries and the student's against the teacher's documents; arguments as of `triangle`."""
        if teacher is None:
            queries, documents = _queries(self.teacher, dataset, split), _documents(self.teacher, dataset, progress)
            teacher = Pairing(TEACHER, queries, documents)
        return teacher, Pairing(ASYMMETRIC, _queries(self.student, dataset, split), teacher.documents)


def open_towers(
    query_model: str,
    document_model: str,
    backend: str = "auto",
    max_length: int | None = None,
    unaligned: bool = False,
) -> Towers:
    """The towers of two references, each of a model or of a bundle.

    Args:
        query_model: the student.
        document_model: its teacher.
        backend: of `TextEncoder`, for both.
        max_length: tokens a text, for both; None takes each model's own.
        unaligned: see `Towers`.

    Raises:
        ModelReferenceError: a model is not to be found.
        SpaceMismatchError: the student was not aligned with this teacher; a bundle was edited.
        DataError: a bundle is unfinished.
    """
    teacher = open_document_encoder(document_model, backend, max_length)
    student = open_query_encoder(query_model, backend, max_length, documents=teacher.space)
    return Towers(student, teacher, unaligned)


def _documents(encoder: Encoder, dataset: Dataset, progress: Progress) -> Embedded:
    """The documents' vectors, in a file without a name in the system's folder for temporary files, and mapped."""
    ids = dataset.doc_ids
    with files.output_errors(Path(tempfile.gettempdir())), tempfile.TemporaryFile(buffering=0) as stream:
        out = RowsFile(stream, len(ids), encoder.space.dimension)
        texts = (document.contents for document in dataset.documents())
        write(lambda block: encoder.encode_documents(block.texts, progress), ids, texts, out, _as_given, progress)
        return Embedded(ids, out.mapped())


def _as_given(vectors: Vectors) -> Vectors:
    return vectors


def _queries(encoder: Encoder, dataset: Dataset, split: str) -> Embedded:
    queries = dataset.queries(split)
    return Embedded(list(queries), encoder.encode_queries(list(queries.values())))
