"""Documents with the same vector: every approximate back end finds what exact search finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from rankdistill.errors import DataError
from rankdistill.indexing import registry
from rankdistill.indexing.base import NOTHING, Ids, Scores, Vectors
from rankdistill.indexing.distinct import DOCUMENTS_FILE, DistinctIndex
from rankdistill.indexing.exact import ExactIndex
from rankdistill.indexing.faiss import INDEX_FILE, FaissIndex
from rankdistill.indexing.multi_vector.base import texts_at
from rankdistill.indexing.sharded import ShardedIndex
from rankdistill.inference.token_vectors import of_texts
from tests.indexing.sparse.conftest import sparse
from tests.processor import need_equal_products

DIMENSION = 24
EXHAUSTIVE = ["Flat", "HNSW16", "IVF8,Flat", "L2norm,IVF8,Flat", "IDMap,HNSW16", "RR24,HNSW16", "HNSW16,Flat,RFlat"]
"""With the default search parameters these find all there is among some hundred distinct vectors."""


def dense_settings(factory: str, similarity: str = "cosine", **search: float) -> registry.IndexSettings:
    return registry.IndexSettings(DIMENSION, similarity, factory, search)


def corpus(seed: int = 0, distinct: int = 300, copies: int = 900) -> tuple[list[str], Vectors]:
    """Some vectors once or twice, one `copies` times, shuffled."""
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(distinct, DIMENSION)).astype(np.float32)
    rows = np.concatenate([np.arange(distinct), np.arange(0, distinct, 3), np.full(copies, 7)])
    generator.shuffle(rows)
    return [f"d{number}" for number in range(len(rows))], vectors[rows]


def ranked(ids: Sequence[str], vectors: Vectors, queries: Vectors, k: int) -> tuple[Ids, Scores]:
    """Exact search by cosine in float64: rounded, so that equal vectors tie, and ties by position."""
    documents, wanted = (
        rows.astype(np.float64) / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
        for rows in (vectors, queries)
    )
    scores = (wanted @ documents.T).round(10)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.array(ids, object)[order], np.take_along_axis(scores, order, axis=1)


def queries_near(vectors: Vectors, count: int = 30) -> Vectors:
    generator = np.random.default_rng(5)
    near = vectors[generator.choice(len(vectors), count)]
    return (near + 0.4 * generator.normal(size=near.shape)).astype(np.float32)


@pytest.mark.parametrize("k", [1, 10, 700, 5000])
@pytest.mark.parametrize("factory", EXHAUSTIVE)
def test_it_finds_what_exact_search_finds_in_the_same_order(factory: str, k: int, tmp_path: Path) -> None:
    ids, vectors = corpus()
    index = registry.create(dense_settings(factory))
    for start, end in ((0, 600), (600, 601), (601, len(ids))):
        index.add(ids[start:end], vectors[start:end])
    queries = queries_near(vectors)
    wanted, scores = ranked(ids, vectors, queries, k)
    index.save(tmp_path)
    for searched in (index, registry.load(tmp_path, dense_settings(factory))):
        assert searched.ids == ids
        names, found = searched.search(queries, k)
        assert names.shape == wanted.shape
        # A graph may miss a few of the distinct vectors where hundreds are wanted.
        there = names != NOTHING
        np.testing.assert_allclose(found[there & (names == wanted)], scores[there & (names == wanted)], atol=1e-5)
        assert np.isneginf(found[~there]).all()
        if k <= 10:
            assert (names == wanted).mean() > 0.99
        shared = [len(set(mine) & set(theirs)) / k for mine, theirs in zip(names, wanted, strict=True)]
        assert np.mean(shared) > 0.99 * min(k, len(ids)) / k
    assert index.index.native.ntotal == 300


@pytest.mark.parametrize("factory", ["IVF8,PQ8x4", "PQ8x4", "OPQ8,IVF4,PQ8x4", "SQ8", "HNSW16,SQ8", "PQ8x4fs"])
def test_copies_of_a_document_have_one_score_and_stand_together(factory: str) -> None:
    ids, vectors = corpus()
    index = registry.create(dense_settings(factory))
    index.add(ids, vectors)
    names, scores = index.search(queries_near(vectors), 1200)
    groups = {doc_id: row.tobytes() for doc_id, row in zip(ids, vectors, strict=True)}
    sizes: dict[bytes, int] = {}
    for group in groups.values():
        sizes[group] = sizes.get(group, 0) + 1
    place = {doc_id: number for number, doc_id in enumerate(ids)}
    for row, values in zip(names, scores, strict=True):
        kept = [doc_id for doc_id in row if doc_id != NOTHING]
        assert len(set(kept)) == len(kept)
        pairs = list(zip((-values[: len(kept)]).tolist(), [place[doc_id] for doc_id in kept], strict=True))
        assert pairs == sorted(pairs)
        found: dict[bytes, set[float]] = {}
        for doc_id, value in zip(kept, values.tolist(), strict=False):
            found.setdefault(groups[doc_id], set()).add(value)
        assert all(len(values) == 1 for values in found.values())


def test_a_graph_of_copies_by_itself_finds_less() -> None:
    """What the copies cost without this: the reason for it."""
    generator = np.random.default_rng(0)
    centre = generator.normal(size=DIMENSION)
    distinct = (centre + 0.6 * generator.normal(size=(600, DIMENSION))).astype(np.float32)
    vectors = np.concatenate([distinct, np.repeat(centre[None].astype(np.float32), 3000, axis=0)])
    vectors = vectors[generator.permutation(len(vectors))]
    ids = [f"d{number}" for number in range(len(vectors))]
    queries = distinct[:100]
    wanted = ranked(ids, vectors, queries, 1)[0]
    bare, mended = FaissIndex(DIMENSION, "cosine", "HNSW16"), registry.create(dense_settings("HNSW16"))
    for index in (bare, mended):
        index.add(ids, vectors)
    assert (mended.search(queries, 1)[0] == wanted).mean() > 0.98
    assert (bare.search(queries, 1)[0] == wanted).mean() < 0.5


def test_vectors_are_equal_as_they_are_compared() -> None:
    rows = np.zeros((4, DIMENSION), np.float32)
    rows[:, 0] = [1, 1, 2, 1]
    rows[1, 1] = -0.0
    rows[3, 1] = 1e-3
    for similarity, distinct in (("cosine", 2), ("dot", 3)):
        index = registry.create(dense_settings("Flat", similarity))
        index.add(["a", "b", "c", "d"], rows)
        assert len(index.index.ids) == distinct
        assert index.ids == ["a", "b", "c", "d"]


def test_a_folder_without_copies_is_the_back_ends_own_and_one_with_them_opens_in_faiss(tmp_path: Path) -> None:
    faiss = pytest.importorskip("faiss")
    ids, vectors = corpus(copies=0, distinct=50)
    made = registry.create(dense_settings("HNSW16"))
    made.add(ids[:1], vectors[:1])
    made.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ids.parquet", INDEX_FILE]
    made.add(ids[1:], vectors[1:])
    made.save(tmp_path)
    assert (tmp_path / DOCUMENTS_FILE).is_file()
    native = FaissIndex.load(tmp_path, "cosine", "HNSW16")
    assert faiss.read_index(str(tmp_path / INDEX_FILE)).ntotal == len(native.ids) == 50
    row = vectors[ids.index(native.ids[3])]
    np.testing.assert_allclose(native.native.reconstruct(3), row / np.linalg.norm(row), rtol=1e-5)


def test_what_is_added_after_loading_is_found_in_order(tmp_path: Path) -> None:
    ids, vectors = corpus(distinct=60, copies=100)
    settings = dense_settings("HNSW16")
    made = registry.create(settings)
    made.add(ids[:120], vectors[:120])
    made.save(tmp_path)
    loaded = registry.load(tmp_path, settings, mmap=False)
    loaded.add(ids[120:], vectors[120:])
    queries = queries_near(vectors)
    names = loaded.search(queries, 20)[0]
    assert (names == ranked(ids, vectors, queries, 20)[0]).mean() > 0.99


def test_bad_documents_are_refused_and_nothing_is_added() -> None:
    ids, vectors = corpus(distinct=20, copies=20)
    index = registry.create(dense_settings("HNSW16"))
    index.add(ids, vectors)
    broken = vectors[:2].copy()
    broken[1, 3] = np.nan
    for names, rows in (
        ([ids[5]], vectors[:1]),
        (["x", "x"], vectors[:2]),
        (["", "y"], vectors[:2]),
        (["x", "y"], broken),
    ):
        with pytest.raises(DataError):
            index.add(names, rows)
    with pytest.raises(DataError):
        index.add(["x"], vectors[:1, :5])
    assert index.ids == ids
    index.add(["x"], vectors[:1])
    assert index.ids == [*ids, "x"]
    index.add([], vectors[:0])
    assert index.search(vectors[:0], 5)[0].shape == (0, 5)


def test_a_damaged_table_of_documents_is_an_error(tmp_path: Path) -> None:
    ids, vectors = corpus(distinct=20, copies=20)
    for name, end in (("a", len(ids)), ("b", 12)):
        (tmp_path / name).mkdir()
        index = registry.create(dense_settings("Flat"))
        index.add([*ids[:end], "copy"], np.concatenate([vectors[:end], vectors[:1]]))
        index.save(tmp_path / name)
    (tmp_path / "a" / DOCUMENTS_FILE).write_bytes((tmp_path / "b" / DOCUMENTS_FILE).read_bytes())
    with pytest.raises(DataError, match="distinct vectors"):
        registry.load(tmp_path / "a", dense_settings("Flat"))


@pytest.mark.parametrize("k", [1, 25, 3000])
def test_copies_in_several_shards_come_in_the_order_of_the_documents(k: int) -> None:
    need_equal_products()
    ids, vectors = corpus()
    shards = []
    for start in range(0, len(ids), 500):
        shards.append(registry.create(dense_settings("HNSW32", efSearch=400)))
        shards[-1].add(ids[start : start + 500], vectors[start : start + 500])
    queries = queries_near(vectors)
    names = ShardedIndex(shards).search(queries, k)[0]
    assert (names == ranked(ids, vectors, queries, k)[0]).mean() > 0.99


def test_ties_between_different_vectors_come_in_insertion_order_too() -> None:
    """Four corners of a square, as far from its middle: copies of one stand among those of the others."""
    corners = np.zeros((4, DIMENSION), np.float32)
    corners[:, :2] = [[1, 1], [1, -1], [-1, 1], [-1, -1]]
    rows = np.random.default_rng(2).integers(0, 4, size=40)
    query = np.zeros((1, DIMENSION), np.float32)
    query[0, 2] = 1
    ids = [f"d{number}" for number in range(40)]
    oracle, index = ExactIndex(DIMENSION, "dot"), registry.create(dense_settings("HNSW8", "dot"))
    for one in (oracle, index):
        one.add(ids, corners[rows])
    for k in (4, 15, 40):
        assert index.search(query, k)[0].tolist() == oracle.search(query, k)[0].tolist() == [ids[:k]]


def _sparse() -> tuple[Any, Any, Callable[[Any, Any], Any]]:
    return sparse(200, 0.1, 0), sparse(20, 0.05, 1), lambda rows, places: rows[places]


def _tokens() -> tuple[Any, Any, Callable[[Any, Any], Any]]:
    generator = np.random.default_rng(3)

    def texts(count: int) -> Any:
        drawn = [generator.normal(size=(generator.integers(1, 8), 12)).astype(np.float32) for _ in range(count)]
        return of_texts([one / np.linalg.norm(one, axis=1, keepdims=True) for one in drawn], 12)

    return texts(200), texts(20), texts_at


@pytest.mark.parametrize(
    ("kind", "factory", "similarity", "made"),
    [("sparse", "seismic", "dot", _sparse), ("multi_vector", "token-ivf", "maxsim", _tokens)],
)
def test_other_kinds_of_vectors_are_held_once_too(
    kind: str, factory: str, similarity: str, made: Callable[[], Any], tmp_path: Path
) -> None:
    pytest.importorskip("seismic" if factory == "seismic" else "faiss")
    distinct, queries, some = made()
    rows = np.concatenate([np.arange(200), np.full(600, 11), np.arange(50)])
    np.random.default_rng(4).shuffle(rows)
    ids = [f"d{number}" for number in range(len(rows))]
    dimension = distinct.shape[1] if kind == "sparse" else 12
    search = {"nprobe": 1000, "neighbours": 10_000} if factory == "token-ivf" else {}
    settings = registry.IndexSettings(dimension, similarity, factory, search, kind=kind)
    index = registry.create(settings)
    oracle = registry.create(registry.IndexSettings(dimension, similarity, "exact", kind=kind))
    for one in (index, oracle):
        one.add(ids[:400], some(distinct, rows[:400]))
        one.add(ids[400:], some(distinct, rows[400:]))
    assert isinstance(index, DistinctIndex)
    assert len(index.index.ids) == 200
    index.save(tmp_path)
    for searched in (index, registry.load(tmp_path, settings)):
        assert searched.ids == ids
        for k in (10, 300):
            names, found = searched.search(queries, k)
            wanted, scores = oracle.search(queries, k)
            same = (wanted != NOTHING) & (names == wanted)
            np.testing.assert_allclose(found[same], scores[same], rtol=5e-3, atol=1e-5)
            shared = sum(len(set(mine) & set(theirs) - {NOTHING}) for mine, theirs in zip(names, wanted, strict=True))
            assert shared > 0.9 * np.sum(wanted != NOTHING)


def test_stored_zeros_and_the_order_of_terms_make_no_other_sparse_vector() -> None:
    pytest.importorskip("seismic")
    index = registry.create(registry.IndexSettings(6, "dot", "seismic", kind="sparse"))
    weights = np.array([1, 2, 2, 1, 0, 1, 2], np.float32)
    rows = csr_array((weights, [1, 4, 4, 1, 3, 1, 4], [0, 2, 4, 7]), shape=(3, 6))
    index.add(["a", "b", "c"], rows)
    assert index.index.ids == ["a"]
    assert index.ids == ["a", "b", "c"]
