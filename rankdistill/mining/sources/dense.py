"""Dense models as sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rankdistill.mining.exhaustive import search
from rankdistill.mining.source import Hits, Progress


@dataclass(frozen=True)
class DenseSource:
    """Exact search with a dense model; scores are cosines or dot products, as the model says.

    Args:
        model: a model reference.
        max_length: tokens of a text that are read; None: the model's own limit.
        name: what the `source` column says; two dense sources in one table need two names.
    """

    model: str
    max_length: int | None = None
    name: str = "dense"

    @property
    def inputs(self) -> Mapping[str, str]:
        """The hash of the model's weights."""
        from rankdistill import models

        return {"model": models.resolve(self.model).weights_hash}

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The length limit."""
        return {"max_length": self.max_length}

    def retrieve(self, contents: Mapping[str, str], queries: Sequence[str], depth: int, progress: Progress) -> Hits:
        """Encode and compare all documents, a chunk at a time; see `Source.retrieve`."""
        from rankdistill.inference import TextEncoder

        scorer = DenseScorer(TextEncoder(self.model, max_length=self.max_length))
        return search(scorer, contents, queries, depth, progress)


class DenseEncoder(Protocol):
    """The part of `rankdistill.inference.TextEncoder` that comparing needs."""

    @property
    def similarity(self) -> str:
        """`cosine` or `dot`."""

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32[texts, dimension]."""

    def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
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

    def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32[texts, dimension]."""
        return self._comparable(self.encoder.encode_documents(texts))

    def scores(self, queries: NDArray[np.float32], block: slice, documents: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[queries of the block, documents]."""
        return queries[block] @ documents.T

    def _comparable(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unit vectors where the similarity is cosine (a zero vector stays zero), else the vectors themselves."""
        if self.encoder.similarity != "cosine":
            return vectors
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.maximum(norms, np.finfo(np.float32).tiny)
