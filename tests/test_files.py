"""Writing: either the old file or the new one, one writer at a time, clear errors when the disk refuses."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rankdistill import files
from rankdistill.errors import LockedError, OutputError


def test_a_failed_write_leaves_the_old_file_and_no_temporary(tmp_path: Path) -> None:
    target = tmp_path / "file"
    files.write_text(target, "old")
    with pytest.raises(ZeroDivisionError), files.atomic_path(target) as temporary:
        temporary.write_text(f"ne{1 / 0}")
    assert not list(tmp_path.glob(f"{files.TEMPORARY_PREFIX}*"))
    with pytest.raises(FileNotFoundError), files.atomic_path(target):
        pass  # a writer that wrote nothing
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert target.read_text() == "old"


def test_a_file_is_on_the_disk_before_it_has_its_name_and_then_the_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "file"
    files.write_text(target, "old")
    synced: list[tuple[str, str]] = []

    def fsync(descriptor: int) -> None:
        name = os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))
        synced.append((name, target.read_text()))

    monkeypatch.setattr(os, "fsync", fsync)
    with files.atomic_path(target) as temporary:
        temporary.write_text("new")
    assert synced == [(temporary.name, "old"), (tmp_path.name, "new")]


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (OSError(errno.ENOSPC, "full"), "No space left"),
        (OSError(errno.EROFS, "read-only"), "Read-only file system"),
        (RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"), "No space left"),
        (RuntimeError("PytorchStreamWriter failed writing file data/3"), "No space left"),
        (RuntimeError("basic_ios::clear: iostream error"), "No space left"),
    ],
)
def test_disk_errors_of_every_library_say_what_to_do(tmp_path: Path, raised: Exception, said: str) -> None:
    with pytest.raises(OutputError, match=said) as caught, files.output_errors(tmp_path):
        raise raised
    assert caught.value.remedy


def test_other_errors_pass_through(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), files.output_errors(tmp_path):
        raise FileNotFoundError(errno.ENOENT, "gone")


def test_a_file_where_the_output_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="a file"):
        files.make_folder(tmp_path / "out")


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from rankdistill import files\n"
        "with files.exclusive(Path(sys.argv[1])):\n"
        "    print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(LockedError, match="another process"), files.exclusive(tmp_path):
            pass
        holder.kill()
    with files.exclusive(tmp_path):
        assert os.listdir(tmp_path) == [".lock"]


def test_waiting_for_a_lock_is_bounded(tmp_path: Path) -> None:
    with files.exclusive(tmp_path), pytest.raises(LockedError, match=r"more than 0\.2 s"):
        files.exclusive(tmp_path, wait=0.2).__enter__()


def test_temporaries_of_the_dead_go_and_those_that_may_live_stay(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        own = files.temporary_of(tmp_path / "file").name
        living = own.replace(f"-{os.getpid()}-", f"-{other.pid}-")
        elsewhere = own.replace(files.TEMPORARY_PREFIX, f"{files.TEMPORARY_PREFIX}00")
        names = (own, living, elsewhere, f"{files.TEMPORARY_PREFIX}file")
        for name in names:
            (tmp_path / name).touch()
        files.remove_temporaries(tmp_path, keep_living=True)
        assert {path.name for path in tmp_path.iterdir()} == {living, elsewhere}
        other.communicate(b"\n")
    files.remove_temporaries(tmp_path, keep_living=True)
    assert [path.name for path in tmp_path.iterdir()] == [elsewhere]
    files.remove_temporaries(tmp_path)
    assert not list(tmp_path.iterdir())


def test_hashes_depend_on_names_and_contents(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    both = [tmp_path / "a", tmp_path / "b"]
    before = files.hash_files(tmp_path, both)
    assert files.hash_files(tmp_path, reversed(both)) == before
    (tmp_path / "a").write_text("c")
    assert files.hash_files(tmp_path, both) != before


@pytest.mark.parametrize(
    "said",
    [
        "[enforce fail at inline_container.cc:672] . unexpected pos 12736 vs 12628",
        'Failed to write index: Encode(Io { inner: Os { code: 28, kind: StorageFull, message: "full" }, index: 16 })',
        "Error: 'ret == (n)' failed: write error in tokens.faiss: 13 != 67 (No space left on device)",
    ],
)
def test_a_full_disk_is_known_however_a_library_says_it(tmp_path: Path, said: str) -> None:
    with pytest.raises(OutputError, match="No space left"), files.output_errors(tmp_path):
        raise RuntimeError(said)


def test_a_copy_that_does_not_fit_names_what_was_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="target") as caught, files.output_errors(tmp_path):
        raise OSError(errno.ENOSPC, "full", "source", None, "target")
    assert "source" not in caught.value.got


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_a_file_can_be_read_by_whom_the_mask_lets(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        with files.atomic_path(tmp_path / "file") as temporary:
            temporary.touch(0o600)
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


def test_who_waits_says_for_whom_and_how_long(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "rankdistill")
    with files.exclusive(tmp_path), pytest.raises(LockedError, match="another process holds its lock: another thread"):
        files.exclusive(tmp_path, wait=0.1).__enter__()
    assert f"waiting for another thread of this process, which writes to {tmp_path}, at most 0.1 s" in caplog.text


def test_the_process_that_holds_a_lock_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    if not Path("/proc/locks").is_file():
        pytest.skip("this system does not say who holds a lock")
    code = (
        "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print('locked', flush=True); input()"
    )
    caplog.set_level("INFO", "rankdistill")
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / files.LOCK_NAME)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(LockedError, match=f"process {holder.pid}, for more than 0.1 s"):
            files.exclusive(tmp_path, wait=0.1).__enter__()
        holder.communicate("\n")
    assert f"waiting for process {holder.pid}" in caplog.text


def test_what_killed_writers_of_a_file_left_goes_and_the_rest_stays(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    own = files.temporary_of(tmp_path / "rows.jsonl").name
    gone = own.replace(f"-{os.getpid()}-", f"-{dead.pid}-")
    twice = f"{gone.removesuffix('rows.jsonl')}{gone}"
    others = [gone.replace("rows", "other"), "rows.jsonl", f"{files.TEMPORARY_PREFIX}00-1-rows.jsonl"]
    for name in (gone, twice, *others):
        (tmp_path / name).touch()
    files.remove_temporaries_of(tmp_path / "rows.jsonl")
    assert {path.name for path in tmp_path.iterdir()} == {*others}


def test_temporary_folders_of_killed_processes_go_with_the_next_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    program = "import os, signal\nfrom rankdistill import files\nwith files.temporary_folder() as folder:\n"
    program += "    (folder / 'large').write_text('x')\n    print(folder)\n    os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", program], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    (killed,) = tmp_path.iterdir()
    host = killed.name.split("-")[1]
    living = tmp_path / f"rankdistill-{host}-{os.getppid()}-a"
    foreign = tmp_path / f"rankdistill-ffffffff-{killed.name.split('-')[2]}-a"
    for stays in (living, foreign, tmp_path / "rankdistill-1000", tmp_path / "rankdistill-tracebacks"):
        stays.mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    link = tmp_path / f"rankdistill-{host}-{killed.name.split('-')[2]}-link"
    link.symlink_to(outside)
    before = {*tmp_path.iterdir()} - {killed}
    with files.temporary_folder() as folder:
        assert {*tmp_path.iterdir()} == before | {folder}
        assert folder.stat().st_mode & 0o077 == 0
    assert {*tmp_path.iterdir()} == before


def test_temporary_folders_are_made_in_one_place() -> None:
    """Another one would stay where a process is killed."""
    package = Path(files.__file__).parent
    makers = ("TemporaryDirectory", "mkdtemp", "NamedTemporaryFile", "mkstemp")
    using = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for one in makers
        if one in path.read_text()
    }
    assert using == {"files.py"}
