"""What a text that is stored takes in memory while others are gathered, planned and finished: some 20 bytes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from rankdistill import tables
from rankdistill.data import digests
from rankdistill.stores.embeddings import finishing, gathering, planning
from rankdistill.stores.embeddings.gathering import Gathered
from rankdistill.stores.embeddings.identity import text_id, vector_key
from rankdistill.stores.embeddings.layout import TEXTS, Layout, vectors_schema
from rankdistill.stores.embeddings.teacher_file import describe_teacher, keep_teacher
from tests.stores.embeddings.conftest import HashEmbedder

COUNT = 60_000

BYTES = 40
"""A text at most; bytes and strings of Python take 100."""


@contextmanager
def little() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # a block that is read at once, as Python's strings, is no matter of how many are stored
    assert peak < BYTES * COUNT + 400 * gathering.WRITTEN_AT_ONCE


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """The texts and vectors of `COUNT` short texts, of all of which the teacher read only the beginning."""
    monkeypatch.setattr(gathering, "WRITTEN_AT_ONCE", 2048)
    monkeypatch.setattr(planning, "WRITTEN_AT_ONCE", 2048)
    monkeypatch.setattr(planning.shards, "READ_AT_ONCE", 2048)
    layout, teacher = Layout(tmp_path / "store"), HashEmbedder()
    texts = [str(number) for number in range(COUNT)]
    ids = [text_id("query", text) for text in texts]
    columns = [ids, ["query"] * COUNT, ["made up"] * COUNT, texts]
    tables.write_parquet(layout.texts, pa.table([pa.array(column) for column in columns], schema=TEXTS))
    schema = vectors_schema(1, "float32")
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(COUNT, np.float32)), type=schema.field("vector").type)
    keys = pa.array([vector_key(one, teacher.teacher_id) for one in ids], pa.binary(16))
    shard = pa.table([pa.array(ids), keys, vectors, pa.array([True] * COUNT)], schema=schema)
    tables.write_parquet(layout.vectors / "part-000000-0.parquet", shard)
    keep_teacher(layout, describe_teacher(teacher, "float32"))
    return layout


@pytest.fixture
def few(store: Layout, tmp_path: Path) -> Gathered:
    """Texts of which the store has half."""
    texts = [str(number) for number in range(COUNT - 50, COUNT + 50)]
    columns = [[text_id("query", text) for text in texts], ["query"] * 100, ["few"] * 100, texts]
    path = tmp_path / "few.parquet"
    tables.write_parquet(path, pa.table([pa.array(column) for column in columns], schema=TEXTS))
    return Gathered(path, "0", frozenset(), {}, {}, "test")


def test_planning(store: Layout, few: Gathered) -> None:
    with little():
        assert planning.count_missing(store, few, HashEmbedder().teacher_id) == (100, 50)


def test_uniting_texts(store: Layout, few: Gathered) -> None:
    with little():
        assert sum(map(len, planning._united(store, few, frozenset()))) == COUNT + 50


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (finishing._has_all, True),
        (finishing._counts, {name: {"query": COUNT, "document": 0} for name in ("texts", "truncated")}),
    ],
)
def test_finishing(asked: Callable[[Layout], Any], answer: Any, store: Layout) -> None:
    with little():
        assert asked(store) == answer


def test_gathering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "FEW", 1000)
    rows = (("query", str(number % COUNT)) for number in range(COUNT + 10))
    part, found = SimpleNamespace(name="made up", rows=lambda: rows), gathering._Gathering(frozenset())
    with little():
        assert sum(1 for _ in found.texts(part, None)) == COUNT  # type: ignore[arg-type]
    assert (found.tally.kept, found.tally.repeated) == (COUNT, 10)
