"""Every kind of index finds under a filter what an exact search of the allowed documents alone finds."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill.indexing import NOTHING, among, registry, selecting
from rankdistill.indexing.base import Allowed
from rankdistill.indexing.sharded import ShardedIndex
from tests.indexing.multi_vector.conftest import DIMENSION
from tests.indexing.sparse.conftest import TERMS
from tests.indexing.test_registry import SIMILARITY, drawn
from tests.processor import need_equal_products

LENGTH = {"dense": 32, "sparse": TERMS, "multi_vector": DIMENSION}
COUNT, K = 600, 10

EXACT: list[tuple[str, str, dict[str, float]]] = [
    ("dense", "exact", {}),
    ("dense", "Flat", {}),
    ("dense", "IDMap,Flat", {}),
    ("dense", "L2norm,Flat", {}),
    ("sparse", "exact", {}),
    ("multi_vector", "exact", {}),
]
APPROXIMATE: list[tuple[str, str, dict[str, float]]] = [
    ("dense", "HNSW16", {}),
    ("dense", "IVF8,Flat", {"nprobe": 6}),
    ("dense", "IVF8_HNSW8,SQ8", {"nprobe": 6}),
    ("dense", "L2norm,IVF8,Flat", {"nprobe": 6}),
    ("dense", "HNSW16_SQ8", {}),
    ("dense", "IVF8,PQ16x4np,RFlat", {"nprobe": 6, "k_factor": 8}),
    ("sparse", "seismic", {}),
    ("multi_vector", "token-ivf", {"nprobe": 4, "neighbours": 64, "candidates": 64}),
]


def settings(kind: str, factory: str, search: Mapping[str, float]) -> registry.IndexSettings:
    return registry.IndexSettings(LENGTH[kind], SIMILARITY[kind], factory, search, kind=kind)


def copied(kind: str, documents: Any) -> Any:
    """The documents with every third one a copy of the first, so that vectors are shared."""
    places = np.where(np.arange(COUNT) % 3 == 0, 0, np.arange(COUNT))
    if kind == "multi_vector":
        from rankdistill.indexing.multi_vector.base import texts_at

        return texts_at(documents, places)
    return documents[places]


def best(kind: str, documents: Any, queries: Any, allowed: Allowed) -> list[list[str]]:
    """What is found among the allowed documents alone, indexed by themselves."""
    places = np.flatnonzero(allowed)
    oracle = registry.create(settings(kind, "exact", {}))
    if kind == "multi_vector":
        from rankdistill.indexing.multi_vector.base import texts_at

        oracle.add([f"d{place}" for place in places], texts_at(documents, places))
    else:
        oracle.add([f"d{place}" for place in places], documents[places])
    return [[name for name in row if name != NOTHING] for row in oracle.search(queries, K)[0].tolist()]


def recall(found: list[list[str]], expected: list[list[str]]) -> float:
    """Share of what is expected that was found."""
    shared = sum(len({*a} & {*b} - {NOTHING}) for a, b in zip(found, expected, strict=True))
    wanted = sum(map(len, expected))
    return shared / wanted if wanted else 1.0


def masks() -> dict[str, Allowed]:
    draw = np.random.default_rng(5)
    found = {f"{share:.0%}": draw.random(COUNT) < share for share in (0.02, 0.1, 0.5, 0.9)}
    found |= {"block": np.arange(COUNT) >= COUNT // 2, "one": np.arange(COUNT) == 17}
    return found | {"none": np.zeros(COUNT, np.bool_), "all": np.ones(COUNT, np.bool_)}


@pytest.mark.parametrize("same", [False, True], ids=["distinct", "copies"])
@pytest.mark.parametrize(("kind", "factory", "search"), [*EXACT, *APPROXIMATE])
def test_an_index_finds_what_the_allowed_documents_alone_give(
    kind: str, factory: str, search: Mapping[str, float], same: bool, tmp_path: Path
) -> None:
    if same and kind == "dense":
        need_equal_products()
    documents, queries = drawn(kind, COUNT, 0), drawn(kind, 12, 1)
    documents = copied(kind, documents) if same else documents
    made = settings(kind, factory, search)
    index = registry.create(made)
    index.add([f"d{place}" for place in range(COUNT)], documents)
    index.save(tmp_path)
    exact = (kind, factory, search) in EXACT
    every = np.ones(COUNT, np.bool_)
    unfiltered = recall(index.search(queries, K)[0].tolist(), best(kind, documents, queries, every))
    assert unfiltered > 0.7, "with less, nothing is shown below"
    for one in (index, registry.load(tmp_path, made)):
        for name, allowed in masks().items():
            ids, scores = one.search(queries, K, allowed)
            assert ids.shape == scores.shape == (12, K)
            expected = best(kind, documents, queries, allowed)
            assert all(allowed[int(doc_id[1:])] for doc_id in ids.ravel() if doc_id != NOTHING), name
            assert (np.isneginf(scores) == (ids == NOTHING)).all()
            assert (scores[:, :-1] >= scores[:, 1:]).all()
            found = [[doc_id for doc_id in row if doc_id != NOTHING] for row in ids.tolist()]
            assert [len(row) for row in found] == [len(row) for row in expected], name
            if exact:
                assert found == expected, name
            elif not same:
                assert recall(found, expected) >= unfiltered - 0.05, name


@pytest.mark.parametrize("same", [False, True], ids=["distinct", "copies"])
def test_seismic_with_fields_finds_exactly_what_is_allowed(same: bool, tmp_path: Path) -> None:
    documents, queries = drawn("sparse", COUNT, 0), drawn("sparse", 12, 1)
    documents = copied("sparse", documents) if same else documents
    made = replace(settings("sparse", "seismic", {"query_cut": 1}), filtered=True)
    index = registry.create(made)
    index.add([f"d{place}" for place in range(COUNT)], documents)
    index.save(tmp_path)
    for one in (index, registry.load(tmp_path, made)):
        for allowed in masks().values():
            ids, _ = one.search(queries, K, allowed)
            found = [[doc_id for doc_id in row if doc_id != NOTHING] for row in ids.tolist()]
            assert found == best("sparse", documents, queries, allowed)


STRUCTURES = [(factory, search) for kind, factory, search in APPROXIMATE if kind == "dense"]


@pytest.mark.parametrize("route", ["structure", "all"])
@pytest.mark.parametrize(("factory", "search"), STRUCTURES)
def test_faiss_finds_by_its_structure_what_it_finds_by_comparing_all(
    factory: str, search: Mapping[str, float], route: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched, whole = [], selecting.best_among

    def counted(queries: Any, *given: Any) -> Any:
        searched.append(len(queries))
        return whole(queries, *given)

    monkeypatch.setattr(selecting, "best_among", counted)
    monkeypatch.setattr(selecting, "_cost_of_all", lambda *given: np.inf if route == "structure" else -1)
    documents, queries = drawn("dense", COUNT, 0), drawn("dense", 12, 1)
    index = registry.create(settings("dense", factory, search))
    index.add([f"d{place}" for place in range(COUNT)], documents)
    every = np.ones(COUNT, np.bool_)
    unfiltered = recall(index.search(queries, K)[0].tolist(), best("dense", documents, queries, every))
    for share in (0.1, 0.5, 0.9):
        searched.clear()
        allowed = np.random.default_rng(8).random(COUNT) < share
        ids, _ = index.search(queries, K, allowed)
        assert (ids != NOTHING).all()
        assert recall(ids.tolist(), best("dense", documents, queries, allowed)) >= unfiltered - 0.05, share
        assert (searched == [12]) is (route == "all"), "the other route was taken"


@pytest.mark.parametrize("kind", ["dense", "sparse", "multi_vector"])
def test_shards_are_filtered_each_by_its_own_part(kind: str) -> None:
    documents, queries = drawn(kind, COUNT, 0), drawn(kind, 12, 1)
    shards = []
    for start, stop in ((0, 250), (250, 251), (251, COUNT)):
        shard = registry.create(settings(kind, "exact", {}))
        part = documents.some(start, stop) if kind == "multi_vector" else documents[start:stop]
        shard.add([f"d{place}" for place in range(start, stop)], part)
        shards.append(shard)
    for allowed in masks().values():
        ids, _ = ShardedIndex(shards).search(queries, K, allowed)
        found = [[doc_id for doc_id in row if doc_id != NOTHING] for row in ids.tolist()]
        assert found == best(kind, documents, queries, allowed)


def test_bm25_keeps_the_statistics_of_all_documents() -> None:
    draw = random.Random(0)
    texts = [" ".join(draw.choices(["harbour", "ship", "sea", "sailor", "storm", "gull"], k=5)) for _ in range(200)]
    index = registry.create(registry.IndexSettings(0, "bm25", "bm25", kind="text"))
    index.add([f"d{place}" for place in range(200)], texts)
    queries = ["harbour ship", "storm", "absent"]
    whole, scores = index.search(queries, 200)
    for allowed in (mask[:200] for mask in masks().values()):
        ids, found = index.search(queries, K, allowed)
        for row in range(len(queries)):
            kept = [place for place, name in enumerate(whole[row]) if name != NOTHING and allowed[int(name[1:])]][:K]
            assert [name for name in ids[row] if name != NOTHING] == whole[row][kept].tolist()
            assert found[row][: len(kept)].tolist() == scores[row][kept].tolist()


@pytest.mark.parametrize("at_once", [1, 7, 2048])
def test_comparing_in_blocks_gives_what_comparing_at_once_gives(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    need_equal_products()
    monkeypatch.setattr(among, "AT_ONCE", at_once)
    monkeypatch.setattr(among, "QUERIES_AT_ONCE", 5)
    monkeypatch.setattr(among, "SCORES_AT_ONCE", 100)
    documents, queries = drawn("dense", COUNT, 0), drawn("dense", 12, 1)
    documents[::3] = documents[0]  # equal scores, in several blocks
    taken: list[Any] = []
    for allowed in masks().values():
        places, scores = among.best_among(queries, lambda at: (taken.append(at), documents[at])[1], allowed, K)
        whole = np.where(allowed, queries @ documents.T, -np.inf)
        order = np.argsort(-whole, axis=1, kind="stable")[:, :K]
        expected = np.take_along_axis(whole, order, axis=1)
        np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)
        for row in range(12):
            kept = [place for place in places[row].tolist() if place >= 0]
            assert len(kept) == min(K, int(allowed.sum()))
            assert all(allowed[place] for place in kept)
            ties = [[place for place in kept if place % 3 == 0], sorted(place for place in kept if place % 3 == 0)]
            assert ties[0] == ties[1], "equal scores by position"
    assert {type(at) for at in taken} == {slice, np.ndarray} or at_once == 1


def test_the_vectors_of_a_mapped_file_are_found_wherever_its_bytes_lie(tmp_path: Path) -> None:
    import faiss

    from rankdistill.indexing.faiss import FaissIndex

    documents, queries = drawn("dense", COUNT, 0), drawn("dense", 12, 1)
    made = FaissIndex(32, "dot", "Flat")
    made.add([f"d{place}" for place in range(COUNT)], documents)
    made.save(tmp_path)
    mapped = FaissIndex.load(tmp_path, "dot", "Flat")
    assert selecting._own_vectors(faiss, mapped.native) is None, "the case that this test is about"
    assert selecting._own_vectors(faiss, made.native) is not None
    for allowed in masks().values():
        assert (mapped.search(queries, K, allowed)[0] == made.search(queries, K, allowed)[0]).all()


@pytest.mark.parametrize("factory", ["Flat", "IDMap,Flat", "HNSW4", "PCA4,Flat", "IVF2,Flat", "SQ8,RFlat", "SQ8"])
def test_vectors_in_an_index_keep_it_alive(factory: str) -> None:
    """FAISS gives numpy a pointer: where nobody else holds the index, the numbers are gone with it."""
    import faiss

    vectors = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    index = faiss.index_factory(8, factory)
    index.train(vectors)
    if factory.startswith("IDMap"):
        index.add_with_ids(vectors, np.arange(64))
    else:
        index.add(vectors)
    alive = weakref.ref(index)
    rows = selecting._rows(faiss, index)
    wanted, queries = rows.at(slice(0, 64)).copy(), rows.prepare(vectors[:3]).copy()
    at, prepare = rows.at, rows.prepare
    del index, rows
    gc.collect()
    assert alive() is not None
    others = [np.full((64, 8), 7, np.float32) for _ in range(50)]  # what freed memory would be given to
    np.testing.assert_array_equal(at(slice(0, 64)), wanted)
    np.testing.assert_array_equal(at(np.array([5, 9])), wanted[[5, 9]])
    np.testing.assert_array_equal(prepare(vectors[:3]), queries)
    del at, prepare, others
    gc.collect()
    assert alive() is None, "and nothing holds it for longer"


@pytest.mark.parametrize("factory", ["Flat", "HNSW4"])
def test_a_slice_of_the_vectors_keeps_the_index_alive_too(factory: str) -> None:
    import faiss

    vectors = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    index = faiss.index_factory(8, factory)
    index.add(vectors)
    alive, part = weakref.ref(index), selecting._rows(faiss, index).at(slice(3, 9))
    del index
    gc.collect()
    assert alive() is not None
    np.testing.assert_array_equal(part, vectors[3:9])
    del part
    gc.collect()
    assert alive() is None
