"""Several workers behind one socket: one choice, shared counters, a dead one replaced, a reload one by one."""

from __future__ import annotations

import os
import re
import signal
import threading
from pathlib import Path

from tests.serving.process.command import Command, command
from tests.serving.process.test_reload import switch

CHEAP = ("--backend", "torch", "--threads", 1)


def workers(running: Command) -> set[int]:
    """The processes below the supervisor."""
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text()
    return {int(child) for child in children.split()}


def counted(running: Command) -> int:
    found = re.search(rb'^te_request_success\{method="single"\} (\d+)$', running.ask("/metrics").body, re.MULTILINE)
    assert found
    return int(found[1])


def test_workers_share_a_socket_are_replaced_and_reload(student: str, stranger: str, tmp_path: Path) -> None:
    link = tmp_path / "current"
    link.symlink_to(student)
    with command(link, "--workers", 2, *CHEAP) as running:
        assert running.told["workers"] == 2
        before = workers(running)
        assert len(before) == 2
        old = running.embed().json["data"][0]["embedding"]
        asked = 1
        stop, failures = threading.Event(), []

        def load() -> None:
            nonlocal asked
            while not stop.is_set():
                answer = running.embed()
                asked += 1
                if answer.status != 200:
                    failures.append(answer)

        loading = threading.Thread(target=load)
        loading.start()
        switch(link, Path(stranger))
        running.wait_for_log("reloaded")
        new = running.embed().json["data"][0]["embedding"]
        assert new != old
        stop.set()
        loading.join()
        assert not failures
        assert counted(running) == asked + 1, "both workers' requests are counted together"
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        running.wait_for_log(f"worker {killed} was ended by SIGKILL; another takes its place")
        while not any("serves in its place" in line for line in running.log):
            answer = running.embed()
            assert answer.json["data"][0]["embedding"] == new, "the other one answers meanwhile"
        assert len(workers(running) - before) == 1
        assert running.stop() == 0
    assert not any("Traceback" in line for line in running.log), "".join(running.log)


def test_a_fault_of_the_first_worker_is_the_commands(tmp_path: Path) -> None:
    with command(tmp_path / "nothing", "--workers", 2, *CHEAP, warm=False) as running:
        assert running.ended() == 1
    said = "".join(running.log)
    assert "ModelReferenceError" in said
    assert "Traceback" not in said
