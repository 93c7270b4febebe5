"""Teachers behind HTTP and stored tables on the command line: no traceback, nothing lost, nothing spent unasked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rankdistill import data as datasets
from rankdistill.mining import candidates as mined_candidates
from rankdistill.stores.reader import ScoreStore
from tests.cli.verb import Run
from tests.teachers.http_server import FakeServer, Reply, relevance, rerank_rows, serving


def rerank(path: str, body: Any) -> Reply:
    rows = rerank_rows(body["query"], body["documents"], "relevance_score")
    return Reply({"results": rows, "usage": {"total_tokens": 50}})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(rerank) as fake:
        yield fake


@pytest.fixture
def teacher(server: FakeServer, tmp_path: Path) -> Callable[..., Path]:
    """Writes the YAML file of an HTTP teacher at the server, with other settings where given."""

    def write(**more: Any) -> Path:
        settings = {
            "kind": "http",
            "api": "jina",
            "url": f"{server.url}/v1/rerank",
            "model": "m",
            "score_kind": "logit",
            "retries": 1,
            "first_wait": 0.01,
            **more,
        }
        path = tmp_path / "teacher.yaml"
        path.write_text(yaml.safe_dump(settings))
        return path

    return write


def test_a_server_fills_a_store_and_what_was_spent_is_told(
    rankdistill: Run, tiny_beir: Path, mined: Path, teacher: Callable[..., Path], tmp_path: Path
) -> None:
    words = ["--data", tiny_beir, "--teacher", teacher(prices={"per_1k_tokens": 20}), "--candidates", mined]
    status, text = rankdistill("score", *words, "--out", tmp_path / "store")
    assert status == 0, text
    assert "12 requests, 600 tokens, cost 12.0000" in text
    store, dataset = ScoreStore(tmp_path / "store"), datasets.load(tiny_beir)
    for query, document, score in store.scores().iter_rows():
        assert score == pytest.approx(relevance(dataset.query_texts[query], dataset.contents[document]), abs=1e-5)
    assert rankdistill("score", *words, "--out", tmp_path / "store")[1].count("0 requests") == 1


def test_plan_reckons_and_sends_nothing(
    rankdistill: Run, tiny_beir: Path, mined: Path, teacher: Callable[..., Path], server: FakeServer, tmp_path: Path
) -> None:
    prices = {"per_request": 0.25, "per_1k_tokens": 1}
    path = teacher(prices=prices, requests_per_minute=6, max_batch=1000)
    words = ["plan", "--data", tiny_beir, "--teacher", path, "--candidates", mined, "--out", tmp_path / "store"]
    status, text = rankdistill(*words)
    assert status == 0, text
    assert "requests about 12, of up to 1,000 documents" in text
    assert "at least 2.0 minutes at 6 requests a minute" in text
    assert "nothing was sent" in text
    teacher()
    assert "give no `prices`" in rankdistill(*words)[1]
    assert not server.asked
    assert not (tmp_path / "store").exists()


MISHAPS = {
    "unreachable": ({"url": "http://127.0.0.1:9/v1/rerank"}, None, "2 failed attempts"),
    "rate limit": ({}, Reply("slow down", 429), "HTTP 429: slow down"),
    "long wait": ({}, Reply("slow down", 429, {"Retry-After": "7200"}), "7,200 s"),
    "broken": ({}, Reply("oops", 500), "HTTP 500: oops"),
    "dropped": ({}, Reply(drop=True), "2 failed attempts"),
    "wrong key": ({}, Reply("who are you", 401), "api_key_variable"),
    "no JSON": ({}, Reply("<html>"), "expected: JSON"),
    "other shape": ({}, Reply({"data": []}), "`results`|no list"),
    "wrong index": ({}, Reply({"results": [{"index": 99, "relevance_score": 1.0}]}), "index 99"),
    "NaN": ({}, Reply({"results": [{"index": 0, "relevance_score": float("nan")}]}), "none for index|NaN"),
    "no variable": ({"api_key_variable": "NO_SUCH_VARIABLE"}, None, "NO_SUCH_VARIABLE"),
    "unknown setting": ({"api_key": "x"}, None, "api_key"),
}


@pytest.mark.parametrize("mishap", MISHAPS)
def test_a_bad_server_gives_a_clear_message_and_no_store(
    mishap: str,
    rankdistill: Run,
    tiny_beir: Path,
    mined: Path,
    teacher: Callable[..., Path],
    server: FakeServer,
    tmp_path: Path,
) -> None:
    settings, reply, said = MISHAPS[mishap]
    if reply is not None:
        server.answer = lambda path, body: reply
    words = ["--data", tiny_beir, "--teacher", teacher(**settings), "--candidates", mined, "--out", tmp_path / "store"]
    status, text = rankdistill("score", *words)
    assert status == 1
    assert "Error" in text
    assert any(part in text for part in said.split("|")), text
    assert "Traceback" not in text
    assert not (tmp_path / "store" / "manifest.json").exists()


def test_a_slow_server_names_the_setting(
    rankdistill: Run, tiny_beir: Path, mined: Path, teacher: Callable[..., Path], server: FakeServer, tmp_path: Path
) -> None:
    may_end = threading.Event()
    server.answer = lambda path, body: Reply(after=may_end)
    path = teacher(timeout=0.05, retries=0)
    try:
        status, text = rankdistill(
            "score", "--data", tiny_beir, "--teacher", path, "--candidates", mined, "--out", tmp_path / "store"
        )
    finally:
        may_end.set()
    assert status == 1
    assert "no answer within 0.05 s" in text
    assert "`timeout` (now 0.05 s)" in text


def test_shards_that_were_paid_for_survive_a_server_that_stops(
    rankdistill: Run, tiny_beir: Path, mined: Path, teacher: Callable[..., Path], server: FakeServer, tmp_path: Path
) -> None:
    words = ["--data", tiny_beir, "--candidates", mined, "--unit-size", 20, "--teacher", teacher(concurrency=1)]
    assert rankdistill("score", *words, "--out", tmp_path / "whole")[0] == 0
    asked = len(server.posts)

    def until_it_stops(path: str, body: Any) -> Reply:
        return rerank(path, body) if len(server.posts) < asked + 8 else Reply("down", 502)

    server.answer = until_it_stops
    status, text = rankdistill("score", *words, "--out", tmp_path / "store")
    assert status == 1
    assert "HTTP 502" in text
    assert "requests" in text
    assert list((tmp_path / "store").rglob("part-*"))
    server.answer, before = rerank, len(server.posts)
    assert rankdistill("score", *words, "--out", tmp_path / "store")[0] == 0
    assert len(server.posts) - before < asked
    whole, resumed = (ScoreStore(tmp_path / name) for name in ("whole", "store"))
    assert whole.scores().equals(resumed.scores())


@pytest.fixture
def table(tiny_beir: Path, mined: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes a run with a score for each candidate, and the YAML file of a table teacher over it."""

    def write(*rows: str, skip: int = 0, **more: Any) -> Path:
        pairs = mined_candidates.read(mined)
        ids = zip(pairs["query_id"].to_pylist(), pairs["doc_id"].to_pylist(), strict=True)
        run = tmp_path / "run.trec"
        lines = [f"{query} Q0 {document} 1 {len(query + document)}.5 t" for query, document in sorted(set(ids))]
        run.write_text("\n".join([*lines[skip:], *rows]) + "\n")
        settings = {"kind": "table", "path": str(run), "data": str(tiny_beir), "name": "bm25", "score_kind": "dot"}
        path = tmp_path / "table.yaml"
        path.write_text(yaml.safe_dump(settings | more))
        return path

    return write


def test_a_run_fills_a_store_under_its_name(
    rankdistill: Run, tiny_beir: Path, mined: Path, table: Callable[..., Path], tmp_path: Path
) -> None:
    words = ["--data", tiny_beir, "--teacher", table(), "--candidates", mined, "--out", tmp_path / "store"]
    status, text = rankdistill("score", *words)
    assert status == 0, text
    store = ScoreStore(tmp_path / "store")
    assert set(store.scores("bm25")["score"]) == {6.5}
    assert json.loads(json.dumps(store.fingerprint("bm25")))["score_kind"] == "dot"


@pytest.mark.parametrize(
    ("rows", "more", "said"),
    [
        (["q00 Q0 no-such 1 1.0 t"], {}, "as no-such"),
        (["q00 Q0 d00 1 nan t"], {}, "'nan' is not finite"),
        (["q00 Q0 d00"], {}, "3 columns"),
        ([], {"skip": 3}, "lacks 3 of them"),
        ([], {"path": "no-such-run.trec"}, "no-such-run.trec"),
        ([], {"data": "no-such-data"}, "no-such-data"),
        ([], {"score_kind": "votes"}, "score_kind"),
    ],
)
def test_a_bad_table_gives_a_clear_message_and_no_store(
    rows: list[str],
    more: dict[str, Any],
    said: str,
    rankdistill: Run,
    tiny_beir: Path,
    mined: Path,
    table: Callable[..., Path],
    tmp_path: Path,
) -> None:
    words = ["--data", tiny_beir, "--teacher", table(*rows, **more), "--candidates", mined, "--out", tmp_path / "store"]
    status, text = rankdistill("score", *words)
    assert status == 1
    assert said in text
    assert "Traceback" not in text
    assert not (tmp_path / "store" / "manifest.json").exists()
