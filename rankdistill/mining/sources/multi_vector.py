"""Multi-vector models as sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rankdistill.mining.exhaustive import search
from rankdistill.mining.source import Hits, Progress

if TYPE_CHECKING:
    from rankdistill.inference.token_vectors import TokenVectors


@dataclass(frozen=True)
class MultiVectorSource:
    """Exact MaxSim search with a late-interaction model; a vector a token, so it is slow on large collections.

    The score is `rankdistill.inference.token_vectors.max_sim`, as the model declares it. Documents of which the model
    keeps no token are left out.

    Args:
        model: a model reference.
        max_length: tokens of a document that are read; None: the model's own limit.
        name: what the `source` column says.
    """

    model: str
    max_length: int | None = None
    name: str = "multi-vector"

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
        from rankdistill.inference.multi_vector_encoder import MultiVectorTextEncoder

        scorer = MaxSimScorer(MultiVectorTextEncoder(self.model, max_length=self.max_length))
        return search(scorer, contents, queries, depth, progress)


class MultiVectorEncoder(Protocol):
    """The part of `rankdistill.inference.multi_vector_encoder.MultiVectorTextEncoder` that comparing needs."""

    @property
    def similarity(self) -> str:
        """`maxsim` or `meanmaxsim`."""

    def encode_queries(self, texts: Sequence[str]) -> TokenVectors:
        """Token vectors of queries."""

    def encode_documents(self, texts: Sequence[str]) -> TokenVectors:
        """Token vectors of documents."""


@dataclass(frozen=True)
class MaxSimScorer:
    """MaxSim of token vectors; see `rankdistill.mining.exhaustive.Scorer`."""

    encoder: MultiVectorEncoder
    documents_at_once: int = 256
    queries_at_once: int = 16

    def encode_queries(self, texts: Sequence[str]) -> TokenVectors:
        """Token vectors of queries."""
        return self.encoder.encode_queries(texts)

    def encode_documents(self, texts: Sequence[str]) -> TokenVectors:
        """Token vectors of documents."""
        return self.encoder.encode_documents(texts)

    def scores(self, queries: TokenVectors, block: slice, documents: TokenVectors) -> NDArray[np.float32]:
        """float32[queries of the block, documents]."""
        from rankdistill.inference.token_vectors import max_sim

        asked = queries.some(block.start, min(block.stop, len(queries)))
        return max_sim(asked, documents, self.encoder.similarity == "meanmaxsim")
