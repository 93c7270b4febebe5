"""Fields in index folders, and searches under one filter or one a query."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill.errors import ConfigError, DataError, StaleOutputError
from rankdistill.fusion import Fusion
from rankdistill.indexing import NOTHING, StoredIndex, build, load
from rankdistill.indexing.fused import search_fused
from rankdistill.indexing.text.encoder import PlainTexts
from tests.indexing.fakes import HashEncoder
from tests.indexing.filters import oracle
from tests.indexing.filters.test_schema import corpus

ROWS = oracle.documents(60, 0)
QUERIES = [f"text {place}" for place in range(8)]
WANTED = {**oracle.SCHEMA}


def built(folder: Path, factory: str = "exact", shard_size: int | None = None, **other: Any) -> StoredIndex:
    dataset = corpus(folder, ROWS)
    encoder, model = (PlainTexts(), None) if factory == "bm25" else (HashEncoder(), "fake")
    build(dataset, model, folder / factory, factory, shard_size, encoder=encoder, fields=WANTED, **other)
    return load(folder / factory)


@pytest.mark.parametrize(
    ("factory", "shard_size"), [("exact", None), ("exact", 7), ("HNSW8", 25), ("IVF4,Flat", None), ("bm25", None)]
)
def test_one_filter_a_query_is_what_each_alone_gives(tmp_path: Path, factory: str, shard_size: int | None) -> None:
    index, draw = built(tmp_path, factory, shard_size), random.Random(3)
    few = [oracle.random_filter(draw) for _ in range(3)]
    filters = [draw.choice([None, *few]) for _ in QUERIES]
    queries = QUERIES if factory == "bm25" else HashEncoder().encode_queries(QUERIES)
    ids, scores = index.search(queries, 5, filters=filters)
    for place, one in enumerate(filters):
        alone, theirs = index.search(queries[place : place + 1], 5, filter=one)
        assert ids[place].tolist() == alone[0].tolist()
        np.testing.assert_allclose(scores[place], theirs[0], rtol=1e-6, atol=1e-6)
        kept = [int(doc_id[1:]) for doc_id in ids[place] if doc_id != NOTHING]
        assert all(one is None or oracle.allowed(one, ROWS[number]) for number in kept)
        if factory != "bm25":
            assert len(kept) == min(5, sum(one is None or oracle.allowed(one, row) for row in ROWS))


def test_an_equal_filter_is_searched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index, searched = built(tmp_path), []
    whole = type(index.searcher).search

    def counted(self: Any, vectors: Any, *given: Any) -> Any:
        searched.append(len(vectors))
        return whole(self, vectors, *given)

    monkeypatch.setattr(type(index.searcher), "search", counted)
    one, other = {"field": "open", "equals": True}, {"must": {"equals": True, "field": "open"}}
    index.search(HashEncoder().encode_queries(QUERIES), 3, filters=[one, other, None, one, None, other, one, other])
    assert sorted(searched) == [2, 6]


def test_both_a_filter_and_what_is_allowed_hold(tmp_path: Path) -> None:
    index = built(tmp_path)
    given, queries = {"field": "open", "equals": True}, HashEncoder().encode_queries(QUERIES)
    half = np.arange(60) < 30
    ids, _ = index.search(queries, 60, half, filter=given)
    expected = {f"d{place}" for place in range(30) if oracle.allowed(given, ROWS[place])}
    assert all({*row} - {NOTHING} == expected for row in ids.tolist())


def test_fields_come_back_with_the_documents(tmp_path: Path) -> None:
    index = built(tmp_path, shard_size=7)
    assert index.schema == oracle.SCHEMA
    for place, found in zip((41, 3), index.fields_of(["d41", "d3"]), strict=True):
        given = {name: value for name, value in ROWS[place].items() if value not in (None, [])}
        assert found.keys() == given.keys()
        assert all(found[name] == given[name] for name in ("year", "price", "source", "open") if name in given)
    assert index.to_json()["fields"] == oracle.SCHEMA


def test_fields_are_part_of_what_an_index_is(tmp_path: Path) -> None:
    built(tmp_path)
    dataset, out = corpus(tmp_path, ROWS), tmp_path / "exact"
    assert not build(dataset, "fake", out, encoder=HashEncoder(), fields={**WANTED, "source": None})
    with pytest.raises(StaleOutputError):
        build(dataset, "fake", out, encoder=HashEncoder())


def test_without_fields_an_index_is_what_it_was(tmp_path: Path) -> None:
    build(corpus(tmp_path, ROWS), "fake", tmp_path / "plain", encoder=HashEncoder())
    index = load(tmp_path / "plain")
    assert "fields" not in index.made.parameters
    assert index.fields_of(["d1"]) == [{}]
    with pytest.raises(ConfigError, match="--field"):
        index.search_texts(QUERIES, 3, HashEncoder(), filter={"field": "year", "equals": 1})


def test_a_bad_value_is_told_before_anything_is_encoded(tmp_path: Path) -> None:
    encoder = HashEncoder()
    dataset = corpus(tmp_path, [{"year": 1}, {"year": "one"}])
    with pytest.raises(DataError, match=r"corpus.jsonl:2"):
        build(dataset, "fake", tmp_path / "index", encoder=encoder, fields={"year": None})
    assert encoder.encoded == 0
    assert not (tmp_path / "index").exists()


def test_a_damaged_file_of_fields_is_told(tmp_path: Path) -> None:
    index = built(tmp_path)
    (tmp_path / "exact" / "shard-00000" / "fields.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="fields"):
        index.allowed({"field": "year", "equals": 1})


def test_as_many_filters_as_queries(tmp_path: Path) -> None:
    index = built(tmp_path)
    with pytest.raises(ConfigError, match="8 queries"):
        index.search(HashEncoder().encode_queries(QUERIES), 3, filters=[None])


def test_every_leg_of_a_fusion_is_filtered(tmp_path: Path) -> None:
    words, vectors = built(tmp_path, "bm25"), built(tmp_path)
    given = {"must_not": [{"field": "open", "exists": True}]}
    kept = {f"d{place}" for place, row in enumerate(ROWS) if oracle.allowed(given, row)}
    found = search_fused([words, vectors], [PlainTexts(), HashEncoder()], QUERIES, 6, Fusion(), filter=given)
    assert all({hit.doc_id for hit in hits} <= kept and len(hits) == min(6, len(kept)) for hits in found)
    build(corpus(tmp_path, ROWS), "fake", tmp_path / "plain", encoder=HashEncoder())
    with pytest.raises(ConfigError, match="keeps none"):
        search_fused(
            [words, load(tmp_path / "plain")], [PlainTexts(), HashEncoder()], QUERIES, 6, Fusion(), filter=given
        )


@pytest.mark.parametrize("given", [{}, {"must": []}, {"should": [{}]}, {"must_not": [{}]}], ids=str)
def test_a_filter_without_conditions_needs_no_fields(tmp_path: Path, given: dict[str, Any]) -> None:
    dataset, queries = corpus(tmp_path, ROWS), HashEncoder().encode_queries(QUERIES)
    build(dataset, "fake", tmp_path / "plain", "exact", None, encoder=HashEncoder())
    index = load(tmp_path / "plain")
    ids, _ = index.search(queries, 60, filter=given)
    assert (ids != NOTHING).sum() == (0 if "must_not" in given else ids.size)
    with pytest.raises(ConfigError, match="keeps fields"):
        index.search(queries, 60, filter={"field": "open", "equals": True})
