"""Indexes of sparse and token vectors that are not kept: cut as `index` cuts them, mapped, and gone with the search."""

from __future__ import annotations

import json
import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill import data
from rankdistill.data import Dataset
from rankdistill.evaluation.indexed import MemoryIndex
from rankdistill.indexing import build, building
from rankdistill.indexing import load as load_index
from rankdistill.indexing.kinds import MULTI_VECTOR, SPARSE, Kind
from rankdistill.indexing.sharded import ShardedIndex

SHARD = 11


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(scope="module")
def encoders(tiny_splade: str, tiny_multi_vector: str) -> dict[str, tuple[str, Any]]:
    """Model and encoder, by kind."""
    return {
        kind.name: (model, kind.open_documents(model, "auto", None))
        for kind, model in ((SPARSE, tiny_splade), (MULTI_VECTOR, tiny_multi_vector))
    }


def shards_of(kind: Kind, encoder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a shard be of `SHARD` documents."""
    each = 24 * building.SPARSE_TERMS
    if kind is MULTI_VECTOR:
        each = 12 * encoder.space.dimension * encoder.space.max_length
    monkeypatch.setattr(building, "SHARD_BYTES", SHARD * each)


@pytest.mark.parametrize(
    ("kind", "factory"),
    [(SPARSE, "exact"), (SPARSE, "seismic"), (MULTI_VECTOR, "exact"), (MULTI_VECTOR, "token-ivf")],
    ids=lambda one: one if isinstance(one, str) else one.name,
)
def test_shards_find_what_those_on_disk_do_and_leave_nothing(
    tiny_beir: Path,
    tmp_path: Path,
    place: Path,
    encoders: dict[str, tuple[str, Any]],
    kind: Kind,
    factory: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model, encoder = encoders[kind.name]
    dataset, done = with_copies(tiny_beir), list[int]()
    whole = MemoryIndex(dataset, encoder, factory)
    unsharded, plain = whole.searcher, whole.effects
    shards_of(kind, encoder, monkeypatch)
    build(dataset, model, tmp_path / "index", factory, encoder=encoder)
    caplog.clear()
    with caplog.at_level(logging.INFO, "rankdistill"):
        made = MemoryIndex(dataset, encoder, factory, done.append)
        searcher = made.searcher
    assert isinstance(searcher, ShardedIndex)
    assert [len(shard.ids) for shard in searcher.shards] == [11, 11, 11, 9]
    assert searcher.ids == list(dataset.doc_ids)
    assert sum(done) == 42
    assert not [*place.iterdir()], "names of files are gone before the search"
    queries = encoder.encode_queries([*dataset.queries("train").values(), *dataset.queries("test").values()])
    found, wanted = searcher.search(queries, 30), load_index(tmp_path / "index").search(queries, 30)
    np.testing.assert_array_equal(found[0], wanted[0])
    np.testing.assert_array_equal(found[1], wanted[1])
    exact = factory == "exact"
    if exact:
        one = unsharded.search(queries, 30)
        np.testing.assert_allclose(found[1], one[1], rtol=1e-5)
    assert made.effects == plain | ({} if exact else {"shard_size": SHARD, "copies": 1})
    assert ("indexed in shards of 11" in caplog.text) == (not exact)


def with_copies(folder: Path) -> Dataset:
    """Two documents more: the first one again, at the end, and the last one beside itself."""
    corpus = folder / "corpus.jsonl"
    rows = [json.loads(row) for row in corpus.read_text().splitlines()]
    rows += [rows[-1] | {"_id": "x39"}, rows[0] | {"_id": "x00"}]
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return data.load(folder)


def test_a_search_of_many_gives_mapped_pages_back(
    tiny_beir: Path,
    place: Path,
    encoders: dict[str, tuple[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[int] = []
    monkeypatch.setattr("rankdistill.indexing.arrays.release", lambda array: given.append(array.nbytes))
    dataset = data.load(tiny_beir)
    texts = list(dataset.queries("train").values())
    for kind, arrays in ((SPARSE, 2), (MULTI_VECTOR, 1)):
        encoder = encoders[kind.name][1]
        shards_of(kind, encoder, monkeypatch)
        searcher = MemoryIndex(dataset, encoder).searcher
        assert isinstance(searcher, ShardedIndex)
        given.clear()
        searcher.search(encoder.encode_queries(texts), 3)
        assert not given, "12 queries: they are read again at once"
        searcher.search(encoder.encode_queries([*texts, *texts]), 3)
        assert len(given) == arrays * len(searcher.shards)
        assert min(given) > 0
