"""Searching through an index folder of ours against the raw calls of FAISS and Pyserini on the same files, in turns.

    python -m benchmarks.speed.search --data DIR [--documents 50000] [--queries 1000] [--k 100] [--rounds 7]

Each contest is between `ours`, `Searcher.search` of an index folder, and `raw`, the library's own call on the file in
that folder, with as many threads. Both give ids and scores of the best `k`: FAISS's positions are looked up in an
array of ids, and of Pyserini's hits `docid` and `score` are read. FAISS searches random vectors of unit length, in one
object for both: where two copies of a graph lie in memory moved the figures by up to a tenth. Impact indexes hold
random weights with Zipf's frequencies; BM25 searches the texts of DIR with its queries. `share` is the median over the
rounds of ours / raw - 1; `cpu_share` is the same of processor time, which a busy machine disturbs less.
No contest encodes queries.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.provenance import parse, write_results
from rankdistill import data
from rankdistill.indexing import registry
from rankdistill.indexing.base import NOTHING, Searcher
from rankdistill.indexing.faiss import FaissIndex

Found = tuple[np.ndarray, np.ndarray]
"""Ids and scores, `[queries, k]`."""

LIMIT = 0.10
"""Overhead that we allow ourselves."""

TERMS, DOCUMENT_TERMS, QUERY_TERMS = 30_000, 100, 20


@dataclass(frozen=True)
class Contest:
    """Two ways to search one index.

    Args:
        name: of the library and the index.
        ours: searches through us.
        raw: searches through the library.
    """

    name: str
    ours: Callable[[], Found]
    raw: Callable[[], Found]


def main() -> None:
    """Run the contests and write benchmarks/results/speed_search.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=50_000)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--k", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=CONTESTS, action="append")
    given = parse(parser)
    rows: list[dict[str, Any]] = []
    for name in given.only or CONTESTS:
        with tempfile.TemporaryDirectory() as folder:
            rows.extend(_run(contest, given) for contest in CONTESTS[name](given, Path(folder)))
    settings = {name: getattr(given, name) for name in ("documents", "queries", "dimension", "k", "rounds")}
    print(write_results("speed_search", {**settings, "limit": LIMIT, "contests": rows}, given.data.name))


def _run(contest: Contest, given: argparse.Namespace) -> dict[str, Any]:
    ours, raw = contest.ours(), contest.raw()
    shared = [len(set(left) & set(right)) / len(set(right)) for left, right in zip(ours[0], raw[0], strict=True)]
    seconds: dict[str, list[float]] = {"ours": [], "raw": []}
    of_cpu: dict[str, list[float]] = {"ours": [], "raw": []}
    for number in range(given.rounds):
        for name in ("ours", "raw") if number % 2 else ("raw", "ours"):
            start, busy = time.perf_counter(), time.process_time()
            getattr(contest, name)()
            seconds[name].append(time.perf_counter() - start)
            of_cpu[name].append(time.process_time() - busy)
    share, cpu_share = (float(np.median(np.divide(one["ours"], one["raw"])) - 1) for one in (seconds, of_cpu))
    row = {
        "contest": contest.name,
        "ours_ms_per_query": round(1000 * min(seconds["ours"]) / given.queries, 4),
        "raw_ms_per_query": round(1000 * min(seconds["raw"]) / given.queries, 4),
        "share": round(share, 4),
        "cpu_share": round(cpu_share, 4),
        "within_limit": share <= LIMIT,
        "same_documents": round(float(np.mean(shared)), 6),
    }
    print(json.dumps(row), flush=True)
    return row


def faiss(given: argparse.Namespace, folder: Path) -> Iterator[Contest]:
    """Flat and HNSW32, read once, with the search parameters that we set where none are given."""
    import faiss as library

    generator = np.random.default_rng(0)
    documents, queries = (_unit(generator, count, given.dimension) for count in (given.documents, given.queries))
    names = np.array([f"d{number}" for number in range(given.documents)], object)
    library.omp_set_num_threads(1)
    for factory in ("Flat", "HNSW32"):
        settings = registry.IndexSettings(given.dimension, "dot", factory)
        made = registry.create(settings)
        made.add(list(names), documents)
        place = folder / factory
        place.mkdir()
        made.save(place)
        ours = FaissIndex.load(place, "dot", factory, mmap=False)
        yield from _faiss_contests(f"FAISS {factory}", given.k, queries, ours, ours.native, names)


def _faiss_contests(
    name: str, k: int, queries: np.ndarray, ours: Searcher[Any], raw: Any, names: np.ndarray
) -> Iterator[Contest]:
    yield Contest(f"{name}, a batch", lambda: ours.search(queries, k), lambda: _named(raw.search(queries, k), names))
    yield Contest(
        f"{name}, one by one",
        lambda: _stacked(ours.search(row[None], k) for row in queries),
        lambda: _stacked(_named(raw.search(row[None], k), names) for row in queries),
    )


def lucene_bm25(given: argparse.Namespace, folder: Path) -> Iterator[Contest]:
    """BM25 of the collection's texts."""
    dataset = data.load(given.data, "lenient")
    contents = dict(list(dataset.contents.items())[: given.documents])
    texts = (list(dataset.queries(None).values()) * given.queries)[: given.queries]
    settings = registry.IndexSettings(0, "bm25", "lucene-bm25", kind="text")
    made = registry.create(settings)
    made.add(list(contents), list(contents.values()))
    made.save(folder)
    ours = registry.load(folder, settings)
    ours.search(texts[:1], given.k)

    raw = _pyserini().LuceneSearcher(str(_lucene_folder(folder)))
    raw.set_bm25(0.9, 0.4)
    yield from _lucene_contests("BM25", given, texts, lambda some: ours.search(some, given.k), raw, texts)


def lucene_impact(given: argparse.Namespace, folder: Path) -> Iterator[Contest]:
    """Random sparse vectors, quantised."""
    from scipy.sparse import csr_array

    generator = np.random.default_rng(0)
    documents, queries = (
        _zipf(generator, count, terms)
        for count, terms in ((given.documents, DOCUMENT_TERMS), (given.queries, QUERY_TERMS))
    )
    settings = registry.IndexSettings(TERMS, "dot", "lucene", kind="sparse")
    made = registry.create(settings)
    made.add([f"d{number}" for number in range(given.documents)], documents)
    made.save(folder)
    ours = registry.load(folder, settings)
    ours.search(queries[[0]], given.k)

    from rankdistill.indexing.lucene.quantisation import FACTOR, quantise

    whole = csr_array(quantise(queries, FACTOR, [""] * given.queries))
    weights = {
        str(row): {f"[{term}]": int(weight) for term, weight in zip(one.indices, one.data, strict=True)}
        for row, one in enumerate(whole[[row]] for row in range(given.queries))
    }

    class Encoded:
        """Gives the weights of a query by its number."""

        def encode(self, text: str, **settings: Any) -> dict[str, int]:
            return weights[text]

    raw = _pyserini().LuceneImpactSearcher(str(_lucene_folder(folder)), Encoded(), min_idf=-1)
    yield from _lucene_contests("impact", given, queries, lambda some: ours.search(some, given.k), raw, list(weights))


def _lucene_contests(
    name: str,
    given: argparse.Namespace,
    queries: Any,
    search: Callable[[Any], Found],
    raw: Any,
    texts: Sequence[str],
) -> Iterator[Contest]:
    numbers = [str(number) for number in range(given.queries)]

    def batch() -> Found:
        found = raw.batch_search(list(texts), numbers, given.k, 1)
        return _hits((found.get(number, []) for number in numbers), given.k)

    yield Contest(f"Lucene {name}, a batch", lambda: search(queries), batch)
    yield Contest(
        f"Lucene {name}, one by one",
        lambda: _stacked(search(queries[row : row + 1]) for row in range(given.queries)),
        lambda: _hits((raw.search(text, given.k) for text in texts), given.k),
    )


CONTESTS: dict[str, Callable[[argparse.Namespace, Path], Iterator[Contest]]] = {
    "faiss": faiss,
    "lucene-bm25": lucene_bm25,
    "lucene-impact": lucene_impact,
}
"""Name -> the contests between us and one library."""


def _unit(generator: np.random.Generator, count: int, dimension: int) -> np.ndarray:
    vectors = generator.normal(size=(count, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _zipf(generator: np.random.Generator, count: int, terms: int) -> Any:
    """`count` rows of about `terms` weights, `csr_array` float32 `[count, TERMS]`."""
    from scipy.sparse import csr_array

    shares = 1 / np.arange(10, TERMS + 10)
    drawn = [np.unique(generator.choice(TERMS, terms, p=shares / shares.sum())) for _ in range(count)]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in drawn])])
    weights = generator.gamma(2.0, 0.5, starts[-1]).astype(np.float32)
    return csr_array((weights, np.concatenate(drawn), starts), shape=(count, TERMS))


def _pyserini() -> Any:
    """Pyserini's searchers; importing them makes a client of OpenAI, which wants a key that nothing uses."""
    os.environ.setdefault("OPENAI_API_KEY", "none")
    return importlib.import_module("pyserini.search.lucene")


def _lucene_folder(folder: Path) -> Path:
    from rankdistill.indexing.lucene.collection import SUBFOLDER

    return folder / SUBFOLDER


def _named(found: Found, names: np.ndarray) -> Found:
    scores, positions = found
    return names[positions], scores


def _stacked(found: Iterator[Found]) -> Found:
    ids, scores = zip(*found, strict=True)
    return np.concatenate(ids), np.concatenate(scores)


def _hits(found: Iterator[Sequence[Any]], k: int) -> Found:
    """Ids and scores of Pyserini's hits."""
    rows = [([hit.docid for hit in hits], [hit.score for hit in hits]) for hits in found]
    ids = np.array([names + [NOTHING] * (k - len(names)) for names, _ in rows], object)
    return ids, np.array([values + [-np.inf] * (k - len(values)) for _, values in rows], np.float32)


if __name__ == "__main__":
    main()
