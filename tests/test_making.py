"""Making a folder: not twice, not by two at once, never half with a manifest; what killed writers left goes."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rankdistill import files, manifest
from rankdistill.errors import ConfigError, LockedError, StaleOutputError
from rankdistill.making import making
from rankdistill.manifest import Manifest

WANTED = Manifest("candidates", {"data": "aa"}, {"depth": 50}, {"bm25s": "1"}, "rankdistill mine")

MAKER = """
import sys
from pathlib import Path
from rankdistill import files
from rankdistill.making import making
from rankdistill.manifest import Manifest

out = Path(sys.argv[1])
with making(out, Manifest("candidates", {"data": "aa"}, {"depth": 50})) as made:
    files.write_text(out / "finished.txt", "whole")
    with files.atomic_path(out / "below" / "table.txt") as temporary:
        temporary.write_text("ha")
        print("half", flush=True)
        sys.stdin.read()
"""
"""Another process, which stops in the middle until its standard input ends."""


def _make(out: Path, wanted: Manifest = WANTED) -> bool:
    """Write a file into `out`; whether that had to be done."""
    with making(out, wanted) as made:
        if made.current:
            return False
        files.write_text(out / "table.txt", "a")
        files.write_text(out / ".hidden", "b")
        made.wrote()
    return True


def _started(out: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", MAKER, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    return process


def test_what_is_made_has_its_manifest_with_the_outputs_that_were_named(tmp_path: Path) -> None:
    assert _make(tmp_path / "out")
    hashed = files.hash_file(tmp_path / "out/table.txt")
    assert manifest.read(tmp_path / "out") == replace(WANTED, outputs={"table.txt": hashed})


def test_only_the_files_that_are_named_are_outputs(tmp_path: Path) -> None:
    with making(tmp_path, WANTED) as made:
        for name in ("a/one", "two", "log"):
            files.write_text(tmp_path / name, name)
        made.wrote([tmp_path / "two", tmp_path / "a/one"])
    found = manifest.read(tmp_path)
    assert found is not None
    assert list(found.outputs) == ["a/one", "two"]


def test_nothing_is_named_unless_it_is_asked_for(tmp_path: Path) -> None:
    with making(tmp_path, WANTED):
        files.write_text(tmp_path / "table.txt", "a")
    assert manifest.read(tmp_path) == WANTED


def test_what_is_there_is_told_and_stays_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    out = tmp_path / "out"
    _make(out)
    before = (out / "manifest.json").read_bytes()
    with caplog.at_level(logging.INFO, "rankdistill"):
        assert not _make(out, replace(WANTED, command="another", versions={}))
    assert caplog.messages == [f"{out} is up to date"]
    assert (out / "manifest.json").read_bytes() == before


def test_what_is_there_needs_no_lock(tmp_path: Path) -> None:
    _make(tmp_path)
    with files.exclusive(tmp_path):
        assert not _make(tmp_path)


def test_another_artefact_is_kept(tmp_path: Path) -> None:
    _make(tmp_path)
    with pytest.raises(StaleOutputError, match="parameter 'depth' was 50, is now 5"):
        _make(tmp_path, replace(WANTED, parameters={"depth": 5}))
    assert manifest.is_current(tmp_path, WANTED)


def test_a_block_that_raises_leaves_no_manifest_and_can_be_repeated(tmp_path: Path) -> None:
    def fail() -> None:
        with making(tmp_path, WANTED) as made:
            files.write_text(tmp_path / "table.txt", "half")
            made.wrote()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert manifest.read(tmp_path) is None
    assert _make(tmp_path)


def test_what_the_check_refuses_leaves_no_folder(tmp_path: Path) -> None:
    def refuse() -> None:
        raise ConfigError(expected="more", got="less", consequence="nothing was made", remedy="give more")

    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="less"), making(out, WANTED, check=refuse):
        raise AssertionError("the block is not to run")
    assert not out.exists()
    _make(out)
    with making(out, WANTED, check=refuse) as made:
        assert made.current


def test_what_another_process_made_in_the_meantime_is_seen(tmp_path: Path) -> None:
    with making(tmp_path, WANTED, check=lambda: _make(tmp_path)) as made:
        assert made.current
    assert not _make(tmp_path)


def test_of_two_processes_one_is_refused_until_the_other_has_made_it(tmp_path: Path) -> None:
    with _started(tmp_path) as other:
        with pytest.raises(LockedError, match="another process"):
            _make(tmp_path)
        other.communicate("")
        assert other.returncode == 0
    assert not _make(tmp_path)
    assert (tmp_path / "below/table.txt").read_text() == "ha"


def test_what_a_killed_process_left_half_goes_and_the_rest_is_made(tmp_path: Path) -> None:
    with _started(tmp_path) as other:
        other.kill()
    assert (strays := list((tmp_path / "below").iterdir()))
    assert manifest.read(tmp_path) is None
    assert _make(tmp_path)
    assert not any(stray.exists() for stray in strays)
    assert (tmp_path / "finished.txt").read_text() == "whole"


def test_what_is_in_the_making_somewhere_below_is_left_alone(tmp_path: Path) -> None:
    with _started(tmp_path / "inner") as other:
        assert _make(tmp_path)
        other.communicate("")
        assert other.returncode == 0
    assert (tmp_path / "inner/below/table.txt").read_text() == "ha"


def test_a_part_has_no_lock_of_its_own_and_is_not_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    part = tmp_path / "part"
    with caplog.at_level(logging.INFO, "rankdistill"), making(tmp_path, WANTED):
        for is_there in (False, True):
            with making(part, WANTED, part=True) as made:
                assert made.current is is_there
    assert [path.name for path in part.iterdir()] == ["manifest.json"]
    assert caplog.messages == []
