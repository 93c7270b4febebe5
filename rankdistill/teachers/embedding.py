"""The embedding teacher: a bi-encoder whose dot product or cosine is the score of a pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from rankdistill.errors import TeacherError
from rankdistill.inference import TextEncoder
from rankdistill.progress import Progress
from rankdistill.space import Space
from rankdistill.teachers.base import Role, ScoreKind, check_scores, teacher_id
from rankdistill.teachers.distinct import distinct
from rankdistill.teachers.prompts import settle
from rankdistill.teachers.settings import FastModelSettings


class BiEncoderTeacher:
    """Embeds each distinct text once; scores a pair by the similarity that the model declares.

    Args:
        encoder: the dense model.
        query_prompt: put before each query, instead of the model's own prompt.
        document_prompt: put before each document, likewise.
    """

    encodes_texts = True

    def __init__(
        self, encoder: TextEncoder, query_prompt: str | None = None, document_prompt: str | None = None
    ) -> None:
        self._encoder = encoder
        self._given: dict[Role, str | None] = {"query": query_prompt, "document": document_prompt}

    @property
    def score_kind(self) -> ScoreKind:
        """`cosine` or `dot`."""
        return "cosine" if self._encoder.similarity == "cosine" else "dot"

    @cached_property
    def fingerprint(self) -> Mapping[str, Any]:
        """Weights, prompts, maximum length, truncation, similarity, dtype, back end."""
        given = {f"{role}_prompt": prompt for role, prompt in self._given.items() if prompt is not None}
        return {"kind": "embedding", "similarity": self._encoder.similarity} | dict(self._encoder.fingerprint) | given

    @cached_property
    def teacher_id(self) -> str:
        """`embedding-<12 hex digits>`."""
        return teacher_id("embedding", self.fingerprint)

    def exact(self) -> Callable[[], BiEncoderTeacher] | None:
        """Loads this teacher in float32 by torch; None where this one computes in float32 itself."""
        load_exact = self._encoder.exact()
        return None if load_exact is None else lambda: BiEncoderTeacher(load_exact(), *self._given.values())

    @property
    def reference(self) -> str:
        """The model reference that it was loaded from."""
        return self._encoder.reference.name

    @property
    def space(self) -> Space:
        """The space of its document vectors; a document prompt that was given stands for the model's own."""
        prompt, space = self._given["document"], self._encoder.space
        return space if prompt is None else replace(space, prompts={**space.prompts, "document": prompt})

    @property
    def prompts(self) -> Mapping[Role, str]:
        """What is put before each text of a role; raises ConfigError where the model leaves that open."""
        own = {"query": self._encoder.query_prompt, "document": self._encoder.document_prompt}
        return {role: settle(role, self._encoder.prompts, own[role], given) for role, given in self._given.items()}

    def is_cut(self, texts: Sequence[str], role: Role) -> np.ndarray:
        """bool[n]: whether the model reads only the beginning of a text."""
        return self._encoder.is_cut(texts, self.prompts[role])

    def embed(self, texts: Sequence[str], role: Role, progress: Progress | None = None) -> np.ndarray:
        """float32[n, dim] with the prompt of `role`; raises TeacherError on NaN or infinite values."""
        encode = self._encoder.encode_queries if role == "query" else self._encoder.encode_documents
        vectors = encode(texts, progress=progress, prompt=self._given[role])
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(bad):
            raise TeacherError(
                expected="finite embeddings",
                got=f"teacher {self.teacher_id}: {len(bad)} of {len(texts)} hold NaN, as {texts[bad[0]][:60]!r}",
                consequence="no embedding was kept",
                remedy="look at these texts and at the teacher's weights",
            )
        return vectors

    def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> np.ndarray:
        """Similarities, float32[n], in the unit `score_kind`; `progress` gets the share of pairs done."""
        queries, query_rows = distinct([query for query, _ in pairs])
        documents, document_rows = distinct([document for _, document in pairs])
        told = None if progress is None else Shares(len(pairs), len(queries) + len(documents), progress)
        left, right = self.embed(queries, "query", told), self.embed(documents, "document", told)
        scores = similarities(left, right, query_rows, document_rows, self.score_kind)
        return check_scores(self.teacher_id, pairs, scores)


class Shares:
    """A `Progress` of texts that tells another one of pairs: the same share of them.

    Args:
        pairs: how many there are.
        texts: how many texts they come to.
        progress: is told of the pairs; in the end of all.
    """

    def __init__(self, pairs: int, texts: int, progress: Progress) -> None:
        self._pairs, self._texts, self._progress = pairs, max(texts, 1), progress
        self._done = self._told = 0

    def __call__(self, done: int) -> None:
        """So many more texts are encoded."""
        self._done = min(self._done + done, self._texts)
        pairs = self._pairs * self._done // self._texts
        if pairs > self._told:
            self._progress(pairs - self._told)
            self._told = pairs


class Settings(FastModelSettings):
    """Settings of an embedding teacher.

    Args:
        query_prompt: put before each query, instead of the model's own prompt; "" puts nothing.
        document_prompt: put before each document, likewise.
    """

    query_prompt: str | None = None
    document_prompt: str | None = None


def load(settings: Settings) -> BiEncoderTeacher:
    """The teacher; raises ModelReferenceError unless the model embeds single texts."""
    model = TextEncoder(settings.model, settings.backend, settings.max_length, calibration=settings.calibration)
    return BiEncoderTeacher(model, settings.query_prompt, settings.document_prompt)


def similarities(
    queries: np.ndarray, documents: np.ndarray, left: np.ndarray, right: np.ndarray, kind: ScoreKind
) -> np.ndarray:
    """float32[n]: dot products, or cosines, of the vectors in the rows `left` of queries and `right` of documents."""
    if kind == "cosine":
        queries, documents = _unit(queries), _unit(documents)
    return np.einsum("nd,nd->n", queries[left], documents[right], dtype=np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
