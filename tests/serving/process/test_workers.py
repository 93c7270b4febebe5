"""Several workers behind one socket: shared counters, a dead one replaced, a reload one by one, a common end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import threading
from pathlib import Path

import pytest

import rankdistill
from rankdistill.errors import ConfigError, DataError
from rankdistill.serving import workers
from rankdistill.serving.listening import listen
from rankdistill.serving.settings import ServeSettings, Sources
from tests.serving.process.command import command, until
from tests.serving.process.here import Visit, visited
from tests.serving.process.test_reload import switch


@pytest.fixture
def link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Leads to a model of eight dimensions; beside it `four`, and `none` that does not load."""
    monkeypatch.setattr(workers, "PROGRAM", "tests.serving.process.fake_worker")
    for name, length in (("eight", "8"), ("four", "4"), ("none", "")):
        (tmp_path / name).mkdir()
        if length:
            (tmp_path / name / "length").write_text(length)
    found = tmp_path / "current"
    found.symlink_to(tmp_path / "eight")
    return found


def running() -> set[int]:
    """The processes below this one that serve."""
    here = os.getpid()
    children = Path(f"/proc/{here}/task/{here}/children").read_text().split()
    return {int(child) for child in children if b"fake_worker" in command_of(child)}


def command_of(process: str) -> bytes:
    """Its words; none of one that has ended since."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def counted(here: Visit) -> int:
    found = re.search(rb'^te_request_success\{method="single"\} (\d+)$', here.ask("/metrics").body, re.MULTILINE)
    assert found
    return int(found[1])


def said(caplog: pytest.LogCaptureFixture, text: str) -> bool:
    return any(text in record.getMessage() for record in caplog.records)


def test_workers_share_a_socket_and_reload_and_are_replaced(link: Path, caplog: pytest.LogCaptureFixture) -> None:
    asked = 0

    def visit(here: Visit) -> None:
        def length() -> int:
            nonlocal asked
            answer = here.embed()
            assert answer.status == 200, answer.body
            asked += 1
            return len(answer.json["data"][0]["embedding"])

        assert here.serving.workers == 2
        before = running()
        assert len(before) == 2
        assert length() == 8
        switch(link, link.with_name("none"))
        until(lambda: (length(), said(caplog, "the reload failed"))[1])
        assert length() == 8
        switch(link, link.with_name("four"))
        until(lambda: (length(), said(caplog, "reloaded"))[1])
        assert {length() for _ in range(20)} == {4}, "both have it"
        assert counted(here) == asked, "what both answered is counted together"
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        until(lambda: (length(), said(caplog, f"worker {killed} was ended by SIGKILL; another takes its place"))[1])
        until(lambda: (length(), said(caplog, "serves in its place"))[1])
        assert len(running() - before) == 1
        assert {length() for _ in range(20)} == {4}, "the new one too"
        assert counted(here) == asked, "what the dead one counted is not forgotten"

    caplog.set_level("INFO", "rankdistill")
    visited(visit, link, workers=2)
    assert running() == set()


def test_a_worker_that_dies_while_the_others_start_is_replaced(link: Path, caplog: pytest.LogCaptureFixture) -> None:
    """/ready is true as soon as the first serves."""

    def kill() -> None:
        until(lambda: len(running()) == 2)
        os.kill(max(running()), signal.SIGKILL)

    killing = threading.Thread(target=kill)
    killing.start()
    visited(lambda here: until(lambda: len(running()) == 2 and here.embed().status == 200), link, workers=2)
    killing.join()
    assert said(caplog, "another takes its place")


def test_what_the_first_worker_cannot_load_is_the_commands_fault(link: Path) -> None:
    with pytest.raises(DataError, match="length"):
        rankdistill.serve(link.with_name("none"), port=0, workers=2)
    assert running() == set()


@pytest.mark.slow
def test_the_command_serves_with_workers_of_a_real_model(student: str) -> None:
    with command(student, "--workers", 2, "--backend", "torch") as serving:
        assert serving.told["workers"] == 2
        assert {tuple(serving.embed().json["data"][0]["embedding"]) for _ in range(20)}.__len__() == 1
        assert serving.stop() == 0
    assert not any("Traceback" in line for line in serving.log), "".join(serving.log)


def test_a_worker_that_finds_no_keys_says_why(tmp_path: Path) -> None:
    """The file was emptied since the server started: the supervisor hears that, and no trace of Python is shown."""
    keys = tmp_path / "keys"
    keys.write_text("# none\n")

    async def told() -> tuple[str, int]:
        with listen("127.0.0.1", 0) as listener:
            worker = await workers.Worker.start(ServeSettings(key_file=str(keys)), listener)
            with pytest.raises(ConfigError) as refused:
                await worker.load(Sources({"a": "nowhere"}))
            return str(refused.value), await worker.ended()

    said, status = asyncio.run(told())
    assert f"an API key in {keys}" in said
    assert status == 0
