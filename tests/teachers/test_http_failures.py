"""HTTP teachers and servers that fail: what may pass is tried again, the rest ends at once and says what to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest

from rankdistill.errors import TeacherError
from rankdistill.teachers.http.pacing import Clock, Pacer, asked_wait, backoff
from rankdistill.teachers.http.settings import Settings
from rankdistill.teachers.http.teacher import HttpTeacher
from tests.teachers.http_server import FakeServer, FakeTime, Reply, rerank_rows, serving

PAIRS = [("old bread", f"document {number}") for number in range(4)]


def answer(path: str, body: Any) -> Reply:
    rows = rerank_rows(body["query"], body["documents"], "relevance_score")
    return Reply({"results": rows, "usage": {"total_tokens": 10}})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(answer) as fake:
        yield fake


def teacher(server: FakeServer, time: FakeTime, **more: Any) -> HttpTeacher:
    fields = {"api": "jina", "url": f"{server.url}/v1/rerank", "model": "m", "score_kind": "logit", **more}
    return HttpTeacher(Settings.model_validate(fields), time.clock())


@pytest.mark.parametrize(
    "failures",
    [
        [Reply("overloaded", 503), Reply("overloaded", 500)],
        [Reply("slow down", 429), Reply("too late", 408)],
        [Reply(drop=True), Reply(drop=True)],
    ],
)
def test_a_server_that_fails_twice_is_asked_a_third_time(server: FakeServer, failures: list[Reply]) -> None:
    server.first = failures
    passing = FakeTime()
    loaded = teacher(server, passing, first_wait=2.0)
    assert len(loaded.score(PAIRS)) == 4
    assert (loaded.usage.requests, loaded.usage.retries) == (1, 2)
    first, second = passing.waits
    assert 1.0 <= first <= 2.0 <= second <= 4.0


@pytest.mark.parametrize("date", [False, True])
def test_retry_after_is_honoured(server: FakeServer, date: bool) -> None:
    passing = FakeTime()
    asked = formatdate(passing.seconds + 17, usegmt=True) if date else "17"
    server.first = [Reply("slow down", 429, {"Retry-After": asked})]
    teacher(server, passing).score(PAIRS)
    assert passing.waits == [17.0]


def test_retry_after_holds_every_thread(server: FakeServer) -> None:
    server.first = [Reply("slow down", 429, {"Retry-After": "30"})]
    passing = FakeTime()
    teacher(server, passing, max_batch=1, concurrency=1).score(PAIRS)
    assert passing.waits == [30.0]


def test_a_wait_that_is_too_long_stops_the_run(server: FakeServer) -> None:
    server.first = [Reply("quota used up", 429, {"Retry-After": "86400"})]
    passing = FakeTime()
    with pytest.raises(TeacherError, match=r"86,400 s: HTTP 429: quota used up[\s\S]*longest_wait"):
        teacher(server, passing).score(PAIRS)
    assert passing.waits == []


def test_the_error_says_how_often_it_was_tried(server: FakeServer) -> None:
    server.first = [Reply({"error": "out of memory"}, 500)] * 9
    with pytest.raises(TeacherError, match=r"4 failed attempts, the last: HTTP 500.*out of memory"):
        teacher(server, FakeTime(), retries=3).score(PAIRS)
    assert len(server.posts) == 4


def test_a_server_that_is_not_there(server: FakeServer) -> None:
    loaded = teacher(server, FakeTime(), url="http://127.0.0.1:9/v1/rerank", retries=1)
    with pytest.raises(TeacherError, match=r"127.0.0.1:9/v1/rerank\n.*2 failed attempts.*[Rr]efused"):
        loaded.score(PAIRS)


def test_a_slow_server_names_the_timeout_setting(server: FakeServer) -> None:
    may_end = threading.Event()
    server.first = [Reply("late", after=may_end)]
    try:
        with pytest.raises(TeacherError, match=r"no answer within 0.05 s[\s\S]*`timeout` \(now 0.05 s\)"):
            teacher(server, FakeTime(), timeout=0.05, retries=0).score(PAIRS)
    finally:
        may_end.set()


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (401, "api_key_variable"),
        (403, "api_key_variable"),
        (404, "`url`"),
        (413, "`max_batch`"),
        (422, "`max_batch`"),
        (424, "reranker"),
        (302, "`url`"),
    ],
)
def test_a_refusal_ends_at_once_with_the_servers_words(server: FakeServer, status: int, remedy: str) -> None:
    server.first = [Reply({"error": "batch size 33 > maximum allowed batch size 32"}, status)]
    with pytest.raises(TeacherError) as caught:
        teacher(server, FakeTime()).score(PAIRS)
    assert f"HTTP {status}" in caught.value.got
    assert "maximum allowed batch size 32" in caught.value.got
    assert remedy in caught.value.remedy
    assert len(server.posts) == 1


@pytest.mark.parametrize("refused", [Reply("too long", 422), Reply({"results": []})])
def test_a_first_request_that_is_refused_costs_no_answer_under_way(server: FakeServer, refused: Reply) -> None:
    """The first one's refusal came sooner than answers: these were paid for, and thrown away, in each run."""
    pairs = [("q", f"document {number}") for number in range(20)]
    hurry = threading.Event()

    def late(path: str, body: Any) -> Reply:
        if "document 0" in body["documents"]:
            hurry.set()
            return refused
        hurry.wait(9)
        return answer(path, body)

    server.answer = late
    kept: list[int] = []
    loaded = teacher(server, FakeTime(), max_batch=2, concurrency=3)
    with pytest.raises(TeacherError, match="1 of 20 pairs, as query 'q' with 'document 0'"):
        any(kept.extend(rows) for rows, _ in loaded.answers(pairs))
    assert sorted(kept) == list(range(1, 20))


def test_a_server_that_refuses_whatever_is_asked_is_asked_no_more_than_at_once(server: FakeServer) -> None:
    server.answer = lambda path, body: Reply("no", 422)
    with pytest.raises(TeacherError, match="HTTP 422"):
        teacher(server, FakeTime(), max_batch=1, concurrency=3).score([("q", str(number)) for number in range(50)])
    assert 3 <= len(server.posts) <= 5


def row(index: Any, score: Any) -> dict[str, Any]:
    return {"index": index, "relevance_score": score}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("<html>a proxy's page</html>", "JSON"),
        ('{"results": [', "JSON"),
        ([], "no list"),
        ({"data": []}, "no list"),
        ({"results": [row(0, 1.0), row(1, 1.0)]}, r"none for index \[2, 3\]"),
        ({"results": [row(number, 1.0) for number in (0, 1, 1, 2)]}, "index 1 twice"),
        ({"results": [row(number, 1.0) for number in range(5)]}, "index 4"),
        ({"results": [row(-1, 1.0)]}, "index -1"),
        ({"results": [row("0", 1.0)]}, "integer `index`"),
        ({"results": [row(True, 1.0)]}, "integer `index`"),
        ({"results": [row(0, "1.0")]}, "number `relevance_score`"),
        ({"results": [row(0, None)]}, "number `relevance_score`"),
        ({"results": ["0"]}, "the row '0'"),
        ('{"results": [{"index": 0, "relevance_score": ' + "9" * 400 + "}]}", "a whole number of 400 digits"),
        ('{"usage": {"total_tokens": ' + "9" * 400 + "}}", "a whole number of 400 digits"),
        ({"results": [row(number, float("nan")) for number in range(4)]}, "4 of 4 are NaN or infinite"),
        ({"results": [row(number, float("inf")) for number in range(4)]}, "NaN or infinite"),
        ({"results": [row(number, 1e300) for number in range(4)]}, "NaN or infinite"),
    ],
)
def test_answers_of_a_wrong_shape_are_refused(server: FakeServer, content: Any, said: str) -> None:
    server.first = [Reply(content)]
    with pytest.raises(TeacherError, match=said):
        teacher(server, FakeTime()).score(PAIRS)
    assert len(server.posts) == 1


@pytest.mark.parametrize(("kind", "value"), [("probability", 1.2), ("probability", -0.1), ("cosine", -1.5)])
def test_scores_outside_the_range_of_their_kind_are_refused(server: FakeServer, kind: str, value: float) -> None:
    server.first = [Reply({"results": [row(number, value) for number in range(4)]})]
    with pytest.raises(TeacherError, match=r"score_kind"):
        teacher(server, FakeTime(), score_kind=kind).score(PAIRS)


def test_the_first_failure_ends_the_waits_of_the_others(server: FakeServer) -> None:
    both_asked = threading.Barrier(2, timeout=10)

    def once_each(path: str, body: Any) -> Reply:
        if body["query"] == "busy":
            both_asked.wait()
            return Reply("busy", 429, {"Retry-After": "100"})
        both_asked.wait()
        return Reply("bad key", 401)

    server.answer = once_each
    fields = {"api": "jina", "url": f"{server.url}/v1/rerank", "model": "m", "concurrency": 2}
    loaded = HttpTeacher(Settings.model_validate(fields))
    started = time.monotonic()
    with pytest.raises(TeacherError, match="bad key"):
        loaded.score([("busy", "a"), ("locked", "b")])
    assert time.monotonic() - started < 20


def test_requests_keep_to_the_rate(server: FakeServer) -> None:
    passing = FakeTime()
    teacher(server, passing, requests_per_minute=30, max_batch=1, concurrency=1).score(PAIRS)
    assert passing.waits == pytest.approx([2.0, 2.0, 2.0])


def test_a_hold_moves_the_next_turn_and_a_set_event_ends_every_wait() -> None:
    passing, stop = FakeTime(), threading.Event()
    pacer = Pacer(None, passing.clock())
    pacer.hold(5.0)
    pacer.wait_turn(stop)
    pacer.wait_turn(stop)
    assert passing.waits == [5.0]
    stop.set()
    started = time.monotonic()
    Clock().wait(60.0, stop)
    assert time.monotonic() - started < 10


def test_backoff_doubles_is_capped_spreads_requests_and_repeats_itself() -> None:
    waits = [backoff(attempt, 1.0, 30.0, b"x") for attempt in range(1, 12)]
    assert waits == [backoff(attempt, 1.0, 30.0, b"x") for attempt in range(1, 12)]
    assert all(min(30.0, 2.0**place) / 2 <= wait <= min(30.0, 2.0**place) for place, wait in enumerate(waits))
    assert len({backoff(1, 1.0, 30.0, bytes([token])) for token in range(50)}) == 50


@pytest.mark.parametrize(
    ("header", "seconds"), [(None, None), ("2.5", 2.5), ("soon", None), ("nan", None), ("-3", None)]
)
def test_unreadable_waits_are_left_to_the_backoff(header: str | None, seconds: float | None) -> None:
    assert asked_wait(header, FakeTime().clock()) == seconds


def test_a_date_that_is_past_means_no_wait() -> None:
    assert asked_wait(formatdate(0, usegmt=True), FakeTime().clock()) == 0.0


def test_a_server_that_is_not_there_at_the_start_is_given_up_soon(server: FakeServer) -> None:
    passing = FakeTime()
    with pytest.raises(TeacherError, match="3 failed attempts"):
        teacher(server, passing, api="tei", url="http://127.0.0.1:9/rerank")
    assert sum(passing.waits) <= 3
