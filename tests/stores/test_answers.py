"""Answers of services are kept as they come: a killed run asks again for what was in flight alone."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rankdistill import files, locations
from rankdistill.errors import TeacherError
from rankdistill.stores.answers import Came, Replies, answers_folder, forget_answers, kept_scores
from rankdistill.stores.writer import ScoreWriter
from rankdistill.teachers import TeacherSpec
from rankdistill.teachers.http.settings import Settings
from rankdistill.teachers.http.teacher import HttpTeacher
from tests.forked import Forked
from tests.stores.conftest import DOCUMENTS, QUERIES
from tests.teachers.http_server import FakeServer, FakeTime, Reply, rerank_rows, serving


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def answer(path: str, body: Any) -> Reply:
        return Reply({"results": rerank_rows(body["query"], body["documents"], "relevance_score")})

    with serving(answer) as fake:
        yield fake


def teacher(url: str, **more: Any) -> HttpTeacher:
    fields = {"api": "jina", "url": f"{url}/v1/rerank", "model": "m", "score_kind": "logit", "concurrency": 1}
    return HttpTeacher(Settings.model_validate(fields | {"max_batch": 5} | more), FakeTime().clock())


def writer(root: Path, candidates: Path, url: str, unit_size: int = 300, **more: Any) -> ScoreWriter:
    return ScoreWriter(
        root,
        queries=QUERIES,
        documents=DOCUMENTS,
        candidates=candidates,
        teacher=teacher(url, **more),
        dataset_fingerprint="f" * 64,
        unit_size=unit_size,
    )


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def asked(server: FakeServer) -> list[tuple[str, str]]:
    return [(post.body["query"], document) for post in server.posts for document in post.body["documents"]]


PROGRAM = """
import sys
from pathlib import Path
from tests.stores.test_answers import writer
writer(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]).run()
"""


def test_a_killed_run_asks_again_for_the_answer_in_flight_alone(
    server: FakeServer, candidates: Path, tmp_path: Path
) -> None:
    writer(tmp_path / "whole", candidates, server.url).run()
    whole = asked(server)
    assert len(whole) == len(set(whole)) == 300
    server.asked.clear()
    store, never = tmp_path / "store", threading.Event()
    server.answer, answer = (
        (lambda path, body: Reply(after=never) if len(server.posts) > 21 else answer(path, body)),
        (server.answer),
    )
    with Forked(PROGRAM, store, candidates, server.url) as process:
        while len(server.posts) < 22:
            assert process.runs, process.errors
            never.wait(0.01)
        process.send(signal.SIGKILL)
        assert process.ended() == -signal.SIGKILL
    server.answer = answer
    never.set()
    in_flight = asked(server)[21 * 5 :]
    assert len(in_flight) <= 5
    assert writer(store, candidates, server.url).run().scored == 300
    pairs = asked(server)
    assert set(pairs) == set(whole)
    assert len(pairs) == 300 + len(in_flight), "those alone are asked twice"
    assert contents(store) == contents(tmp_path / "whole"), "and nothing of it stays"


def test_one_pair_without_an_answer_costs_that_pair(server: FakeServer, candidates: Path, tmp_path: Path) -> None:
    writer(tmp_path / "whole", candidates, server.url).run()
    bad = asked(server)[17]
    server.asked.clear()
    answer = server.answer

    def refusing(path: str, body: Any) -> Reply:
        return Reply("no", 422) if bad[0] == body["query"] and bad[1] in body["documents"] else answer(path, body)

    server.answer = refusing
    with pytest.raises(TeacherError, match="1 of 300 pairs"):
        writer(tmp_path / "store", candidates, server.url).run()
    server.answer = answer
    server.asked.clear()
    writer(tmp_path / "store", candidates, server.url, max_batch=4).run()
    assert asked(server) == [bad]


def test_answers_count_under_another_plan_too(server: FakeServer, candidates: Path, tmp_path: Path) -> None:
    writer(tmp_path / "whole", candidates, server.url, unit_size=77).run()
    server.asked.clear()
    store = writer(tmp_path / "store", candidates, server.url)
    answer = server.answer
    server.answer = lambda path, body: answer(path, body) if len(server.posts) <= 30 else Reply("stop", 403)
    with pytest.raises(TeacherError, match="403"):
        store.run()
    server.answer = answer
    kept = len(set(asked(server)[: 30 * 5]))
    server.asked.clear()
    writer(tmp_path / "store", candidates, server.url, unit_size=77).run()
    assert len(asked(server)) == 300 - kept
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")


def test_a_line_that_a_kill_cut_off_counts_as_none(tmp_path: Path) -> None:
    folder = answers_folder(tmp_path, "t")
    one, other = bytes(range(16)), bytes(16)
    kept_scores(folder, "unit").add([(one, 0.1), (other, -3.0)])
    file = folder / "unit.txt"
    file.write_bytes(file.read_bytes()[:-3])
    assert kept_scores(folder, "unit").known() == {one: 0.1}
    kept_scores(folder, "unit").add([(other, 7.5)])
    assert kept_scores(folder, "unit").known() == {one: 0.1, other: 7.5}
    kept_scores(folder, "unit").forget()
    assert kept_scores(folder, "unit").known() == {}


def test_the_beginning_of_a_score_is_none_wherever_it_was_cut_off(tmp_path: Path) -> None:
    answers = kept_scores(tmp_path, "unit")
    answers.add([(b"first", 0.1), (b"cut", 13.625)])
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    second = whole.index(b"\n") + 1
    for end in range(second, len(whole)):
        file.write_bytes(whole[:end])
        kept_scores(tmp_path, "unit").add([(b"next", 2.0)])
        assert kept_scores(tmp_path, "unit").known() == {b"first": 0.1, b"next": 2.0}, end


def test_a_stopped_listwise_run_asks_again_for_no_prompt_that_was_answered(
    server: FakeServer, candidates: Path, tmp_path: Path
) -> None:
    """Also where no query was done yet: windows of all queries are asked side by side."""

    def listwise(root: Path) -> ScoreWriter:
        chat = {"url": f"{server.url}/v1", "model": "m", "concurrency": 1}
        teacher = TeacherSpec("llm_listwise", {"chat": chat, "window": 4, "step": 2}).load()
        return ScoreWriter(
            root,
            queries=QUERIES,
            documents=DOCUMENTS,
            candidates=candidates,
            teacher=teacher,
            dataset_fingerprint="f" * 64,
        )

    def prompts() -> list[str]:
        return [post.body["messages"][-1]["content"] for post in server.posts]

    def answer(path: str, body: Any) -> Reply:
        reply = "[2] > [1] \u2192 caf\u00e9\n[3]"
        return Reply({"choices": [{"message": {"content": reply}}], "usage": {"total_tokens": 1}})

    server.answer = answer
    listwise(tmp_path / "whole").run()
    whole = prompts()
    server.asked.clear()
    first = len(whole) // 3
    server.answer = lambda path, body: answer(path, body) if len(server.posts) <= first else Reply("stop", 403)
    store = tmp_path / "store"
    with pytest.raises(TeacherError, match="403"):
        listwise(store).run()
    answered = prompts()[:first]
    assert len(set(answered)) == first
    server.answer = answer
    server.asked.clear()
    listwise(store).run()
    assert not {*prompts()} & {*answered}
    assert len(prompts()) == len(whole) - first
    assert contents(store) == contents(tmp_path / "whole"), "and nothing of it stays"


def test_replies_are_kept_whatever_is_in_them_and_a_cut_one_is_none(tmp_path: Path) -> None:
    replies = Replies(tmp_path, "unit")
    replies[b"one"], replies[b"other"] = "two\nlines, a \u20ac and a \ud83d", "cut"
    (file,) = tmp_path.iterdir()
    for lost in range(2, 8):
        whole = file.read_bytes()
        file.write_bytes(whole[:-lost])
        assert dict(Replies(tmp_path, "unit")) == {b"one": "two\nlines, a \u20ac and a \ud83d"}
        file.write_bytes(whole)
    assert dict(Replies(tmp_path, "unit")) == dict(replies)


def test_a_damaged_answer_is_none(tmp_path: Path) -> None:
    answers = kept_scores(tmp_path, "unit")
    answers.add([(bytes(16), 0.1), (bytes(range(16)), 1.0)])
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    lines = whole.splitlines(keepends=True)
    for place in range(len(lines[0])):
        for bit in (1, 4, 128):
            spoilt = bytearray(whole)
            spoilt[place] ^= bit
            file.write_bytes(bytes(spoilt))
            found = kept_scores(tmp_path, "unit").known()
            assert set(found.items()) <= {(bytes(16), 0.1), (bytes(range(16)), 1.0)}, (place, bit)


def test_a_file_that_another_writer_is_done_with_meanwhile_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = kept_scores(tmp_path, "unit")
    answers.add([(bytes(16), 0.1)])
    usual = locations.listing
    monkeypatch.setattr(locations, "listing", lambda *given: [tmp_path / "gone.txt", *usual(*given)])
    assert answers.known() == {bytes(16): 0.1}


def test_an_empty_folder_of_answers_that_a_kill_left_goes_with_the_next_end(tmp_path: Path) -> None:
    folder = answers_folder(tmp_path, "t")
    folder.parent.mkdir()
    forget_answers(tmp_path, "t")
    assert not folder.parent.exists()


def test_what_another_living_writer_keeps_stays(tmp_path: Path) -> None:
    """Its file was taken up, and removed while it wrote."""
    folder = answers_folder(tmp_path, "kind")
    host = files.of_this_process("kept").split("-")[0]
    living = Replies(folder, f"{host}-{os.getppid()}-kept")
    dead = Replies(folder, f"{host}-{2**22 + 1}-kept")
    earlier = Replies(folder, "some-host-77")  # as versions before called them
    for number, one in enumerate((living, dead, earlier)):
        one[bytes([number])] = f"reply {number}"
    left: dict[str, str] = {}
    came = Came(tmp_path, "kind")
    came.fold((), left.update)
    assert left == {"00": "reply 0", "01": "reply 1", "02": "reply 2"}
    assert [path.name for path in folder.iterdir()] == [f"{host}-{os.getppid()}-kept.txt"]
    came.keep("03", "another")
    came.forget()
    living.forget()
    Came(tmp_path, "kind").fold(left, left.update)
    assert not (tmp_path / "answers").exists()


def test_a_folder_that_another_writer_removes_meanwhile_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, times = files.make_folder, iter(range(2))

    def make_folder(folder: Path) -> Path:
        usual(folder)
        if next(times, None) is not None:
            folder.rmdir()
        return folder

    monkeypatch.setattr(files, "make_folder", make_folder)
    answers = kept_scores(tmp_path / "answers", "unit")
    answers.add([(b"key", 0.5)])
    assert answers.known() == {b"key": 0.5}
