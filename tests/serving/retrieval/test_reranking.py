"""What was found, in the order of a second model."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rankdistill
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.evaluation.rerank import rerank
from rankdistill.indexing import build
from rankdistill.inference.token_vectors import max_sim
from rankdistill.serving.contracts import SearchAnswer, SearchRequest
from rankdistill.serving.refusals import BackendRefusal, BadRequestError
from rankdistill.serving.retrieval import open_search
from rankdistill.serving.retrieval.service import IndexSearch
from tests.serving.retrieval.conftest import QUERIES
from tests.serving.retrieval.fakes import Pairs, PlainModel


def shown(answer: SearchAnswer) -> list[tuple[str, float]]:
    return [(hit.id, hit.score) for hit in answer.hits]


@pytest.fixture(scope="module")
def pairs(tiny_cross_encoder: str) -> Pairs:
    """A cross-encoder."""
    return Pairs(tiny_cross_encoder)


def searched(service: IndexSearch, **settings: Any) -> list[SearchAnswer]:
    return asyncio.run(service.search([SearchRequest(query, rerank=True, **settings) for query in QUERIES]))


@pytest.mark.parametrize("depth", [12, 100])
def test_it_is_the_order_of_rerank(
    depth: int, indexes: dict[str, Path], models: dict[str, PlainModel], pairs: Pairs, dataset: Dataset
) -> None:
    chosen = {name: indexes[name] for name in ("dense", "bm25")}
    service = open_search(chosen, {**models, "pairs": pairs}, reranker="pairs", rerank_depth=depth)
    queries = {f"q{place}": text for place, text in enumerate(QUERIES)}
    for mode, first in (("dense", "dense"), ("bm25", "bm25"), ("fused", list(chosen.values()))):
        places = indexes[first] if isinstance(first, str) else first
        fusion = None if isinstance(first, str) else "rrf"
        found = rankdistill.search(places, list(QUERIES), max(20, depth), fusion=fusion, backend="torch")
        run = {query: {hit.doc_id: hit.score for hit in hits} for query, hits in zip(queries, found, strict=True)}
        expected = rerank(run, queries, dataset.contents, pairs.scorer, depth)
        for answer, ranking in zip(searched(service, k=20, mode=mode), expected.values(), strict=True):
            ids, scores = zip(*list(ranking.items())[:20], strict=True)
            assert answer.reranked
            assert answer.mode == mode
            found_texts = [dataset.contents[hit.id] for hit in answer.hits]
            assert found_texts == [dataset.contents[doc_id] for doc_id in ids]  # of equal ones, rounding may choose
            np.testing.assert_allclose([hit.score for hit in answer.hits], scores, rtol=1e-5, atol=1e-5)


def test_a_multi_vector_model_takes_the_vectors_of_its_index(
    indexes: dict[str, Path], models: dict[str, PlainModel], dataset: Dataset
) -> None:
    model = models["multi_vector"]
    chosen = {name: indexes[name] for name in ("dense", "multi_vector")}
    service = open_search(chosen, models, reranker="multi_vector", rerank_depth=15)
    model.calls.clear()
    answers = searched(service, k=15, mode="dense")
    assert model.calls == [1] * len(QUERIES)  # queries alone: no document is encoded
    first = rankdistill.search(indexes["dense"], list(QUERIES), 15, backend="torch")
    for query, answer, hits in zip(QUERIES, answers, first, strict=True):
        texts = [dataset.contents[hit.doc_id] for hit in hits]
        scores = max_sim(model.encoder.encode_queries([query]), model.encoder.encode_documents(texts), False)[0]
        order = np.argsort(-scores, kind="stable")
        assert {hit.id for hit in answer.hits} == {hit.doc_id for hit in hits}
        np.testing.assert_allclose([hit.score for hit in answer.hits], scores[order], rtol=1e-5)


def test_without_its_index_it_reads_the_texts(indexes: dict[str, Path], models: dict[str, PlainModel]) -> None:
    both = open_search({name: indexes[name] for name in ("dense", "multi_vector")}, models, reranker="multi_vector")
    alone = open_search({"dense": indexes["dense"]}, models, reranker="multi_vector")
    for one, other in zip(searched(both, mode="dense"), searched(alone), strict=True):
        np.testing.assert_allclose([hit.score for hit in one.hits], [hit.score for hit in other.hits], rtol=1e-5)


def test_without_whole_texts_there_is_no_second_stage(
    dataset: Dataset,
    tiny_encoder: str,
    models: dict[str, PlainModel],
    pairs: Pairs,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    build(dataset, tiny_encoder, tmp_path / "short", backend="torch", snippet_length=20)
    served = {**models, "pairs": pairs}
    with caplog.at_level("INFO"):
        without = open_search({"short": tmp_path / "short"}, served, reranker="pairs")
    assert "--snippets" in caplog.text
    with pytest.raises(BadRequestError, match="documents' texts"):
        searched(without)
    service = open_search({"short": tmp_path / "short"}, served, reranker="pairs", data=dataset.path)
    assert all(answer.reranked for answer in searched(service))


def test_what_cannot_be_a_second_stage_is_refused(
    indexes: dict[str, Path], models: dict[str, PlainModel], tiny_beir: Path
) -> None:
    with pytest.raises(ConfigError, match="cross-encoder or a multi-vector"):
        open_search({"dense": indexes["dense"]}, models, reranker="dense")
    with pytest.raises(ConfigError, match="a served model as re-ranker"):
        open_search({"dense": indexes["dense"]}, models, reranker="other")
    with pytest.raises(ConfigError, match="no text of 8"):
        open_search({"dense": indexes["dense"]}, models, reranker="multi_vector", data=tiny_beir)


def test_what_has_no_words_is_not_re_ranked(
    indexes: dict[str, Path], models: dict[str, PlainModel], pairs: Pairs
) -> None:
    service = open_search({"dense": indexes["dense"]}, {**models, "pairs": pairs}, reranker="pairs")
    with pytest.raises(BadRequestError, match="a vector"):
        asyncio.run(service.search([SearchRequest(vector=[1.0] * 32, rerank=True)]))
    without = open_search({"dense": indexes["dense"]}, models)
    with pytest.raises(BadRequestError, match="a server that can re-rank"):
        asyncio.run(without.search([SearchRequest("a", rerank=True)]))


def test_scores_that_are_none_are_refused(
    indexes: dict[str, Path], models: dict[str, PlainModel], pairs: Pairs
) -> None:
    class Broken(Pairs):
        async def score(self, query: str, texts: Any, *, truncate: bool = True) -> Any:
            found = await super().score(query, texts)
            return dataclasses.replace(found, scores=found.scores * np.nan)

    broken = Broken.__new__(Broken)
    broken.__dict__ |= vars(pairs)
    service = open_search({"dense": indexes["dense"]}, {**models, "pairs": broken}, reranker="pairs")
    with pytest.raises(BackendRefusal, match="finite"):
        searched(service)
