"""The systems under evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rankdistill import data
from rankdistill.data import Dataset
from rankdistill.errors import DataError, SpaceMismatchError
from rankdistill.evaluation.latency import measure_latency
from rankdistill.evaluation.opening import open_retriever
from rankdistill.evaluation.rerank import Reranker, rerank
from rankdistill.evaluation.retrieve import Bm25Retriever
from rankdistill.indexing import build
from rankdistill.mining.bm25 import Bm25
from tests.evaluation.fakes import FakeRetriever


class LengthTeacher:
    """Scores a pair by the length of its document."""

    def __init__(self) -> None:
        self.fingerprint = {"teacher": "length"}
        self.pairs: list[tuple[str, str]] = []

    def score(
        self, pairs: Sequence[tuple[str, str]], progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        self.pairs.extend(pairs)
        if progress is not None:
            progress(len(pairs))
        return np.array([len(document) for _, document in pairs], np.float32)


class SelectiveTeacher(LengthTeacher):
    """Has no score for documents that start with `none`."""

    def score_or_leave(
        self, pairs: Sequence[tuple[str, str]], progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        found = self.score(pairs, progress)
        return np.where([document.startswith("none") for _, document in pairs], np.float32(-np.inf), found)


def test_documents_without_a_score_come_last(caplog: pytest.LogCaptureFixture) -> None:
    found = {"q": {"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0}, "r": {"a": 1.0}}
    contents = {"a": "none at all", "b": "x", "c": "long", "d": "longest"}
    run = rerank(found, {"q": "?", "r": "?"}, contents, SelectiveTeacher(), depth=3)
    assert run == {"q": {"c": 4.0, "b": 1.0, "d": 0.0, "a": -1.0}, "r": {"a": -1.0}}
    assert "2 of 4 pairs" in caplog.text


@pytest.mark.parametrize(("queries", "contents"), [({"q": "?"}, {}), ({}, {"d": "x"})])
def test_a_pair_without_its_texts_is_named(queries: dict[str, str], contents: dict[str, str]) -> None:
    with pytest.raises(DataError, match="document 'd' of query 'q'"):
        rerank({"q": {"d": 1.0}}, queries, contents, LengthTeacher())


def test_a_dense_run_equals_sentence_transformers(dataset: Dataset, tiny_encoder: str) -> None:
    from sentence_transformers import SentenceTransformer

    queries = dataset.queries("test")
    done: list[int] = []
    retriever = open_retriever(dataset, tiny_encoder, backend="torch", progress=done.append)
    run = retriever.retrieve(queries, 5)
    model = SentenceTransformer(tiny_encoder, device="cpu")
    scores = model.encode(list(queries.values())) @ model.encode(list(dataset.contents.values())).T
    for row, query_id in enumerate(queries):
        assert sorted(run[query_id].values(), reverse=True) == pytest.approx(sorted(scores[row])[:-6:-1], abs=1e-4)
    assert sum(done) == 40
    assert retriever.index_bytes == 40 * 32 * 4


def test_a_built_index_gives_the_run_of_the_index_in_memory(
    dataset: Dataset, tiny_encoder: str, tmp_path: Path
) -> None:
    build(dataset, tiny_encoder, tmp_path / "index", shard_size=9, max_length=16, backend="torch")
    queries = dataset.queries("test")
    built = open_retriever(dataset, tiny_encoder, tmp_path / "index", backend="torch").retrieve(queries, 10)
    memory = open_retriever(dataset, tiny_encoder, max_length=16, backend="torch").retrieve(queries, 10)
    assert {query: list(found) for query, found in built.items()} == {
        query: list(found) for query, found in memory.items()
    }


def test_an_index_of_another_model_is_refused(dataset: Dataset, tiny_encoder: str, tmp_path: Path) -> None:
    build(dataset, tiny_encoder, tmp_path / "index", max_length=16, backend="torch")
    with pytest.raises(SpaceMismatchError, match="max_length"):
        open_retriever(dataset, tiny_encoder, tmp_path / "index", max_length=32, backend="torch")


def test_an_index_of_other_documents_is_refused(
    dataset: Dataset, tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    build(dataset, tiny_encoder, tmp_path / "index", backend="torch")
    corpus = tiny_beir / "corpus.jsonl"
    corpus.write_text(corpus.read_text() + '{"_id": "new", "title": "", "text": "a new stone"}\n')
    with pytest.raises(DataError, match="40 documents, 40 of them in the data"):
        open_retriever(data.load(tiny_beir), tiny_encoder, tmp_path / "index", backend="torch")


def test_the_bm25_run_is_bm25s(dataset: Dataset) -> None:
    queries = dataset.queries("test")
    ids, scores = Bm25(dataset.contents).retrieve(list(queries.values()), 7)
    run = Bm25Retriever(dataset).retrieve(queries, 7)
    assert [list(found) for found in run.values()] == ids
    assert [list(found.values()) for found in run.values()] == [pytest.approx(list(row)) for row in scores]


def test_a_teacher_orders_the_best_documents_and_leaves_the_others_below(dataset: Dataset) -> None:
    teacher, first, queries = LengthTeacher(), FakeRetriever(dataset), dataset.queries("test")
    done: list[int] = []
    reranked = Reranker(dataset, first, teacher, "teacher", depth=6, progress=done.append).retrieve(queries, 10)
    assert len(teacher.pairs) == sum(done) == 6 * len(queries)
    for query_id, before in first.retrieve(queries, 10).items():
        order = sorted(reranked[query_id], key=reranked[query_id].__getitem__, reverse=True)
        best, rest = list(before)[:6], list(before)[6:]
        lengths = [len(dataset.contents[doc_id]) for doc_id in order[:6]]
        assert set(order[:6]) == set(best)
        assert lengths == sorted(lengths, reverse=True)
        assert order[6:] == rest


def test_a_teacher_gets_no_pairs_for_a_query_without_documents(dataset: Dataset) -> None:
    queries = dataset.queries("test")
    silent = frozenset(list(queries)[:1])
    system = Reranker(dataset, FakeRetriever(dataset, silent=silent), LengthTeacher(), "teacher", depth=3)
    run = system.retrieve(queries, 5)
    assert [len(found) for found in run.values()] == [0, 5, 5, 5, 5, 5]


def test_a_rerankers_identity_names_teacher_first_system_and_depth(dataset: Dataset) -> None:
    prints = [
        Reranker(dataset, FakeRetriever(dataset, seed), LengthTeacher(), "teacher", depth).fingerprint
        for seed, depth in ((0, 5), (1, 5), (0, 6))
    ]
    assert prints[0] != prints[1] != prints[2] != prints[0]


def test_latency_times_each_query_alone(dataset: Dataset) -> None:
    system = FakeRetriever(dataset)
    found = measure_latency(system, dataset.queries("train"), count=8)
    assert found.queries == 8
    assert 0 < found.p50 <= found.p99
    assert all(len(queries) == 1 for queries, _ in system.calls)
