"""Sparse models as sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rankdistill.mining.exhaustive import NOT_FOUND, search
from rankdistill.mining.source import Hits, Progress

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class SparseSource:
    """Exact search with a sparse model (SPLADE and its kin); scores are dot products of term weights.

    Documents that share no term with the query are left out.

    Args:
        model: a model reference.
        max_length: tokens of a text that are read; None: the model's own limit.
        name: what the `source` column says.
    """

    model: str
    max_length: int | None = None
    name: str = "sparse"

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
        from rankdistill.inference.sparse_encoder import SparseTextEncoder

        scorer = SparseScorer(SparseTextEncoder(self.model, max_length=self.max_length))
        return search(scorer, contents, queries, depth, progress)


class SparseEncoder(Protocol):
    """The part of `rankdistill.inference.sparse_encoder.SparseTextEncoder` that comparing needs."""

    def encode_queries(self, texts: Sequence[str]) -> csr_array:
        """float32[texts, vocabulary]."""

    def encode_documents(self, texts: Sequence[str]) -> csr_array:
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

    def encode_documents(self, texts: Sequence[str]) -> csr_array:
        """float32[texts, vocabulary]."""
        return self.encoder.encode_documents(texts)

    def scores(self, queries: csr_array, block: slice, documents: csr_array) -> NDArray[np.float32]:
        """float32[queries of the block, documents]."""
        found = (queries[block] @ documents.T).toarray()
        found[found == 0] = NOT_FOUND
        return found
