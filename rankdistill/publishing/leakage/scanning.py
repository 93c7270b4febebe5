"""The scan: every training text of a lineage against the queries and the relevant documents of a test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from rankdistill.data import Dataset
from rankdistill.data.digests import BYTES, Digests
from rankdistill.progress import Progress, ignore
from rankdistill.publishing.leakage import cleaning
from rankdistill.publishing.leakage.matching import Matcher, shingles, words
from rankdistill.publishing.lineage import Texts
from rankdistill.stores.embeddings.identity import alike_hash

NEAR_QUERY, NEAR_DOCUMENT = 0.75, 0.7
"""Jaccard similarity from which two queries (by their words) or documents (by their runs of 4 words) count as one."""

SHORTEST = 4
"""Different words of a query from which it may be nearly another one: of fewer, one word more is another question."""

EXACT, NEAR = "exact", "near"


@dataclass(frozen=True)
class Leak:
    """A test text that was trained on.

    Args:
        kind: `exact` (case, punctuation and spaces aside) or `near`.
        key: id of the query or document.
        text: the training text.
        where: of which artefact.
        similarity: 1 where exact.
    """

    kind: str
    key: str
    text: str
    where: str
    similarity: float = 1.0


@dataclass
class Scan:
    """What was found for one split of a task.

    Args:
        queries: test queries that stand in training texts, by id.
        documents: relevant documents of the test that do.
        tested: how many queries and documents were looked for.
        trained: how many training texts were read.
    """

    tested: tuple[int, int]
    queries: dict[str, Leak] = field(default_factory=dict)
    documents: dict[str, Leak] = field(default_factory=dict)
    trained: int = 0

    def of(self, kind: str) -> list[Leak]:
        """The leaks of queries of one kind."""
        return [one for one in self.queries.values() if one.kind == kind]


def scan(dataset: Dataset, split: str, trained: Sequence[Texts], progress: Progress = ignore) -> Scan:
    """Look for the queries of `split` and their relevant documents among training texts.

    Queries are looked for among all training texts, documents among documents. mteb's data cleaning looks for the
    queries too; what it finds counts.

    Args:
        dataset: the task's data.
        split: that is evaluated.
        trained: see `Lineage.texts`.
        progress: told of training texts read.
    """
    queries = dataset.queries(split)
    relevant = {doc_id for judged in dataset.qrels(split).values() for doc_id, label in judged.items() if label > 0}
    documents = {doc_id: text for doc_id, text in dataset.contents.items() if doc_id in relevant}
    found = Scan((len(queries), len(documents)))
    long_enough = {key: text for key, text in queries.items() if len(words(text)) >= SHORTEST}
    of_queries = _Finder(queries, Matcher(long_enough, words, NEAR_QUERY))
    of_documents = _Finder(documents, Matcher(documents, shingles, NEAR_DOCUMENT))
    by_id = list(queries)
    for one in trained:
        asked = list(dict.fromkeys(one.queries()))
        for place in cleaning.found_by_mteb(asked, list(queries.values())):
            found.queries.setdefault(by_id[place], Leak(EXACT, by_id[place], queries[by_id[place]], one.where))
        found.trained += _look(asked, one.where, of_queries, found.queries, progress)
        found.trained += _look(
            _distinct(one.documents()), one.where, of_queries, found.queries, progress, (of_documents, found.documents)
        )
    return found


def _distinct(texts: Iterable[str]) -> Iterator[str]:
    """Each text once; what is held is a hash of each, not the texts."""
    seen = Digests()
    for text in texts:
        if seen.add(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=BYTES).digest()):
            yield text


@dataclass(frozen=True)
class _Finder:
    texts: Mapping[str, str]
    near: Matcher

    def __post_init__(self) -> None:
        exact: dict[bytes, list[str]] = {}
        for key, text in self.texts.items():
            exact.setdefault(alike_hash(text), []).append(key)
        object.__setattr__(self, "_exact", exact)

    def of(self, text: str) -> Iterable[tuple[str, str, float]]:
        exact: Mapping[bytes, Sequence[str]] = self._exact  # type: ignore[attr-defined]
        keys = exact.get(alike_hash(text), ())
        near = ((NEAR, key, similarity) for key, similarity in self.near.of(text) if key not in keys)
        return [*((EXACT, key, 1.0) for key in keys), *near]


def _look(
    texts: Iterable[str],
    where: str,
    finder: _Finder,
    found: dict[str, Leak],
    progress: Progress,
    *others: tuple[_Finder, dict[str, Leak]],
) -> int:
    """How many texts were read, each of which every finder looks at."""
    count = 0
    for count, text in enumerate(texts, start=1):
        for one, leaks in ((finder, found), *others):
            for kind, key, similarity in one.of(text):
                old = leaks.get(key)
                if old is None or (old.kind == NEAR and kind == EXACT):
                    leaks[key] = Leak(kind, key, text, where, similarity)
        if count % 1000 == 0:
            progress(1000)
    progress(count % 1000)
    return count
