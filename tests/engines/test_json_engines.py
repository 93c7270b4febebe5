"""What Elasticsearch and OpenSearch are asked: every trap set right, whatever the fake answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rankdistill.engines import open_engine
from rankdistill.engines.base import Look
from rankdistill.engines.pushing import push
from rankdistill.errors import ConfigError, RemoteError
from tests.engines.arrays import ArraySource, dense_leg
from tests.engines.fake_json import Memory, server
from tests.engines.test_battery import FIELDS

Served = tuple[str, Memory]


@pytest.fixture(params=["elasticsearch", "opensearch"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def served(name: str) -> Iterator[Served]:
    with server(name) as found:
        yield found


def pushed(name: str, served: Served, **settings: Any) -> tuple[Any, ArraySource, dict[str, Any]]:
    """The engine, the source, and the body with which the index was made."""
    source = ArraySource(fields=FIELDS)
    engine = open_engine(served[0], "docs", engine=name)
    push(engine, served[0], source, **settings)
    (body,) = next(lines for method, path, _, lines in served[1].requests if (method, path) == ("PUT", "/docs"))
    return engine, source, body


def test_an_index_quantises_nothing_and_prunes_nothing(name: str, served: Served) -> None:
    engine, _, body = pushed(name, served, graph={"m": 24, "efConstruction": 150})
    properties = body["mappings"]["properties"]
    if name == "elasticsearch":
        assert properties["dense"]["index_options"] == {"type": "hnsw", "m": 24, "ef_construction": 150}
        assert properties["dense"]["element_type"] == "float"
        assert properties["sparse"] == {"type": "sparse_vector", "index_options": {"prune": False}}
    else:
        assert properties["dense"]["method"]["parameters"] == {"m": 24, "ef_construction": 150}
        assert properties["dense"]["data_type"] == "float"
        assert not {"mode", "compression_level"} & properties["dense"].keys()
        assert properties["sparse"] == {"type": "rank_features"}
        assert body["settings"]["index"]["search.default_pipeline"] == "_none"
    types = {field: properties[field]["type"] for field in FIELDS}
    wanted = {
        "source": "keyword",
        "year": "long",
        "price": "double",
        "free": "boolean",
        "day": "date",
        "tags": "keyword",
    }
    assert types == wanted
    assert body["mappings"]["dynamic"] == "strict"
    engine.close()


def test_an_exact_index_has_no_graph(name: str, served: Served) -> None:
    engine, _, body = pushed(name, served, exact=True)
    dense = body["mappings"]["properties"]["dense"]
    if name == "elasticsearch":
        assert dense["index_options"] == {"type": "flat"}
    else:
        assert "method" not in dense
        assert body["settings"]["index"]["knn"] is False
    engine.close()


def test_searches_prune_nothing_either(name: str, served: Served) -> None:
    engine, source, _ = pushed(name, served)
    for leg in source.legs.values():
        for exact in (False, True):
            engine.search(leg, source.queries(leg)[:1], Look(7, exact=exact, ef=50))
    asked = [(query, lines[0]) for _, path, query, lines in served[1].requests if path == "/docs/_search"]
    graph, scanned, *sparse = (body for _, body in asked)
    assert {body["size"] for _, body in asked} == {7}
    assert "script_score" in scanned["query"]
    if name == "elasticsearch":
        assert (graph["knn"]["k"], graph["knn"]["num_candidates"]) == (7, 50)
        assert all(body["query"]["sparse_vector"]["prune"] is False for body in sparse)
    else:
        assert graph["query"]["knn"]["dense"]["k"] == 50
        assert all("query_tokens" in body["query"]["neural_sparse"]["sparse"] for body in sparse)
        assert all(query["search_pipeline"] == ["_none"] for query, _ in asked)
    engine.close()


def test_documents_without_terms_have_no_sparse_vector_and_long_ids_are_hashed(name: str, served: Served) -> None:
    source = ArraySource()
    source.ids = [*source.ids[:-1], "é" * 300]
    engine = open_engine(served[0], "docs", engine=name)
    push(engine, served[0], source, exact=True)
    kept = served[1].indexes["docs"]["documents"]
    assert "sparse" not in kept["d3"]
    assert all(len(one.encode()) <= 512 for one in kept)
    leg = source.legs["dense"]
    found, _ = engine.search(leg, source.queries(leg), Look(300, exact=True))
    assert set(found[0]) == set(source.ids)
    engine.close()


def test_what_the_engine_puts_off_is_sent_again_and_what_it_refuses_is_an_error(
    name: str, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    url, memory = served
    memory.refuse = [429] * 40
    engine = open_engine(url, "docs", engine=name)
    assert push(engine, url, ArraySource({"dense": dense_leg()})).documents == 300
    engine.drop()
    memory.refuse = [400]
    with pytest.raises(RemoteError, match="for a test"):
        push(engine, url, ArraySource({"dense": dense_leg()}))
    engine.close()


def test_sparse_weights_lose_digits_and_a_note_says_so(
    name: str, served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    engine, _, _ = pushed(name, served)
    assert "9 bits" in caplog.text
    engine.close()


def test_keys_are_sent_in_the_engine_s_own_form(name: str, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER_AND_PASSWORD", "me:secret")
    monkeypatch.setenv("KEY", "a-key")
    seen = served[1]
    engine = open_engine(served[0], "docs", engine=name, api_key_env="USER_AND_PASSWORD")
    assert engine.read_note() is None
    engine.close()
    assert seen.authorisations[-1] == "Basic bWU6c2VjcmV0"
    if name == "opensearch":
        with pytest.raises(ConfigError, match="USER:PASSWORD"):
            open_engine(served[0], "docs", engine=name, api_key_env="KEY")
        return
    engine = open_engine(served[0], "docs", engine=name, api_key_env="KEY")
    assert engine.read_note() is None
    engine.close()
    assert seen.authorisations[-1] == "ApiKey a-key"


def test_a_server_that_is_not_there_is_an_error_of_ours(name: str) -> None:
    engine = open_engine("http://127.0.0.1:1", "docs", engine=name)
    with pytest.raises(RemoteError, match=r"at http://127\.0\.0\.1:1 to answer"):
        engine.read_note()
    engine.close()
    with pytest.raises(ConfigError, match="HOST:9200"):
        open_engine("127.0.0.1:9200", "docs", engine=name)
