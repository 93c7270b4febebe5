"""Multi-vector models as sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from rankdistill.mining.sources.encoder_source import EncoderSource
from rankdistill.progress import Progress

if TYPE_CHECKING:
    from rankdistill.inference.token_vectors import TokenVectors


@dataclass(frozen=True)
class MultiVectorSource(EncoderSource):
    """Exact MaxSim search with a late-interaction model; a vector a token, so it is slow on large collections.

    The score is `rankdistill.inference.token_vectors.max_sim`, as the model declares it. Documents of which the model
    keeps no token are left out.
    """

    name: str = "multi-vector"

    def scorer(self) -> MaxSimScorer:
        """The encoder, loaded, with its comparison."""
        from rankdistill.inference.multi_vector_encoder import MultiVectorTextEncoder

        return MaxSimScorer(MultiVectorTextEncoder(self.model, max_length=self.max_length))


class MultiVectorEncoder(Protocol):
    """The part of `rankdistill.inference.multi_vector_encoder.MultiVectorTextEncoder` that comparing needs."""

    @property
    def similarity(self) -> str:
        """`maxsim` or `meanmaxsim`."""

    def encode_queries(self, texts: Sequence[str]) -> TokenVectors:
        """Token vectors of queries."""

    def encode_documents(self, texts: Sequence[str], progress: Progress | None = None) -> TokenVectors:
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

    def encode_documents(self, texts: Sequence[str], progress: Progress | None = None) -> TokenVectors:
        """Token vectors of documents."""
        return self.encoder.encode_documents(texts, progress)

    def scores(self, queries: TokenVectors, block: slice, documents: TokenVectors) -> NDArray[np.float32]:
        """float32[queries of the block, documents]."""
        from rankdistill.inference.token_vectors import max_sim

        asked = queries.some(block.start, min(block.stop, len(queries)))
        return max_sim(asked, documents, self.encoder.similarity == "meanmaxsim")
