"""The search service answers as the package's own search does."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rankdistill
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, SpaceMismatchError
from rankdistill.fusion import rrf
from rankdistill.indexing import build
from rankdistill.serving.contracts import Limits, SearchAnswer, SearchRequest
from rankdistill.serving.refusals import (
    BackendRefusal,
    BadRequestError,
    EmptyError,
    OtherSpaceError,
    OverloadedError,
    Refusal,
    TooLargeError,
    UnknownError,
)
from rankdistill.serving.retrieval import open_search
from rankdistill.serving.retrieval.service import IndexSearch
from tests.serving.retrieval.conftest import QUERIES
from tests.serving.retrieval.fakes import PlainModel

Ask = Callable[..., list[SearchAnswer]]
MODES = ("dense", "sparse", "multi_vector", "bm25")


def answers(service: IndexSearch, requests: Sequence[SearchRequest], at_once: bool = False) -> list[SearchAnswer]:
    """In a loop of its own: one after the other, or all at once."""

    async def run() -> list[SearchAnswer]:
        if at_once:
            return [found for (found,) in await asyncio.gather(*(service.search([one]) for one in requests))]
        return [(await service.search([one]))[0] for one in requests]

    return asyncio.run(run())


def shown(answer: SearchAnswer) -> list[tuple[str, float]]:
    return [(hit.id, hit.score) for hit in answer.hits]


@pytest.fixture(scope="module")
def service(indexes: dict[str, Path], models: dict[str, PlainModel]) -> IndexSearch:
    """Over an index of each kind."""
    return open_search(indexes, models)


@pytest.mark.parametrize("mode", MODES)
def test_it_finds_what_search_finds(mode: str, service: IndexSearch, indexes: dict[str, Path]) -> None:
    found = answers(service, [SearchRequest(query, k=40, mode=mode) for query in QUERIES])
    for query, answer in zip(QUERIES, found, strict=True):
        expected = rankdistill.search(indexes[mode], query, 40, backend="torch")[0]
        assert shown(answer) == [(hit.doc_id, hit.score) for hit in expected]
        assert answer.mode == mode
        assert answer.took > 0
    assert found[0].space == rankdistill.open(indexes[mode]).space.fingerprint


@pytest.mark.parametrize("mode", MODES)
def test_simultaneous_searches_find_the_same(mode: str, service: IndexSearch) -> None:
    requests = [SearchRequest(query, k=5, mode=mode) for query in QUERIES * 4]
    alone, together = answers(service, requests), answers(service, requests, at_once=True)
    batch = asyncio.run(service.search(requests))
    for one, other, third in zip(alone, together, batch, strict=True):
        assert [hit.id for hit in one.hits] == [hit.id for hit in other.hits] == [hit.id for hit in third.hits]
        for found in (other, third):
            np.testing.assert_allclose([hit.score for hit in found.hits], [hit.score for hit in one.hits], rtol=2e-6)


def test_fused_is_the_fusion_of_all(service: IndexSearch, indexes: dict[str, Path]) -> None:
    found = answers(service, [SearchRequest(query) for query in QUERIES])
    expected = rankdistill.search(list(indexes.values()), list(QUERIES), 10, fusion="rrf", backend="torch")
    assert [shown(answer) for answer in found] == [[(hit.doc_id, hit.score) for hit in hits] for hits in expected]
    assert {answer.mode for answer in found} == {"fused"}


def test_a_vector_finds_what_its_text_finds(service: IndexSearch, models: dict[str, PlainModel]) -> None:
    text = QUERIES[0]
    by_text = answers(service, [SearchRequest(text, mode=mode) for mode in MODES[:3]])
    dense = models["dense"].encoder.encode_queries([text])[0].tolist()
    sparse = by_text[1].terms
    assert sparse is not None
    assert list(sparse.values()) == sorted(sparse.values(), reverse=True)
    tokens = models["multi_vector"].encoder.encode_queries([text])[0].tolist()
    row = models["sparse"].encoder.encode_queries([text])
    pairs = [{"index": int(index), "value": float(value)} for index, value in zip(row.indices, row.data, strict=True)]
    by_vector = answers(
        service,
        [
            SearchRequest(vector=dense, mode="dense"),
            SearchRequest(vector=sparse, mode="sparse"),
            SearchRequest(vector=tokens, mode="multi_vector"),
            SearchRequest(vector=pairs, mode="sparse"),
        ],
    )
    for one, other in zip([*by_text, by_text[1]], by_vector, strict=True):
        assert [hit.id for hit in one.hits] == [hit.id for hit in other.hits]
        np.testing.assert_allclose([hit.score for hit in one.hits], [hit.score for hit in other.hits], rtol=1e-6)


BAD: Mapping[str, tuple[type[Refusal], SearchRequest]] = {
    "nothing asked": (BadRequestError, SearchRequest()),
    "two queries": (BadRequestError, SearchRequest("a", vector=[1.0])),
    "a blank query": (EmptyError, SearchRequest(" \n")),
    "no documents": (BadRequestError, SearchRequest("a", k=0)),
    "too many documents": (TooLargeError, SearchRequest("a", k=1001)),
    "an unknown mode": (BadRequestError, SearchRequest("a", mode="exact")),
    "an unknown index": (UnknownError, SearchRequest("a", index="other")),
    "an index of another mode": (BadRequestError, SearchRequest("a", index="dense", mode="sparse")),
    "a short vector": (OtherSpaceError, SearchRequest(vector=[1.0] * 31, mode="dense")),
    "an infinite vector": (BadRequestError, SearchRequest(vector=[1.0] * 31 + [1e39], mode="dense")),
    "not a number": (BadRequestError, SearchRequest(vector=[1.0] * 31 + [float("nan")], mode="dense")),
    "an empty vector": (BadRequestError, SearchRequest(vector=[], mode="dense")),
    "a vector of truths": (BadRequestError, SearchRequest(vector=[True] * 32, mode="dense")),
    "a truth among numbers": (BadRequestError, SearchRequest(vector=[True] + [0.5] * 31, mode="dense")),
    "a truth among tokens": (BadRequestError, SearchRequest(vector=[[1.0] * 15 + [True]], mode="multi_vector")),
    "a truth as a weight": (BadRequestError, SearchRequest(vector={"river": True, "stone": 1.0}, mode="sparse")),
    "a vector without a direction": (EmptyError, SearchRequest(vector=[0.0] * 32, mode="dense")),
    "one too small for float32": (EmptyError, SearchRequest(vector=[1e-320] * 32, mode="dense")),
    "a text of which no token is left": (EmptyError, SearchRequest("\u0301\ue000", mode="dense")),
    "the same, fused": (EmptyError, SearchRequest("\u0301\ue000", mode="fused")),
    "a vector of words": (BadRequestError, SearchRequest(vector=["1"] * 32, mode="dense")),
    "ragged tokens": (BadRequestError, SearchRequest(vector=[[1.0] * 16, [1.0]], mode="multi_vector")),
    "tokens for a dense index": (BadRequestError, SearchRequest(vector=[[1.0] * 32], mode="dense")),
    "terms for a dense index": (BadRequestError, SearchRequest(vector={"river": 1.0}, mode="dense")),
    "short tokens": (OtherSpaceError, SearchRequest(vector=[[1.0] * 15], mode="multi_vector")),
    "unknown terms": (OtherSpaceError, SearchRequest(vector={"nowhere": 1.0}, mode="sparse")),
    "an index beyond the vocabulary": (
        OtherSpaceError,
        SearchRequest(vector=[{"index": 99999, "value": 1.0}], mode="sparse"),
    ),
    "an index twice": (BadRequestError, SearchRequest(vector=[{"index": 9, "value": 1.0}] * 2, mode="sparse")),
    "an index that is none": (BadRequestError, SearchRequest(vector=[{"index": 1.5, "value": 1.0}], mode="sparse")),
    "a vector for words": (BadRequestError, SearchRequest(vector=[1.0], mode="bm25")),
    "a vector for all": (BadRequestError, SearchRequest(vector=[1.0], mode="fused")),
}


@pytest.mark.parametrize("length", [1e-30, 1e-17, 1e30], ids=str)
def test_a_vector_counts_by_its_direction_however_long_it_is(service: IndexSearch, length: float) -> None:
    """Squares beyond float32 would make every cosine 0, in the order of the corpus."""
    direction = np.cos(np.arange(32.0))
    given = [SearchRequest(vector=(factor * direction).tolist(), mode="dense") for factor in (1, length)]
    one, other = answers(service, given)
    assert [hit.id for hit in one.hits] == [hit.id for hit in other.hits]
    np.testing.assert_allclose([hit.score for hit in other.hits], [hit.score for hit in one.hits], rtol=1e-5)


def test_a_text_whose_vector_is_zero_leaves_the_fusion_to_the_others(
    indexes: dict[str, Path], models: dict[str, PlainModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    both = open_search({name: indexes[name] for name in ("dense", "bm25")}, models)
    monkeypatch.setattr(models["dense"].encoder, "encode_queries", lambda texts: np.zeros((len(texts), 32), np.float32))
    fused, words = answers(both, [SearchRequest("the deep river", k=3, mode=mode) for mode in ("fused", "bm25")])
    assert [hit.id for hit in fused.hits] == [hit.id for hit in words.hits]
    with pytest.raises(EmptyError, match="is zero"):
        answers(both, [SearchRequest("the deep river", mode="dense")])


def test_a_damaged_index_is_the_server_s_fault_and_tells_no_path(
    indexes: dict[str, Path], models: dict[str, PlainModel], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(indexes["dense"], tmp_path / "copy")
    broken = open_search({"dense": tmp_path / "copy"}, models)
    leg = broken._legs["dense"]
    leg.index.__dict__.pop("fields", None)
    for file in (tmp_path / "copy").glob("shard-*/fields.parquet"):
        file.write_bytes(b"nothing")
    with pytest.raises(BackendRefusal) as refused:
        answers(broken, [SearchRequest("the river", filter={"field": "shelf", "equals": 1})])
    assert str(tmp_path) not in str(refused.value)
    assert str(tmp_path) in caplog.text


@pytest.mark.parametrize("name", BAD)
def test_it_refuses(name: str, service: IndexSearch) -> None:
    kind, request = BAD[name]
    with pytest.raises(kind) as refused:
        asyncio.run(service.search([SearchRequest("the river"), request]))
    assert refused.value.remedy


def test_too_many_searches_are_refused(service: IndexSearch) -> None:
    with pytest.raises(TooLargeError, match="256"):
        asyncio.run(service.search([SearchRequest("a")] * 257))


def test_more_documents_than_there_are_give_all(service: IndexSearch) -> None:
    (found,) = answers(service, [SearchRequest("the river", k=1000, mode="dense")])
    assert len(found.hits) == 48


def test_equal_documents_come_in_the_order_of_the_index(service: IndexSearch) -> None:
    (found,) = answers(service, [SearchRequest("the river", k=48, mode="dense")])
    scores = {hit.id: (place, hit.score) for place, hit in enumerate(found.hits)}
    for n in range(12):
        (first, score), (second, same) = scores[f"d{n:02d}"], scores[f"d{n + 36}"]
        assert score == same
        assert first < second


def test_a_cut_query_is_told(service: IndexSearch) -> None:
    long, short = answers(service, [SearchRequest("river " * 90, mode="dense"), SearchRequest("river", mode="dense")])
    assert (long.truncated, short.truncated) == (True, False)
    assert short.timing.inference == 0.003


def test_a_model_of_another_space_is_refused(indexes: dict[str, Path], stranger: str) -> None:
    with pytest.raises(SpaceMismatchError, match="for the index mine"):
        open_search({"mine": indexes["dense"]}, {"stranger": PlainModel(stranger)})
    with pytest.raises(SpaceMismatchError, match="kind sparse"):
        open_search({"mine": indexes["sparse"]}, {"stranger": PlainModel(stranger)})
    with pytest.raises(ConfigError, match="an index to search"):
        open_search({}, {})


def test_indexes_of_other_documents_are_not_fused(
    indexes: dict[str, Path], dataset: Dataset, tiny_beir: Path, tmp_path: Path, models: dict[str, PlainModel]
) -> None:
    build(rankdistill.open(tiny_beir), None, tmp_path / "other", factory="bm25")
    service = open_search({"mine": indexes["bm25"], "other": tmp_path / "other"}, {})
    assert service.modes == ("bm25",)
    with pytest.raises(BadRequestError, match="not fused"):
        asyncio.run(service.search([SearchRequest("a")]))
    with pytest.raises(BadRequestError, match="a mode of this server: bm25"):
        asyncio.run(service.search([SearchRequest("a", mode="fused")]))
    assert answers(service, [SearchRequest("the river", index="other")])[0].hits


class Counting:
    """An index that counts its searches, and can be held."""

    def __init__(self, index: Any) -> None:
        self.index, self.sizes = index, list[int]()
        self.held: threading.Event | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.index, name)

    def search(self, queries: Any, k: int, **filters: Any) -> Any:
        self.sizes.append(len(queries))
        if self.held is not None:
            assert self.held.wait(10)
        return self.index.search(queries, k, **filters)


def test_what_waits_is_one_search(indexes: dict[str, Path], models: dict[str, PlainModel]) -> None:
    service = open_search({"dense": indexes["dense"]}, models)
    leg = service._legs["dense"]
    counting = Counting(leg.index)
    leg.index = counting  # type: ignore[assignment]
    answers(service, [SearchRequest(query) for query in QUERIES * 4], at_once=True)
    assert sum(counting.sizes) == 20
    assert len(counting.sizes) <= 2


def test_a_search_whose_client_left_is_not_made(indexes: dict[str, Path], models: dict[str, PlainModel]) -> None:
    service = open_search({"dense": indexes["dense"]}, models)
    leg = service._legs["dense"]
    counting = Counting(leg.index)
    leg.index = counting  # type: ignore[assignment]

    async def run() -> None:
        tasks = [asyncio.create_task(service.search([SearchRequest(query)])) for query in QUERIES]
        await asyncio.sleep(0)
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await service.close()

    asyncio.run(run())
    assert sum(counting.sizes) == 1


def test_while_a_search_waits_too_long_others_are_refused(
    indexes: dict[str, Path], models: dict[str, PlainModel]
) -> None:
    service = open_search({"dense": indexes["dense"]}, models, limits=Limits(wait=0.5))
    leg = service._legs["dense"]
    held, counting = threading.Event(), Counting(leg.index)
    leg.index = counting  # type: ignore[assignment]
    counting.held = held

    async def run() -> list[Any]:
        first = [asyncio.create_task(service.search([SearchRequest(QUERIES[0])]))]
        while not counting.sizes:
            await asyncio.sleep(0)
        first.append(asyncio.create_task(service.search([SearchRequest(QUERIES[1])])))
        while not leg._waiting:
            await asyncio.sleep(0)
        leg._waiting[0] = dataclasses.replace(leg._waiting[0], since=leg._waiting[0].since - 1)
        try:
            with pytest.raises(OverloadedError) as refused:
                await service.search([SearchRequest(QUERIES[2])])
        finally:
            held.set()
        assert refused.value.retry_after >= 1
        return await asyncio.gather(*first)

    assert all(answer.hits for (answer,) in asyncio.run(run()))


def test_what_is_served_is_described(service: IndexSearch, indexes: dict[str, Path]) -> None:
    told = service.describe()
    assert service.modes == ("dense", "sparse", "multi_vector", "bm25", "fused")
    assert service.settings == {"fusion": {"method": "rrf", "weights": None, "k": 60}, "rerank_depth": None}
    dense = told["dense"]
    index = rankdistill.open(indexes["dense"])
    assert (dense["documents"], dense["space"], dense["hash"]) == (48, index.space.fingerprint, index.made.identity)


@pytest.mark.parametrize("mode", MODES)
def test_a_filter_holds_in_every_leg(mode: str, service: IndexSearch) -> None:
    filters = [{"must": [{"field": "shelf", "equals": shelf}]} for shelf in range(4)]
    requests = [SearchRequest(QUERIES[0], k=3, mode=mode, filter=one) for one in filters]
    everything, *found = asyncio.run(service.search([SearchRequest(QUERIES[0], k=48, mode=mode), *requests]))
    for shelf, answer in enumerate(found):
        expected = [hit for hit in everything.hits if int(hit.id[1:]) % 4 == shelf][:3]
        assert {hit.fields["shelf"] for hit in answer.hits} == {shelf}
        assert [hit.id for hit in answer.hits] == [hit.id for hit in expected]
        np.testing.assert_allclose([hit.score for hit in answer.hits], [hit.score for hit in expected], rtol=1e-5)


def test_what_is_fused_is_filtered_before(service: IndexSearch) -> None:
    filter = {"must": [{"field": "shelf", "equals": 1}]}
    (fused,) = asyncio.run(service.search([SearchRequest(QUERIES[0], filter=filter)]))
    legs = asyncio.run(service.search([SearchRequest(QUERIES[0], k=48, mode=mode, filter=filter) for mode in MODES]))
    expected = rrf([{hit.id: hit.score for hit in leg.hits} for leg in legs])
    assert [(hit.id, hit.score) for hit in fused.hits] == list(expected.items())[:10]


def test_both_filters_hold(service: IndexSearch) -> None:
    (found,) = asyncio.run(
        service.search(
            [SearchRequest(QUERIES[0], k=48, mode="dense", filter={"should": [{"field": "shelf", "in": [1, 2]}]})],
            {"must_not": [{"field": "shelf", "equals": 2}]},
        )
    )
    assert [hit.fields["shelf"] for hit in found.hits] == [1] * 12
    with pytest.raises(BadRequestError, match="shelf"):
        asyncio.run(service.search([SearchRequest("a", mode="dense", filter={"must": [{"field": "size", "gt": 1}]})]))
