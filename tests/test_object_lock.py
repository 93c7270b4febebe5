"""The lock on a prefix of an object store: one holder, dead holders of this machine replaced, others named."""

from __future__ import annotations

import json
import tempfile
import threading
from pathlib import Path

import pytest

from rankdistill import files, locations
from rankdistill.errors import LockedError
from rankdistill.locations import location


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A prefix in memory, on a machine of its own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return location(f"memory://{request.node.name}")


def left_by_a_dead_holder(folder: Path) -> bytes:
    """Make the lock object that a killed process of this machine leaves."""
    with files.exclusive(folder):
        content = (folder / files.LOCK_NAME).read_bytes()
    (folder / files.LOCK_NAME).write_bytes(content)
    return content


def test_the_lock_object_names_its_holder_and_goes_at_the_end(folder: Path) -> None:
    with files.exclusive(folder):
        owner = json.loads((folder / files.LOCK_NAME).read_text())
        assert set(owner) == {"host", "process", "since", "token"}
    assert locations.all_files(folder) == []


def test_it_goes_after_an_error_too(folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), files.exclusive(folder):
        raise ZeroDivisionError
    assert locations.all_files(folder) == []


def test_a_second_holder_on_this_machine_is_refused(folder: Path) -> None:
    with files.exclusive(folder), pytest.raises(LockedError, match=r"more than 0\.2 s"):
        files.exclusive(folder, wait=0.2).__enter__()


def test_what_a_dead_holder_of_this_machine_left_is_replaced(folder: Path) -> None:
    left = left_by_a_dead_holder(folder)
    with files.exclusive(folder):
        assert (folder / files.LOCK_NAME).read_bytes() != left
    assert locations.all_files(folder) == []


def test_a_holder_on_another_machine_is_named_with_the_remedy(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = left_by_a_dead_holder(folder)
    (tmp_path / "other").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "other"))
    for _ in range(2):
        with pytest.raises(LockedError) as caught, files.exclusive(folder):
            pass
        owner = json.loads(left)
        assert caught.value.got == f"process {owner['process']} on {owner['host']}, since {owner['since']}"
        assert f"remove the object {folder}/.lock" in caught.value.remedy
        assert (folder / files.LOCK_NAME).read_bytes() == left
    (folder / files.LOCK_NAME).unlink()
    with files.exclusive(folder):
        pass


def test_waiting_ends_when_the_other_machine_lets_go(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_by_a_dead_holder(folder)
    (tmp_path / "other").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "other"))
    let_go = threading.Event()

    def let() -> None:
        let_go.set()
        (folder / files.LOCK_NAME).unlink()

    timer = threading.Timer(0.3, let)
    timer.start()
    with files.exclusive(folder, wait=20):
        assert let_go.is_set()
    timer.join()


def test_a_foreign_object_under_the_name_is_left_alone(folder: Path) -> None:
    (folder / files.LOCK_NAME).write_text("not ours")
    with pytest.raises(LockedError, match="unknown host"), files.exclusive(folder):
        pass
    assert (folder / files.LOCK_NAME).read_text() == "not ours"


def test_a_lock_that_another_took_over_by_hand_is_not_removed(folder: Path) -> None:
    with files.exclusive(folder):
        (folder / files.LOCK_NAME).write_text('{"host": "h", "process": 1, "since": "now", "token": "theirs"}')
    assert locations.is_file(folder / files.LOCK_NAME)
