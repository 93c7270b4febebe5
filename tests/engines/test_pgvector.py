"""What is PostgreSQL's own: types of columns, plans, limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from rankdistill.engines.base import Batch, Leg, Look, Shape
from rankdistill.engines.pgvector import open_engine
from rankdistill.engines.pushing import push
from rankdistill.errors import ConfigError, RemoteError
from rankdistill.space import Space, SparseSpace
from tests.engines.arrays import ArraySource
from tests.engines.test_battery import FIELDS


@pytest.fixture
def engine_url(url_of: Callable[[str], str]) -> str:
    return url_of("pgvector")


@pytest.fixture
def table(engine_url: str) -> Iterator[Any]:
    """A table whose name must be quoted."""
    engine = open_engine(engine_url, 'a "table" of Mine', None)
    yield engine
    if engine.read_note() is not None:
        engine.drop()
    engine.close()


def test_columns_have_the_types_of_their_fields(table: Any, engine_url: str) -> None:
    source = ArraySource(fields=FIELDS)
    push(table, engine_url, source)
    names = ["doc_id", "position", *FIELDS]
    rows = table._connection.execute(f'SELECT {", ".join(names)} FROM "a ""table"" of Mine" ORDER BY position')
    kept = [dict(zip(names, row, strict=True)) for row in rows]
    assert [row["doc_id"] for row in kept] == source.ids
    assert {name: kept[4][name] for name in FIELDS} == dict.fromkeys(FIELDS)
    assert kept[6] == source.values(6) | {"day": datetime(2020, 1, 7, tzinfo=UTC), "doc_id": "d6", "position": 6}


def test_an_exact_search_reads_every_row_although_there_is_a_graph(table: Any, engine_url: str) -> None:
    source = ArraySource()
    push(table, engine_url, source)
    table._connection.execute("SET enable_seqscan = off")
    query = f"'[{','.join(['1'] * 16)}]'"
    plans = {}
    for exact in (False, True):
        order = f"(dense <=> {query}) + 0, position" if exact else f"dense <=> {query}"
        lines = table._connection.execute(f"EXPLAIN SELECT 1 FROM {table._quoted} ORDER BY {order} LIMIT 5").fetchall()
        plans[exact] = "\n".join(line for (line,) in lines)
    assert "hnsw" in plans[False]
    assert "hnsw" not in plans[True]
    leg = source.legs["dense"]
    found, wanted = table.search(leg, source.queries(leg), Look(20, exact=True)), source.oracle(leg, 20)
    assert found[0].tolist() == wanted[0].tolist()


def test_a_search_of_the_graph_under_a_filter_finds_as_many_as_there_are(table: Any, engine_url: str) -> None:
    """With the setting that the note tells of; without it, one that keeps three in a hundred comes short."""
    source = ArraySource(count=2000, fields={"year": "integer"})
    push(table, engine_url, source)
    table._connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off")
    query = f"'[{','.join(['1'] * 16)}]'"
    statement = f"SELECT 1 FROM {table._quoted} WHERE year = 1991 ORDER BY dense <=> {query} LIMIT 20"
    found = {}
    for scan in ("off", "strict_order"):
        table._connection.execute(f"SET hnsw.iterative_scan = {scan}")
        found[scan] = len(table._connection.execute(statement).fetchall())
    assert found["off"] < 20
    assert found["strict_order"] == 20


def test_what_the_graph_or_a_column_does_not_take_is_refused(table: Any) -> None:
    long = Leg("dense", Space(2001, True, "cosine"))
    with pytest.raises(ConfigError, match="2,000 dimensions"):
        table.create(Shape({"dense": long}), "{}")
    assert table.read_note() is None
    table.create(Shape({"dense": long}, exact=True), "{}")
    table.drop()
    wide = Leg("sparse", SparseSpace(20_000, "w", "dot"))
    table.create(Shape({"sparse": wide}), "{}")
    heavy = csr_array(np.ones((1, 20_000), np.float32))
    with pytest.raises(ConfigError, match="20,000"):
        table.write(Batch(0, ["a"], sparse=heavy))
    assert table.count() == 0


def test_a_server_that_is_not_there_is_an_error_of_ours() -> None:
    with pytest.raises(RemoteError, match=r"PostgreSQL at postgresql://127\.0\.0\.1:1/none"):
        open_engine("postgresql://me:secret@127.0.0.1:1/none", "t", None)
    for url, name in (("http://127.0.0.1", "t"), ("postgresql://127.0.0.1/none", "t" * 64)):
        with pytest.raises(ConfigError):
            open_engine(url, name, None)
