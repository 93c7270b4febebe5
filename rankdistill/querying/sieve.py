"""Which generated queries stay: those that say something, of one document or few, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType

from rankdistill.data import near_duplicates
from rankdistill.mining import tokenisers
from rankdistill.querying.generator import Written
from rankdistill.stores.embeddings.identity import alike_hash

MOST_DOCUMENTS = 10
"""A query that was made of more documents says nothing of any."""

REASONS = ("words", "repetitive", "copy", "judged", "common", "near-duplicate", "round trip", "other split")
"""Why a query goes, in the order in which that is looked for:

- `words`: fewer or more words than wanted;
- `repetitive`: the same words over and over;
- `copy`: it is the whole document;
- `judged`: it says what a query of another split of the collection says;
- `common`: the same was made of more than `MOST_DOCUMENTS` documents;
- `near-duplicate`: nearly the same was made before; the same of one document more than once counts here too;
- `round trip`: a search for it does not find the document;
- `other split`: it was made of several documents, as a title that they share, and a split before has one of them.
"""

GENERATORS_OWN = ("repetitive", "common")
"""Of these, what a generator does that has collapsed."""


@dataclass
class Query:
    """A query with the documents it was made of.

    Args:
        kind: what made it first.
        text: as it was written.
        documents: document id -> kind that made it of this document.
    """

    kind: str
    text: str
    documents: dict[str, str] = field(default_factory=dict)


@dataclass
class Counts:
    """How many queries each kind made, and what became of them; a query of two documents counts twice.

    Args:
        made: by kind.
        dropped: by kind and reason.
    """

    made: Counter[str] = field(default_factory=Counter)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)

    def kept(self, kind: str) -> int:
        """What was not dropped of a kind."""
        return self.made[kind] - sum(count for (one, _), count in self.dropped.items() if one == kind)


class Sieve:
    """Drops queries one reason after the other, and counts.

    Args:
        shortest: words of a query at least; of Chinese, Japanese and Korean, pairs of letters.
        longest: words of a query at most.
        near_duplicate: similarity (Jaccard, of runs of four words) from which one of two queries goes; 0: none goes.
        judged: texts of queries that are none to train on.
    """

    def __init__(self, shortest: int, longest: int, near_duplicate: float, judged: Collection[str]) -> None:
        self._shortest, self._longest, self._near = shortest, longest, near_duplicate
        self._judged = {alike_hash(text) for text in judged}
        self._words = tokenisers.named(tokenisers.CJK)
        self.counts = Counts()

    def gather(self, written: Mapping[str, Sequence[Written]], contents: Mapping[str, str]) -> list[Query]:
        """The queries that stay, each once, in the order in which they were made.

        Args:
            written: document id -> its queries.
            contents: document id -> title and text.
        """
        found: dict[bytes, Query] = {}
        for doc_id, queries in written.items():
            document = alike_hash(contents[doc_id])
            for query in queries:
                self.counts.made[query.kind] += 1
                text = " ".join(query.text.split())
                alike = alike_hash(text)
                if reason := self._fault(text) or self._known(alike, document):
                    self._drop(query.kind, reason)
                    continue
                one = found.setdefault(alike, Query(query.kind, text))
                if doc_id in one.documents:
                    self._drop(query.kind, "near-duplicate")
                else:
                    one.documents[doc_id] = query.kind
        kept = self._where(list(found.values()), "common", lambda one: len(one.documents) <= MOST_DOCUMENTS)
        if not self._near:
            return kept
        places = {*near_duplicates.first_of_each([one.text for one in kept], self._near)}
        unlike = {id(one) for place, one in enumerate(kept) if place in places}
        return self._where(kept, "near-duplicate", lambda one: id(one) in unlike)

    def found(self, queries: Sequence[Query], lists: Sequence[Sequence[str]]) -> list[Query]:
        """The queries that found a document of theirs, with those documents alone.

        Args:
            queries: that were searched for.
            lists: for each the first documents that came back.
        """
        kept = []
        for query, ids in zip(queries, lists, strict=True):
            came = {doc_id: kind for doc_id, kind in query.documents.items() if doc_id in {*ids}}
            for doc_id in query.documents.keys() - came.keys():
                self._drop(query.documents[doc_id], "round trip")
            if came:
                kept.append(Query(query.kind, query.text, came))
        return kept

    def apart(
        self, divided: Mapping[str, Sequence[Query]], whole: Mapping[str, str] = MappingProxyType({})
    ) -> dict[str, list[Query]]:
        """The splits' queries without those that have a document of which a split before them has a query.

        Args:
            divided: split -> its queries.
            whole: passage -> the document that it was cut from.
        """
        taken: set[str] = set()
        kept: dict[str, list[Query]] = {}
        for split, queries in divided.items():
            kept[split] = self._where(queries, "other split", _of_none(frozenset(taken), whole))
            taken.update(whole.get(doc_id, doc_id) for one in kept[split] for doc_id in one.documents)
        return kept

    def _where(self, queries: Sequence[Query], reason: str, stays: Callable[[Query], bool]) -> list[Query]:
        kept = [one for one in queries if stays(one)]
        for one in queries:
            if not stays(one):
                for kind in one.documents.values():
                    self._drop(kind, reason)
        return kept

    def _fault(self, text: str) -> str | None:
        words = self._words([text])[0]
        if not self._shortest <= len(words) <= self._longest:
            return "repetitive" if is_repetitive(words) else "words"
        return "repetitive" if is_repetitive(words) else None

    def _known(self, alike: bytes, document: bytes) -> str | None:
        return "copy" if alike == document else "judged" if alike in self._judged else None

    def _drop(self, kind: str, reason: str) -> None:
        self.counts.dropped[kind, reason] += 1


def _of_none(documents: frozenset[str], whole: Mapping[str, str]) -> Callable[[Query], bool]:
    """Whether a query was made of none of these, nor of a passage of one."""
    return lambda one: documents.isdisjoint(whole.get(doc_id, doc_id) for doc_id in one.documents)


def repeated_share(lists: Sequence[Sequence[Written]]) -> float:
    """The share of queries, of documents a list each, that say words over and over or are those of many documents.

    0 where there are none.
    """
    words = tokenisers.named(tokenisers.CJK)
    texts = [[" ".join(one.text.split()) for one in queries] for queries in lists]
    documents = Counter(alike for queries in texts for alike in {alike_hash(text) for text in queries})
    repeated = [
        documents[alike_hash(text)] > MOST_DOCUMENTS or is_repetitive(words([text])[0])
        for queries in texts
        for text in queries
    ]
    return sum(repeated) / max(1, len(repeated))


def is_repetitive(words: Sequence[str]) -> bool:
    """Whether words come over and over: one thrice in a row, a pair three times, or half of at least six again."""
    if any(words[place : place + 3] == [words[place]] * 3 for place in range(len(words) - 2)):
        return True
    pairs = Counter(pairwise(words))
    if pairs and max(pairs.values()) > 2:
        return True
    return len(words) >= 6 and 2 * len(set(words)) <= len(words)
