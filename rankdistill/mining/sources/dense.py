"""Dense models as sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rankdistill.mining.sources.encoder_source import EncoderSource
from rankdistill.progress import Progress


@dataclass(frozen=True)
class DenseSource(EncoderSource):
    """Exact search with a dense model; scores are cosines or dot products, as the model says."""

    name: str = "dense"

    def scorer(self) -> DenseScorer:
        """The encoder, loaded, with its comparison."""
        from rankdistill.inference import TextEncoder

        return DenseScorer(TextEncoder(self.model, max_length=self.max_length))


class DenseEncoder(Protocol):
    """The part of `rankdistill.inference.TextEncoder` that comparing needs."""

    @property
    def similarity(self) -> str:
        """`cosine` or `dot`."""

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32[texts, dimension]."""

    def encode_documents(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        """float32[texts, dimension]."""


@dataclass(frozen=True)
class DenseScorer:
    """Cosines or dot products, as the encoder says; see `rankdistill.mining.exhaustive.Scorer`."""

    encoder: DenseEncoder
    documents_at_once: int = 4096
    queries_at_once: int = 1024

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32[texts, dimension]."""
        return self._comparable(self.encoder.encode_queries(texts))

    def encode_documents(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        """float32[texts, dimension]."""
        return self._comparable(self.encoder.encode_documents(texts, progress))

    def scores(self, queries: NDArray[np.float32], block: slice, documents: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[queries of the block, documents]."""
        return queries[block] @ documents.T

    def _comparable(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unit vectors where the similarity is cosine (a zero vector stays zero), else the vectors themselves."""
        if self.encoder.similarity != "cosine":
            return vectors
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.maximum(norms, np.finfo(np.float32).tiny)
