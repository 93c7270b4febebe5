"""Indexes as sources of candidates."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankdistill import data
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, DataError, MissingDependencyError
from rankdistill.indexing import build
from rankdistill.indexing.sources import KINDS, IndexSource, LuceneBm25Source
from rankdistill.mining.sources import Bm25Source, DenseSource, named


@pytest.fixture
def dataset(tiny_beir: Path) -> Dataset:
    return data.load(tiny_beir)


def test_an_index_finds_what_its_model_finds(dataset: Dataset, tiny_encoder: str, tmp_path: Path) -> None:
    build(dataset, tiny_encoder, tmp_path / "index", backend="torch")
    queries = list(dataset.queries("train").values())
    steps: list[int] = []
    source = IndexSource(str(tmp_path / "index"))
    ids, scores = source.retrieve(dataset.contents, queries, 5, steps.append)
    own_ids, own_scores = DenseSource(tiny_encoder).retrieve(dataset.contents, queries, 5, lambda done: None)
    assert ids == own_ids
    for one, other in zip(scores, own_scores, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    assert sum(steps) == len(queries) + len(dataset.doc_ids)
    assert len(source.inputs["index"]) == 64


def test_lists_of_words_end_where_no_word_is_shared(dataset: Dataset, tmp_path: Path) -> None:
    build(dataset, None, tmp_path / "index", factory="bm25")
    queries = [*dataset.queries("train").values(), "unheard"]
    ids, _ = IndexSource(str(tmp_path / "index")).retrieve(dataset.contents, queries, 40, lambda done: None)
    own, _ = Bm25Source().retrieve(dataset.contents, queries, 40, lambda done: None)
    assert ids == own
    assert ids[-1] == []


def test_an_index_of_other_documents_and_none_at_all_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    build(dataset, None, tmp_path / "index", factory="bm25")
    source = IndexSource(str(tmp_path / "index"))
    with pytest.raises(DataError, match="40 documents, 1 of them"):
        source.retrieve({"d00": "text", "elsewhere": "text"}, ["a"], 5, lambda done: None)
    with pytest.raises(DataError):
        _ = IndexSource(str(tmp_path / "nowhere")).inputs


def test_lucene_finds_documents_of_the_query_words(dataset: Dataset) -> None:
    queries = list(dataset.queries("train").values())
    try:
        ids, _ = LuceneBm25Source().retrieve(dataset.contents, queries, 5, lambda done: None)
    except MissingDependencyError as error:
        pytest.skip(str(error))
    for query, row in zip(queries, ids, strict=True):
        assert row
        assert all(set(query.split()) & set(dataset.contents[doc_id].split()) for doc_id in row)


def test_they_are_named_beside_the_others() -> None:
    assert named("index:/some/where", kinds=KINDS) == IndexSource("/some/where")
    assert named("late=index:/some/where", None, 16, KINDS) == IndexSource("/some/where", 16, "late")
    assert named("lucene-bm25", kinds=KINDS) == LuceneBm25Source()
    with pytest.raises(ConfigError, match="index:INDEX"):
        named("index", "model", kinds=KINDS)
