"""Candidates from the vectors that an encoded teacher keeps: what is trained on is not encoded a second time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rankdistill.mining.exhaustive import search
from rankdistill.mining.source import Hits
from rankdistill.mining.sources.dense import DenseScorer
from rankdistill.mining.sources.sparse import SparseScorer
from rankdistill.progress import Progress
from rankdistill.space import SparseSpace
from rankdistill.training.in_batch.encoded import EncodedTeacher


@dataclass(frozen=True)
class KnownTexts:
    """An encoder that keeps what it made.

    Args:
        tower: dense or sparse.
        similarity: `cosine` or `dot`.
    """

    tower: EncodedTeacher[Any]
    similarity: str

    def encode_queries(self, texts: Sequence[str]) -> Any:
        """The tower's vectors."""
        self.tower.know(texts, "query")
        return self.tower.take(texts, "query")

    def encode_documents(self, texts: Sequence[str], progress: Progress | None = None) -> Any:
        """The tower's vectors; `progress` gets all texts at once."""
        self.tower.know(texts, "document")
        if progress is not None:
            progress(len(texts))
        return self.tower.take(texts, "document")


@dataclass(frozen=True)
class TowerSource:
    """Exact search among all documents, by the vectors of a tower.

    Args:
        tower: dense or sparse.
        identity: names its content.
        name: what the `source` column says.
    """

    tower: EncodedTeacher[Any]
    identity: str
    name: str = "tower"

    @property
    def inputs(self) -> Mapping[str, str]:
        """The tower."""
        return {"model": self.identity}

    @property
    def parameters(self) -> Mapping[str, Any]:
        """None."""
        return {}

    def retrieve(self, contents: Mapping[str, str], queries: Sequence[str], depth: int, progress: Progress) -> Hits:
        """See `Source.retrieve`."""
        space = self.tower.tower
        assert space is not None  # towers are dense or sparse
        encoder = KnownTexts(self.tower, space.similarity)
        scorer: Any = SparseScorer(encoder) if isinstance(space, SparseSpace) else DenseScorer(encoder)
        return search(scorer, contents, queries, depth, progress)
