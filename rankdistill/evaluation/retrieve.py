"""What can be evaluated, and the simplest such system: BM25."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from rankdistill.data import Dataset
from rankdistill.evaluation.measures import Run
from rankdistill.mining.sources.bm25 import DEFAULT

if TYPE_CHECKING:
    from rankdistill.mining.bm25 import Bm25

Progress = Callable[[int], None]
"""Called with the number of texts or pairs just finished."""


class Retriever(Protocol):
    """A system under evaluation. Nothing expensive happens before `retrieve`."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Everything besides data and queries that decides the run, as JSON values."""
        ...

    def retrieve(self, queries: Mapping[str, str], k: int) -> Run:
        """The best `k` documents for each query (query_id -> text); fewer where it finds fewer."""
        ...


class Bm25Retriever:
    """BM25, see `rankdistill.mining.bm25`; with the settings of published baselines unless told otherwise.

    Args:
        dataset: what is searched.
        name: what tables call it.
        k1: saturation of term frequency.
        b: length normalisation.
        tokenizer: what a word is, a name in `rankdistill.mining.tokenisers`.
    """

    def __init__(
        self, dataset: Dataset, name: str = "BM25", k1: float = 0.9, b: float = 0.4, tokenizer: str = DEFAULT
    ) -> None:
        self.name, self.tokenizer = name, tokenizer
        self.unanswered: set[str] = set()
        """Queries so far of which no document has a word."""
        self._dataset, self._k1, self._b = dataset, k1, b

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The two parameters of BM25, and its tokeniser where that is not the usual one."""
        other = {} if self.tokenizer == DEFAULT else {"tokenizer": self.tokenizer}
        return {"bm25": {"k1": self._k1, "b": self._b} | other}

    def retrieve(self, queries: Mapping[str, str], k: int) -> Run:
        """Scores are BM25's; documents without a query word are not returned."""
        ids, scores = self._bm25.retrieve(list(queries.values()), k)
        self.unanswered |= {query_id for query_id, found in zip(queries, ids, strict=True) if not found}
        return {
            query_id: dict(zip(found, map(float, values), strict=True))
            for query_id, found, values in zip(queries, ids, scores, strict=True)
        }

    @cached_property
    def _bm25(self) -> Bm25:
        from rankdistill.mining.bm25 import Bm25

        return Bm25(self._dataset.contents, self._k1, self._b, self.tokenizer)
