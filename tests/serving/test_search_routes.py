"""`/search` and `/search/batch`, over an index of words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rankdistill
from rankdistill.serving.app import create_app
from rankdistill.serving.contracts import Limits
from rankdistill.serving.retrieval import open_search
from rankdistill.serving.security import Keys
from tests.serving.fakes import FakeHolder, FakeModel, ask

YEARS = (1999, 2004, 2010)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty documents about three things, each with its year and its owner."""
    root = tmp_path_factory.mktemp("words")
    (root / "data").mkdir()
    rows = [
        {
            "_id": f"d{n:02d}",
            "text": f"the {('river', 'planet', 'bread')[n % 3]} number {n} " + "deep " * (n % 5),
            "year": YEARS[n % 3] + n // 20,
            "owner": ("ann", "bob")[n % 2],
        }
        for n in range(40)
    ]
    (root / "data" / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rankdistill.index(root / "data", None, root / "index", factory="bm25", fields=["year", "owner"])
    return root / "index"


@pytest.fixture
def app(index: Path) -> Any:
    """A server with that index."""
    return create_app(FakeHolder(FakeModel(), search=open_search({"words": index}, {}, limits=Limits())))


def test_it_answers_with_hits_and_what_they_are(app: Any, index: Path) -> None:
    reply = ask(app, "/search", {"query": "deep river", "k": 3})
    assert reply.status == 200
    expected = rankdistill.search(index, "deep river", 3)[0]
    assert [(hit["id"], hit["score"]) for hit in reply.json["hits"]] == [(hit.doc_id, hit.score) for hit in expected]
    first = reply.json["hits"][0]
    assert first["fields"].keys() == {"text", "year", "owner"}
    assert first["fields"]["text"].startswith("the river")
    assert (reply.json["mode"], reply.json["reranked"], reply.json["truncated"]) == ("bm25", False, False)
    assert reply.json["took_ms"] > 0
    assert reply.json["space"] == rankdistill.open(index).space.fingerprint == reply.headers["x-rankdistill-space"]


def test_a_filter_holds_before_the_cut(app: Any) -> None:
    wanted = {"must": [{"field": "year", "gte": 2004, "lt": 2010}], "must_not": [{"field": "owner", "equals": "bob"}]}
    reply = ask(app, "/search", {"query": "number deep", "k": 5, "filter": wanted})
    assert len(reply.json["hits"]) == 5
    assert {hit["fields"]["owner"] for hit in reply.json["hits"]} == {"ann"}
    assert all(2004 <= hit["fields"]["year"] < 2010 for hit in reply.json["hits"])


def test_a_batch_is_answered_in_its_order(app: Any) -> None:
    owners = ["ann", "bob"] * 5
    searches = [
        {"query": f"number {n}", "k": 2, "filter": {"must": [{"field": "owner", "equals": owner}]}}
        for n, owner in enumerate(owners)
    ]
    together = ask(app, "/search/batch", searches)
    assert together.status == 200
    for search, owner, answer in zip(searches, owners, together.json, strict=True):
        assert answer["hits"] == ask(app, "/search", search).json["hits"]
        assert {hit["fields"]["owner"] for hit in answer["hits"]} == {owner}


REFUSED = {
    "an unknown field": (400, {"query": "a", "filter": {"must": [{"field": "size", "equals": 1}]}}, "year"),
    "a value of another type": (400, {"query": "a", "filter": {"must": [{"field": "year", "equals": True}]}}, "year"),
    "a filter that is none": (400, {"query": "a", "filter": {"musst": []}}, "must"),
    "a filter that is a list": (400, {"query": "a", "filter": []}, "filter"),
    "k as a text": (400, {"query": "a", "k": "5"}, "whole number"),
    "k as a truth": (400, {"query": "a", "k": True}, "whole number"),
    "k as a fraction": (400, {"query": "a", "k": 2.5}, "whole number"),
    "no documents": (400, {"query": "a", "k": 0}, "at least 1"),
    "too many documents": (413, {"query": "a", "k": 1001}, "1000"),
    "a blank query": (400, {"query": " "}, "visible"),
    "a query of no width": (400, {"query": "\u200b"}, "visible"),
    "token ids": (400, {"query": [101, 2054]}, "query"),
    "an unknown mode": (400, {"query": "a", "mode": "exact"}, "bm25"),
    "a mode that is not served": (400, {"query": "a", "mode": "dense"}, "bm25"),
    "an unknown index": (404, {"query": "a", "index": "other"}, "words"),
    "another space": (409, {"query": "a", "space": "0" * 64}, "space"),
    "an unknown key": (400, {"query": "a", "top_k": 3}, "top_k"),
    "nothing": (400, {}, "one of query"),
    "two queries": (400, {"query": "a", "vector": [1]}, "query and vector"),
    "a vector": (400, {"vector": [1, 2]}, "compares words"),
    "turns": (400, {"turns": ["a", "b", "c"]}, "words"),
    "re-ranking": (400, {"query": "a", "rerank": True}, "--reranker"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses(name: str, app: Any) -> None:
    status, body, told = REFUSED[name]
    alone, together = ask(app, "/search", body), ask(app, "/search/batch", [{"query": "a"}, body])
    assert (alone.status, together.status) == (status, status)
    assert alone.json.keys() == {"error", "error_type"}
    assert told in alone.json["error"]


def test_whole_numbers_may_come_as_json_has_them(app: Any) -> None:
    assert len(ask(app, "/search", {"query": "river", "k": 5.0}).json["hits"]) == 5


def test_a_batch_is_a_list_within_the_limit(app: Any) -> None:
    assert ask(app, "/search/batch", {"query": "a"}).status == 400
    assert ask(app, "/search/batch", []).status == 400
    assert ask(app, "/search/batch", ["a"]).status == 400
    assert ask(app, "/search/batch", [{"query": "a"}] * 257).status == 413


def test_a_server_without_an_index_says_so() -> None:
    reply = ask(create_app(FakeHolder(FakeModel())), "/search", {"query": "a"})
    assert reply.status == 404
    assert "--index" in reply.json["error"]


def test_a_key_sees_its_own_documents_alone(index: Path, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text('anns {"must": [{"field": "owner", "equals": "ann"}]}\nall\n')
    holder = FakeHolder(FakeModel(), search=open_search({"words": index}, {}))
    app = create_app(holder, keys=Keys.read(tmp_path / "keys"))
    bobs = {"should": [{"field": "owner", "equals": "bob"}, {"field": "year", "gte": 2010}]}

    def owners(key: str, **body: Any) -> list[str]:
        reply = ask(app, "/search", {"query": "number", "k": 40, **body}, headers={"authorization": f"Bearer {key}"})
        assert reply.status == 200
        return [hit["fields"]["owner"] for hit in reply.json["hits"]]

    assert (len(owners("anns")), set(owners("anns"))) == (20, {"ann"})
    assert set(owners("all")) == {"ann", "bob"}
    assert set(owners("anns", filter=bobs)) == {"ann"}
    assert owners("anns", filter={"must": [{"field": "owner", "equals": "bob"}]}) == []
    assert ask(app, "/search", {"query": "number"}).status == 401


def test_what_is_served_is_told(app: Any) -> None:
    told = ask(app, "/info").json
    assert told["modes"] == ["bm25"]
    words = told["indexes"]["words"]
    assert (words["documents"], words["fields"]) == (40, {"year": "integer", "owner": "string"})
    assert (told["fusion"], told["rerank_depth"]) == (None, None)


def test_the_page_comes_without_a_key_and_from_here_alone(index: Path, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("all\n")
    app = create_app(FakeHolder(FakeModel()), keys=Keys.read(tmp_path / "keys"))
    for path, kind in (("/", "text/html"), ("/page/search.css", "text/css"), ("/page/search.js", "text/javascript")):
        reply = ask(app, path)
        assert (reply.status, reply.headers["content-type"]) == (200, f"{kind}; charset=utf-8")
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        assert b"http://" not in reply.body
        assert b"https://" not in reply.body
    without = create_app(FakeHolder(FakeModel()), page=False)
    assert ask(without, "/").status == 404
