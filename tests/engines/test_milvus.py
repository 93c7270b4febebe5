"""What is Milvus's own: one index a collection, vectors without terms."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rankdistill.engines import open_engine
from rankdistill.engines.base import Look
from rankdistill.engines.pushing import push
from rankdistill.errors import ConfigError, RemoteError
from tests.engines.arrays import ArraySource
from tests.engines.test_battery import FIELDS, require_equal
from tests.forked import Forked


def test_a_collection_of_both_kinds(url_of: Callable[[str], str]) -> None:
    """In a process of its own: gRPC's threads are not left behind in that of the tests."""
    program = "import sys; from tests.engines.test_milvus import both_kinds; both_kinds(sys.argv[1])"
    with Forked(program, url_of("milvus")) as process:
        assert process.ended() == 0, process.errors


def both_kinds(url: str) -> None:
    """Row 3 of the documents has no terms, nor has query 3; values that are missing are null."""
    source = ArraySource(fields=FIELDS)
    engine = open_engine(url, "both", engine="milvus")
    push(engine, url, source, exact=True, batch=150)
    for leg in source.legs.values():
        require_equal(engine.search(leg, source.queries(leg), Look(10, exact=True)), source.oracle(leg, 10))
    kept = engine._client.query("both", filter="year < 1993", output_fields=["doc_id", *FIELDS], limit=300)
    wanted = [row for row in range(300) if row % 5 != 4 and row % 30 < 3]
    assert {row["doc_id"] for row in kept} == {f"d{row}" for row in wanted}
    one = next(row for row in kept if row["doc_id"] == "d30")
    assert {name: list(value) if name == "tags" else value for name, value in one.items() if name in FIELDS} == {
        **source.values(30),
        "day": 1_577_836_800_000_000 + 2 * 86_400_000_000,
    }
    engine.drop()
    push(engine, url, source)
    leg = source.legs["dense"]
    with pytest.raises(ConfigError, match="without a graph"):
        engine.search(leg, source.queries(leg), Look(10, exact=True))
    engine.drop()
    engine.close()


def test_other_addresses_are_refused() -> None:
    with pytest.raises(ConfigError, match="19530"):
        open_engine("milvus", "c", engine="milvus")


@pytest.mark.slow
def test_a_server_that_is_not_there_is_an_error_of_ours() -> None:
    with pytest.raises(RemoteError, match="Milvus"):
        open_engine("http://127.0.0.1:1", "c", engine="milvus").read_note()
