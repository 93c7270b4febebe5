"""The sparse teacher: a SPLADE-like encoder whose dot product over the vocabulary is the score of a pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rankdistill.errors import ConfigError
from rankdistill.inference.loading import load_sparse_encoder
from rankdistill.inference.precision import autocast, pick_device
from rankdistill.models import resolve
from rankdistill.teachers.base import PairTeacher, Progress, Role, ScoreKind, check_scores, teacher_id
from rankdistill.teachers.distinct import distinct, document_chunks
from rankdistill.teachers.settings import TorchModelSettings

if TYPE_CHECKING:
    from scipy.sparse import csr_array

DOCUMENTS = 512
"""Documents encoded at a time."""


class SparseTeacher:
    """Encodes each distinct text of a call once with sentence-transformers' `SparseEncoder`.

    Args:
        settings: the model and how to run it.

    Raises:
        ModelReferenceError: no sparse encoder.
        ConfigError: the model declares a similarity other than dot product and cosine.
    """

    def __init__(self, settings: TorchModelSettings) -> None:
        from rankdistill.inference.splade_head import pool_before_activation

        self._settings, self._reference = settings, resolve(settings.model)
        self._device = pick_device(None)
        self._model = load_sparse_encoder(self._reference, self._device, settings.max_length)
        pool_before_activation(self._model)
        self._similarity = str(self._model.similarity_fn_name)
        if self._similarity not in {"dot", "cosine"}:
            raise ConfigError(
                expected="a sparse encoder compared by dot product or cosine",
                got=f"{settings.model} declares {self._similarity!r}",
                consequence="nothing was scored",
                remedy="set similarity_fn_name in its config_sentence_transformers.json, or choose another model",
            )

    @property
    def score_kind(self) -> ScoreKind:
        """`dot`, or `cosine` where the model declares it."""
        return "cosine" if self._similarity == "cosine" else "dot"

    @cached_property
    def fingerprint(self) -> Mapping[str, Any]:
        """Weights, prompts, maximum length, truncation, similarity, dtype, back end."""
        return {
            "kind": "sparse",
            "weights": self._reference.weights_hash,
            "prompts": dict(self._model.prompts),
            "default_prompt": self._model.default_prompt_name,
            "max_length": self._model.max_seq_length,
            "truncation": "longest_first",
            "similarity": self._similarity,
            "dtype": self._settings.dtype,
            "backend": "torch",
        }

    @cached_property
    def teacher_id(self) -> str:
        """`sparse-<12 hex digits>`."""
        return teacher_id("sparse", self.fingerprint)

    def exact(self) -> Callable[[], PairTeacher] | None:
        """Loads this teacher in float32; None where this one computes in float32 itself."""
        settings = self._settings.in_float32()
        return None if settings is None else partial(SparseTeacher, settings)

    def encode(self, texts: Sequence[str], role: Role) -> csr_array:
        """Sparse vectors, float32[n, vocabulary], with the prompt of `role`; of unit length under cosine."""
        from scipy.sparse import csr_array

        encode = self._model.encode_query if role == "query" else self._model.encode_document
        with autocast(self._device, self._settings.dtype):
            found = encode(list(texts), convert_to_sparse_tensor=True, save_to_cpu=True, show_progress_bar=False)
        found = found.coalesce()
        values = found.values().float().numpy()
        vectors = csr_array((values, found.indices().numpy()), shape=tuple(found.shape))
        if self._similarity == "cosine":
            lengths = np.sqrt(vectors.multiply(vectors).sum(axis=1))
            vectors = csr_array(vectors.multiply(1 / np.maximum(lengths, 1e-12)[:, None]))
        return vectors

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
