"""What a Qdrant server is asked, by the client's own stand-in for one, whose searches are its own but whose API is the
server's; and a server that is not there.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from qdrant_client import QdrantClient, models

from rankdistill.engines import open_engine
from rankdistill.engines.base import Look
from rankdistill.engines.pushing import push, read_note
from rankdistill.engines.qdrant import QdrantCollection
from rankdistill.engines.qdrant_points import point_id
from rankdistill.errors import RemoteError, SpaceMismatchError
from tests.engines.arrays import ArraySource, dense_leg
from tests.engines.test_battery import FIELDS, require_equal

URL = "http://localhost:6333"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    client = QdrantClient(":memory:")
    monkeypatch.setattr(QdrantCollection, "version", "1.16.0")  # the stand-in has none
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it has no payload indexes
        yield QdrantCollection(URL, "docs", client=client)
        client.close()


def test_both_kinds_of_vectors_and_fields_are_written_and_found(engine: Any) -> None:
    source = ArraySource(fields=FIELDS)
    assert push(engine, URL, source, exact=True, batch=128).documents == 300
    assert push(engine, URL, source, exact=True).sent == 0
    for leg in source.legs.values():
        require_equal(engine.search(leg, source.queries(leg), Look(10, exact=True)), source.oracle(leg, 10))
    (kept,) = engine._client.retrieve("docs", [point_id("d6")])
    assert kept.payload == {"doc_id": "d6", "position": 6, "text": "text 6", **source.values(6)}
    with pytest.raises(SpaceMismatchError):
        push(engine, URL, ArraySource({**source.legs, "dense": dense_leg(tower="another")}))
    assert read_note(engine, URL).documents == 300


def test_nothing_is_quantised_and_every_field_is_indexed(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    indexed: dict[str, str] = {}
    create = engine._client.create_collection
    monkeypatch.setattr(engine._client, "create_collection", lambda name, **kw: (asked.update(kw), create(name, **kw)))
    monkeypatch.setattr(
        engine._client, "create_payload_index", lambda name, field, kind, **kw: indexed.update({field: kind})
    )
    push(engine, URL, ArraySource(fields=FIELDS), graph={"m": 24})
    dense, sparse = asked["vectors_config"]["dense"], asked["sparse_vectors_config"]["sparse"]
    assert (dense.quantization_config, dense.datatype, sparse.index.datatype) == (None, "float32", "float32")
    assert dense.hnsw_config.m == 24
    assert "quantization_config" not in asked
    kinds = {"source": "keyword", "year": "integer", "price": "float", "free": "bool", "day": "datetime"}
    assert indexed == kinds | {"tags": "keyword", "position": "integer"}
    assert {models.PayloadSchemaType(kind) for kind in indexed.values()}


def test_a_server_that_keeps_no_metadata_is_refused_and_nothing_stays_there(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = engine._client.create_collection
    monkeypatch.setattr(
        engine._client, "create_collection", lambda name, metadata, **settings: create(name, **settings)
    )
    with pytest.raises(RemoteError, match=r"1\.16"):
        push(engine, URL, ArraySource())
    assert engine.read_note() is None


def test_a_server_that_is_not_there_is_an_error_of_ours() -> None:
    engine = open_engine("http://127.0.0.1:1", "docs", engine="qdrant")
    with pytest.raises(RemoteError, match=r"Qdrant at http://127\.0\.0\.1:1 to answer"):
        engine.read_note()
    engine.close()
