"""Services that repeat the key, never end their answers, or refuse one document: what is kept, and what is said."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from rankdistill.errors import ConfigError, TeacherError
from rankdistill.teachers.http import client
from rankdistill.teachers.http.settings import Settings
from rankdistill.teachers.http.teacher import HttpTeacher
from tests.teachers.http_server import FakeServer, FakeTime, Reply, rerank_rows, serving

KEY = "sk-very/secret+key"
PAIRS = [("old bread", f"document {number}") for number in range(6)]


def answer(path: str, body: Any) -> Reply:
    if any("unanswerable" in document for document in body["documents"]):
        return Reply("no such text", 422)
    return Reply({"results": rerank_rows(body["query"], body["documents"], "relevance_score")})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("KEY", KEY)
    with serving(answer) as fake:
        yield fake


def teacher(url: str, **more: Any) -> HttpTeacher:
    fields = {"api": "jina", "url": f"{url}/v1/rerank", "model": "m", "score_kind": "logit", "concurrency": 1}
    return HttpTeacher(Settings.model_validate(fields | more), FakeTime().clock())


def gather(asked: HttpTeacher, pairs: list[tuple[str, str]], found: dict[int, float]) -> None:
    """Row -> score of each answer into `found`, as far as they come."""
    for rows, scores in asked.answers(pairs):
        found |= dict(zip(rows, scores.tolist(), strict=True))


@pytest.mark.parametrize("said", [KEY, KEY.replace("/", "%2F").replace("+", "%2B"), "x " * 595 + KEY, json.dumps(KEY)])
@pytest.mark.parametrize("status", [200, 401, 400, 500])
def test_a_server_that_repeats_the_key_does_not_get_it_into_a_message(
    server: FakeServer, said: str, status: int
) -> None:
    server.first = [Reply(f'{{"error": {json.dumps(said)}}}', status)] * 9
    with pytest.raises(TeacherError) as caught:
        teacher(server.url, api_key_variable="KEY").score(PAIRS)
    assert server.posts[0].headers["Authorization"] == f"Bearer {KEY}"
    for part in (KEY, "very", "secret"):
        assert part not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-secret\nX-Other: 1", "sk secret", "sk-secret\x7f", "sk-sécret"])
def test_what_is_no_key_is_refused_without_being_shown(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("KEY", key)
    with pytest.raises(ConfigError, match="KEY") as caught:
        teacher(server.url, api_key_variable="KEY")
    assert "cret" not in str(caught.value)


def test_a_line_end_behind_a_key_is_none_of_it(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", f"{KEY}\n")
    teacher(server.url, api_key_variable="KEY").score(PAIRS)
    assert server.posts[0].headers["Authorization"] == f"Bearer {KEY}"


class Dripping(BaseHTTPRequestHandler):
    """Sends a byte, or a block, again and again."""

    block, pause = b" ", 0.02

    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(self.block)
                self.server.sent += len(self.block)  # type: ignore[attr-defined]
                time.sleep(self.pause)
        except OSError:
            pass

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Flooding(Dripping):
    block, pause = b" " * 2**16, 0.0


@pytest.fixture
def endless(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = ThreadingHTTPServer(("127.0.0.1", 0), request.param)
    made.daemon_threads, made.sent = True, 0  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.mark.parametrize("endless", [Dripping], indirect=True)
def test_an_answer_that_never_ends_is_given_up(endless: ThreadingHTTPServer) -> None:
    started = time.monotonic()
    with pytest.raises(TeacherError, match=r"2 failed attempts, the last: no answer within 0\.3 s"):
        teacher(f"http://127.0.0.1:{endless.server_port}", timeout=0.3, retries=1).score(PAIRS)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("endless", [Flooding], indirect=True)
def test_no_more_of_an_answer_is_read_than_any_has(
    endless: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LARGEST_ANSWER", 2**20)
    with pytest.raises(TeacherError, match="at most 1 MiB"):
        teacher(f"http://127.0.0.1:{endless.server_port}").score(PAIRS)
    assert endless.sent < 2**24  # type: ignore[attr-defined]


def test_one_pair_that_is_refused_does_not_keep_the_others_from_their_answers(server: FakeServer) -> None:
    pairs = [*PAIRS[:4], ("old bread", "unanswerable"), *PAIRS[4:]]
    found: dict[int, float] = {}
    with pytest.raises(TeacherError, match=r"1 of 7 pairs, as query 'old bread' with 'unanswerable'") as caught:
        gather(teacher(server.url, max_batch=3), pairs, found)
    assert sorted(found) == [0, 1, 2, 3, 5, 6]
    assert "422" in str(caught.value)
    wanted = teacher(server.url).score(PAIRS)
    assert [found[row] for row in (0, 1, 2, 3, 5, 6)] == pytest.approx(wanted.tolist())


def test_a_server_that_refuses_from_the_start_is_asked_once(server: FakeServer) -> None:
    with pytest.raises(TeacherError, match="422"):
        teacher(server.url, max_batch=1).score([("q", f"unanswerable {number}") for number in range(50)])
    assert len(server.posts) == 1


def test_one_that_refuses_nearly_all_is_left_alone_soon(server: FakeServer) -> None:
    pairs = [("q", "fine"), *(("q", f"unanswerable {number}") for number in range(100))]
    with pytest.raises(TeacherError, match="422"):
        teacher(server.url, max_batch=1).score(pairs)
    assert len(server.posts) < 30


def test_answers_under_way_when_another_fails_are_not_lost(server: FakeServer) -> None:
    gate = threading.Event()
    slow = Reply({"results": rerank_rows("old bread", ["document 0"], "relevance_score")}, after=gate)
    server.first = [slow, Reply("forbidden", 403)]
    got: dict[int, float] = {}
    threading.Timer(0.2, gate.set).start()
    with pytest.raises(TeacherError, match="403"):
        gather(teacher(server.url, max_batch=1, concurrency=2), PAIRS, got)
    assert len(got) == len(server.posts) - 1 > 0
