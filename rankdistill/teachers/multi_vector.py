"""The multi-vector teacher: late interaction, scored by MaxSim."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from rankdistill.inference.multi_vector_encoder import MultiVectorTextEncoder
from rankdistill.progress import Progress
from rankdistill.teachers.base import PairTeacher, Role, ScoreKind, check_scores, teacher_id
from rankdistill.teachers.distinct import distinct, document_chunks
from rankdistill.teachers.settings import TorchModelSettings

DOCUMENTS = 256
"""Documents encoded at a time: a vector a token is too much to keep for all of them."""


class MultiVectorTeacher:
    """Encodes each distinct text of a call once with sentence-transformers' `MultiVectorEncoder`.

    The score is `sum over query tokens of the largest dot product with a document token` (Khattab and Zaharia 2020),
    divided by the number of query tokens where the model declares `meanmaxsim`.

    Args:
        settings: the model and how to run it; `max_length` is that of documents.

    Raises:
        ModelReferenceError: no multi-vector encoder.
    """

    encodes_texts = True

    def __init__(self, settings: TorchModelSettings) -> None:
        self._settings = settings
        self._encoder = MultiVectorTextEncoder(settings.model, settings.encoder_backend, settings.max_length)

    @property
    def score_kind(self) -> ScoreKind:
        """`cosine` for the mean over unit vectors, which lies in [-1, 1]; else `dot`."""
        return "cosine" if self.is_mean and self._encoder.is_normalised else "dot"

    @property
    def is_mean(self) -> bool:
        """Whether a score is divided by the number of query tokens."""
        return self._encoder.similarity == "meanmaxsim"

    @cached_property
    def fingerprint(self) -> Mapping[str, Any]:
        """Weights, prompts, maximum length, truncation, similarity, dtype, back end."""
        return {"kind": "multi_vector"} | dict(self._encoder.fingerprint)

    @cached_property
    def teacher_id(self) -> str:
        """`multi-vector-<12 hex digits>`."""
        return teacher_id("multi_vector", self.fingerprint)

    def exact(self) -> Callable[[], PairTeacher] | None:
        """Loads this teacher in float32; None where this one computes in float32 itself."""
        settings = self._settings.in_float32()
        return None if settings is None else partial(MultiVectorTeacher, settings)

    def encode(self, texts: Sequence[str], role: Role) -> list[Any]:
        """A tensor [tokens, dim] for each text, on the model's device, with the prompt and the length of `role`."""
        return self._encoder.query_tensors(texts) if role == "query" else self._encoder.document_tensors(texts)

    def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> np.ndarray:
        """MaxSim, float32[n]; TeacherError on NaN, and for a document or query of which the model scores no token."""
        return check_scores(self.teacher_id, pairs, self.score_or_leave(pairs, progress))

    def score_or_leave(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> np.ndarray:
        """As `score`, but minus infinity for a document or query of which the model scores no token."""
        scores = np.empty(len(pairs), dtype=np.float32)
        if not len(pairs):
            return scores
        queries, query_rows = distinct([query for query, _ in pairs])
        left = self.encode(queries, "query")
        for chunk in document_chunks(pairs, DOCUMENTS):
            right = self.encode(chunk.documents, "document")
            queries_of = [left[row] for row in query_rows[chunk.pairs]]
            documents_of = [right[place] for place in chunk.places]
            scores[chunk.pairs] = self._similarities(queries_of, documents_of)
            if progress is not None:
                progress(len(chunk.pairs))
        scored = np.flatnonzero(~np.isneginf(scores)).tolist()
        check_scores(self.teacher_id, [pairs[place] for place in scored], scores[scored])
        return scores

    def _similarities(self, queries: list[Any], documents: list[Any]) -> np.ndarray:
        """float32[n]; minus infinity where a side has no token, for which the library gives a made-up number."""
        scored = [place for place, sides in enumerate(zip(queries, documents, strict=True)) if all(map(len, sides))]
        scores = np.full(len(queries), -np.inf, dtype=np.float32)
        if scored:
            found = self._encoder.similarity_pairwise(
                [queries[place] for place in scored], [documents[place] for place in scored]
            )
            scores[scored] = found.cpu().numpy()
        return scores


Settings = TorchModelSettings


def load(settings: TorchModelSettings) -> MultiVectorTeacher:
    """The teacher; raises ModelReferenceError unless the model is a multi-vector encoder."""
    return MultiVectorTeacher(settings)
