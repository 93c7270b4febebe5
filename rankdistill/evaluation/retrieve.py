"""What can be evaluated, and the simplest such system: BM25."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from rankdistill.data import Dataset
from rankdistill.evaluation.measures import Run
from rankdistill.mining.sources.bm25 import DEFAULT

if TYPE_CHECKING:
    from rankdistill.mining.bm25 import Bm25

Search = Callable[[Mapping[str, str], int], Run]
"""`Retriever.retrieve`."""


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


def search_others(search: Search, queries: Mapping[str, str], k: int, own: Set[str]) -> Run:
    """The best `k` of what `search(queries, k)` finds; for a query of `own` without the document of its own id.

    Where there is such a query, one document more is asked for, so that none comes short.
    """
    if own.isdisjoint(queries):
        return search(queries, k)
    found = search(queries, k + 1)
    return {query_id: dict(islice(_others(query_id, scores, own), k)) for query_id, scores in found.items()}


def answer(retriever: Retriever, dataset: Dataset, queries: Mapping[str, str], k: int) -> Run:
    """The best `k` documents of each query, without those of its own id that `dataset` leaves out.

    The systems of this package leave them out themselves; others are asked again, one deeper, for these queries.
    """
    found = retriever.retrieve(queries, k)
    own = {query_id for query_id in dataset.own_documents if query_id in found.get(query_id, {})}
    if not own:
        return found
    again = {query_id: text for query_id, text in queries.items() if query_id in own}
    return {**found, **search_others(retriever.retrieve, again, k, own)}


def _others(query_id: str, scores: Mapping[str, float], own: Set[str]) -> Iterator[tuple[str, float]]:
    """Best first; equal scores in the given order."""
    for doc_id, score in sorted(scores.items(), key=lambda hit: -hit[1]):
        if doc_id != query_id or query_id not in own:
            yield doc_id, score


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
        """Scores are BM25's; documents without a query word are not returned, nor `Dataset.own_documents`."""
        return search_others(self._search, queries, k, self._dataset.own_documents)

    def _search(self, queries: Mapping[str, str], k: int) -> Run:
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
