"""The teacher that an embedding store is: its vectors are looked up, and its model encodes the texts that it lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from rankdistill.errors import StaleOutputError
from rankdistill.notes import tell
from rankdistill.progress import Progress
from rankdistill.stores.embeddings.reader import EmbeddingStore
from rankdistill.teachers import embedding
from rankdistill.teachers.base import Role, ScoreKind, check_scores, teacher_id
from rankdistill.teachers.distinct import distinct
from rankdistill.teachers.embedding import BiEncoderTeacher
from rankdistill.teachers.settings import Settings as Base


class EmbeddingStoreTeacher:
    """Scores a pair by the similarity that the store's space declares.

    It has the id of the teacher whose vectors these are: scores of either are the same. The model is loaded when a text
    comes that the store lacks.

    Args:
        store: finished.
    """

    encodes_texts = True

    def __init__(self, store: EmbeddingStore) -> None:
        self._store = store

    @property
    def score_kind(self) -> ScoreKind:
        """`cosine` or `dot`."""
        return "cosine" if self._store.space.similarity == "cosine" else "dot"

    @cached_property
    def fingerprint(self) -> Mapping[str, Any]:
        """That of the store's teacher; and the number format of the vectors, where they were rounded."""
        rounded = {} if self._store.dtype == "float32" else {"vectors": self._store.dtype}
        return {**self._store.fingerprint, **rounded}

    @cached_property
    def teacher_id(self) -> str:
        """`embedding-<12 hex digits>`."""
        return teacher_id("embedding", self.fingerprint)

    def embed(self, texts: Sequence[str], role: Role, progress: Progress | None = None) -> np.ndarray:
        """float32[n, dim]: the store's vectors, and the model's of texts that it lacks.

        Raises:
            StaleOutputError: the model is another one by now.
            TeacherError: NaN or infinite values.
        """

        def encode(lacking: Sequence[str]) -> np.ndarray:
            tell(f"{self._store.path} lacks {len(lacking):,} of {len(texts):,} {role} texts: its model encodes them")
            return self._model.embed(lacking, role, progress)

        return self._store.complete(texts, role, encode, progress)

    def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> np.ndarray:
        """Similarities, float32[n], in the unit `score_kind`; see `embed` for what it raises."""
        queries, query_rows = distinct([query for query, _ in pairs])
        documents, document_rows = distinct([document for _, document in pairs])
        told = None if progress is None else embedding.Shares(len(pairs), len(queries) + len(documents), progress)
        left, right = self.embed(queries, "query", told), self.embed(documents, "document", told)
        scores = embedding.similarities(left, right, query_rows, document_rows, self.score_kind)
        return check_scores(self.teacher_id, pairs, scores)

    @cached_property
    def _model(self) -> BiEncoderTeacher:
        known = self._store.fingerprint
        prompts = {f"{role}_prompt": known.get(f"{role}_prompt") for role in ("query", "document")}
        backend, length = known["backend"], known["max_length"]
        runs = {} if backend == "sentence-transformers" else {"backend": backend}
        settings = {"model": self._store.reference, "max_length": length, **runs, **prompts}
        model = embedding.load(embedding.Settings.model_validate(settings))
        if model.teacher_id != self._store.teacher_id:
            raise StaleOutputError(
                expected=f"{self._store.reference} as it was when {self._store.path} was made, to encode texts that "
                "are not in it",
                got=f"the teacher {model.teacher_id}, not {self._store.teacher_id}",
                consequence="nothing more was scored: scores would mix two teachers",
                remedy="embed these texts into the store with the model that it was made with, or score with the model",
            )
        return model


class Settings(Base):
    """Settings of a teacher that is an embedding store.

    Args:
        store: its folder.
    """

    store: str


def load(settings: Settings) -> EmbeddingStoreTeacher:
    """The teacher; raises DataError where there is no finished embedding store."""
    return EmbeddingStoreTeacher(EmbeddingStore(settings.store))
