"""The sparse teacher: a SPLADE-like encoder whose dot product over the vocabulary is the score of a pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rankdistill.inference.sparse_encoder import SparseTextEncoder
from rankdistill.progress import Progress
from rankdistill.space import SparseSpace
from rankdistill.teachers.base import PairTeacher, Role, ScoreKind, check_scores, teacher_id
from rankdistill.teachers.distinct import distinct, document_chunks
from rankdistill.teachers.settings import TorchModelSettings

if TYPE_CHECKING:
    from scipy.sparse import csr_array

DOCUMENTS = 512
"""Documents encoded at a time."""


class SparseTeacher:
    """Encodes each distinct text of a call once with a `SparseTextEncoder`.

    Args:
        settings: the model and how to run it.

    Raises:
        ModelReferenceError: no sparse encoder.
        ConfigError: the model declares a similarity other than dot product and cosine.
    """

    encodes_texts = True

    def __init__(self, settings: TorchModelSettings) -> None:
        self._settings = settings
        self._encoder = SparseTextEncoder(settings.model, settings.encoder_backend, settings.max_length)

    @property
    def score_kind(self) -> ScoreKind:
        """`dot`, or `cosine` where the model declares it."""
        return "cosine" if self._encoder.similarity == "cosine" else "dot"

    @cached_property
    def fingerprint(self) -> Mapping[str, Any]:
        """Weights, prompts, maximum length, truncation, similarity, dtype, back end."""
        return {"kind": "sparse", **self._encoder.fingerprint}

    @cached_property
    def teacher_id(self) -> str:
        """`sparse-<12 hex digits>`."""
        return teacher_id("sparse", self.fingerprint)

    @property
    def space(self) -> SparseSpace:
        """The space of its document vectors."""
        return self._encoder.space

    @property
    def reference(self) -> str:
        """The model reference that it was loaded from."""
        return self._encoder.reference.name

    def exact(self) -> Callable[[], PairTeacher] | None:
        """Loads this teacher in float32; None where this one computes in float32 itself."""
        settings = self._settings.in_float32()
        return None if settings is None else partial(SparseTeacher, settings)

    def encode(self, texts: Sequence[str], role: Role) -> csr_array:
        """Sparse vectors, float32[n, vocabulary], with the prompt of `role`; of unit length under cosine."""
        if role == "query":
            return self._encoder.encode_queries(texts)
        return self._encoder.encode_documents(texts)

    def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> np.ndarray:
        """Dot products (or cosines), float32[n]; raises TeacherError on NaN or infinite ones."""
        scores = np.empty(len(pairs), dtype=np.float32)
        if not len(pairs):
            return scores
        queries, query_rows = distinct([query for query, _ in pairs])
        left = self.encode(queries, "query")
        for chunk in document_chunks(pairs, DOCUMENTS):
            right = self.encode(chunk.documents, "document")
            scores[chunk.pairs] = left[query_rows[chunk.pairs]].multiply(right[chunk.places]).sum(axis=1)
            if progress is not None:
                progress(len(chunk.pairs))
        return check_scores(self.teacher_id, pairs, scores)


Settings = TorchModelSettings


def load(settings: TorchModelSettings) -> SparseTeacher:
    """The teacher; raises ModelReferenceError unless the model is a sparse encoder."""
    return SparseTeacher(settings)
