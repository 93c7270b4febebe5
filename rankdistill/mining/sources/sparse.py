"""Sparse models as sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from rankdistill.mining.exhaustive import NOT_FOUND
from rankdistill.mining.sources.encoder_source import EncoderSource
from rankdistill.progress import Progress

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class SparseSource(EncoderSource):
    """Exact search with a sparse model (SPLADE and its kin); scores are dot products of term weights.

    Documents that share no term with the query are left out.
    """

    name: str = "sparse"

    def scorer(self) -> SparseScorer:
        """The encoder, loaded, with its comparison."""
        from rankdistill.inference.sparse_encoder import SparseTextEncoder

        return SparseScorer(SparseTextEncoder(self.model, max_length=self.max_length))


class SparseEncoder(Protocol):
    """The part of `rankdistill.inference.sparse_encoder.SparseTextEncoder` that comparing needs."""

    def encode_queries(self, texts: Sequence[str]) -> csr_array:
        """float32[texts, vocabulary]."""

    def encode_documents(self, texts: Sequence[str], progress: Progress | None = None) -> csr_array:
        """float32[texts, vocabulary]."""


@dataclass(frozen=True)
class SparseScorer:
    """Dot products of term weights; see `rankdistill.mining.exhaustive.Scorer`."""

    encoder: SparseEncoder
    documents_at_once: int = 4096
    queries_at_once: int = 1024

    def encode_queries(self, texts: Sequence[str]) -> csr_array:
        """float32[texts, vocabulary]."""
        return self.encoder.encode_queries(texts)

    def encode_documents(self, texts: Sequence[str], progress: Progress | None = None) -> csr_array:
        """float32[texts, vocabulary]."""
        return self.encoder.encode_documents(texts, progress)

    def scores(self, queries: csr_array, block: slice, documents: csr_array) -> NDArray[np.float32]:
        """float32[queries of the block, documents]."""
        found = (queries[block] @ documents.T).toarray()
        found[found == 0] = NOT_FOUND
        return found
