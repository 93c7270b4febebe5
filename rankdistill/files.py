"""Writing files so that a kill at any instant leaves either the old file, the new file, or a stray temporary.

Paths may lie in an object store (see `rankdistill.locations`): there a file is written to this machine first and then
uploaded as one object, which appears whole or not at all; folders need not be made.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import platform
import re
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from rankdistill import locations
from rankdistill.errors import LockedError, OutputError, RankdistillError
from rankdistill.locations import TEMPORARY_PREFIX
from rankdistill.notes import tell

LOCK_NAME = ".lock"

DEAD_AFTER = 24 * 3600.0
"""Seconds without a change after which a temporary's writer is dead, whatever its host and process: none waits so long
between two writes to a file."""

SAMPLED_BLOCK, SAMPLED_ENDS, SAMPLED_BLOCKS = 1 << 16, 1 << 20, 62
"""What `sample_file` reads: bytes of a block, bytes at either end, and blocks spread between."""

_DISK_ERRORS = {
    errno.ENOSPC: (
        "free space for the output",
        "free some space, or choose another output; then run the command again",
    ),
    errno.EDQUOT: (
        "quota left for the output",
        "free some space, or choose another output; then run the command again",
    ),
    errno.EROFS: ("an output that can be written to", "choose an output on a writable file system"),
    errno.EACCES: ("an output that can be written to", "choose another output, or change its permissions"),
    errno.EPERM: ("an output that can be written to", "choose another output, or change its permissions"),
    errno.ENOTDIR: ("a folder as the output", "a file stands where a folder is needed: choose another output"),
    errno.EISDIR: ("a file as the output", "a folder stands where a file is needed: choose another output"),
    errno.EBUSY: ("a file as the output", "a folder stands where a file is needed: choose another output"),
}


_ANY_ERRORS = {
    code: ("files and folders that this user may read and write", "change its permissions, or give another path")
    for code in (errno.EACCES, errno.EPERM)
} | {
    errno.ENOTDIR: ("a folder", "a file stands where a folder is needed: give another path"),
    errno.EISDIR: ("a file", "a folder stands where a file is needed: give another path"),
}
"""Where nothing says whether it was read or written."""

_FOREIGN_ERRNO = re.compile(r"os error (\d+)|\bOs \{ code: (\d+)")
"""How libraries written in Rust (safetensors, tokenizers, polars, Seismic) name the system's error in their message."""

_FOREIGN_FULL_DISK = re.compile(
    r"PytorchStreamWriter failed writing|inline_container\.cc.*unexpected pos|basic_ios::clear: iostream error"
)
"""What torch says when a checkpoint does not fit on the disk: at the write, or at the end of the file; and OpenVINO."""

_TOLD_IN_WORDS = {os.strerror(code): code for code in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)}
"""Errors whose words nothing else is called by: FAISS gives no more than these."""


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn write errors (disk full, read-only) under `path`, whichever library met them, into `OutputError`.

    With `Path()`, which is around all that a verb does, what may not be read is one too, and told as neither.

    Errors of an object store become `RemoteError`.
    """
    try:
        with locations.remote_errors("" if path == Path() else path):
            yield
    except RankdistillError:
        raise
    except Exception as error:
        found = _errno_of(error)
        if found not in _DISK_ERRORS:
            raise
        expected, remedy = (_ANY_ERRORS if path == Path() else {}).get(found, _DISK_ERRORS[found])
        named = getattr(error, "filename2", None) or getattr(error, "filename", None) or path  # of a copy, the second
        raise OutputError(
            expected=expected,
            got=f"{os.strerror(found)}: {named}",
            consequence="the file in flight was not kept; everything finished before it was",
            remedy=remedy,
        ) from error


def _errno_of(error: Exception) -> int:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if named := _FOREIGN_ERRNO.search(str(error)):
        return int(named[1] or named[2])
    if _FOREIGN_FULL_DISK.search(str(error)):
        return errno.ENOSPC
    return next((code for words, code in _TOLD_IN_WORDS.items() if words in str(error)), 0)


def make_folder(path: Path) -> Path:
    """Create `path` and its parents; raises OutputError where that cannot be done or a file is in the way."""
    if not locations.is_local(path):
        return path
    with output_errors(path):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise OutputError(
                expected="a folder as the output",
                got=f"a file: {path}",
                consequence="nothing was written",
                remedy="choose another output, or move the file away",
            ) from error
        except FileNotFoundError as error:  # the parents are made too: none can be there, as in /proc
            raise OutputError(
                expected="a folder that can be made",
                got=f"{os.strerror(errno.ENOENT)}: {path}",
                consequence="nothing was written",
                remedy="choose another output",
            ) from error
    return path


def temporary_of(path: Path) -> Path:
    """Where this process writes what is to become `path`: beside it, under a name with the host and the process."""
    return path.parent / f"{TEMPORARY_PREFIX}{of_this_process(path.name)}"


def of_this_process(name: str) -> str:
    """A name of a file that this process alone writes; `is_dead` reads from it who that was."""
    return f"{_host()}-{os.getpid()}-{name}"


@contextmanager
def atomic_path(path: Path, before: Callable[[Path], object] | None = None) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success fsync it and rename it to `path`, on failure remove it.

    For a `path` in an object store the temporary lies in this machine's folder for temporary files, and is uploaded.

    Args:
        path: what is written.
        before: called with the finished temporary before it becomes `path`; what it raises leaves `path` as it was.

    Raises:
        OutputError: the disk is full, or the folder cannot be written to.
        RemoteError: the upload failed.
    """
    if not locations.is_local(path):
        with output_errors(path), temporary_folder() as folder:
            temporary = folder / path.name
            yield temporary
            if before is not None:
                before(temporary)
            locations.file_system(path).put_file(str(temporary), locations.key(path))
        return
    if path.exists() and not (path.is_file() or path.is_dir()):  # renaming onto a device, as /dev/null, replaces it
        raise OutputError(
            expected="a file as the output",
            got=f"a device or a pipe: {path}",
            consequence="nothing was written",
            remedy="choose another output",
        )
    temporary = temporary_of(path.absolute())  # a relative one with a colon would pass for a URI
    with output_errors(path):
        make_folder(path.parent)
        try:
            yield temporary
            open_to_readers(temporary)
            _fsync(temporary)
            if before is not None:
                before(temporary)
            os.replace(temporary, path)
            _fsync(path.parent)
        except BaseException:  # the renaming is the last change: a kill after it finds all done
            temporary.unlink(missing_ok=True)
            raise


def open_to_readers(path: Path) -> None:
    """Give a file, or every one in a folder, the rights that this process gives to new files.

    safetensors writes into a temporary file of its own, which nobody else may read.
    """
    with _MASK:
        mask = os.umask(0o022)
        os.umask(mask)
    for one in path.rglob("*") if path.is_dir() else (path,):
        if one.is_file() and stat.S_IMODE(one.stat().st_mode) == _NOBODY_ELSE:
            one.chmod(0o666 & ~mask)


_NOBODY_ELSE = 0o600
_MASK = threading.Lock()


def write_text(path: Path, text: str) -> None:
    """Write `text` (UTF-8) to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove_temporaries(folder: Path, keep_living: bool = False) -> None:
    """Remove what killed writers left in `folder` and below.

    Args:
        folder: where to look.
        keep_living: keep the temporaries of other living processes, and those of other hosts, which may live;
            without it, call this only while holding the folder's lock.

    An object store holds none.
    """
    with output_errors(folder):
        for stray in temporaries(folder):
            if stray.is_dir() and not is_dead(stray):
                continue
            if keep_living and not is_dead(stray):
                continue
            if stray.is_dir():
                remove_folder(stray)
            else:
                stray.unlink(missing_ok=True)


def remove_temporaries_of(path: Path) -> None:
    """Remove what killed writers of the file or folder `path` left beside it, as this machine knows them to be dead."""
    if not locations.is_local(path) or not path.parent.is_dir():
        return
    with output_errors(path):
        for stray in path.parent.glob(f"{TEMPORARY_PREFIX}*-{glob.escape(path.name)}"):
            if is_dead(stray) and stray.is_dir():
                remove_folder(stray)
            elif is_dead(stray):
                stray.unlink(missing_ok=True)


def temporaries(folder: Path) -> list[Path]:
    """The files and folders in `folder` and below that a writer has not finished, or left when it was killed, sorted.

    An object store holds none.
    """
    return sorted(folder.rglob(f"{TEMPORARY_PREFIX}*")) if locations.is_local(folder) else []


def is_dead(temporary: Path) -> bool:
    """Whether the writer of this temporary, or file `of_this_process`, is surely dead, or is this process.

    A process of this host is asked for. One of another host cannot be: it counts as dead once the temporary has not
    changed for `DEAD_AFTER` seconds, and so does one whose number another process may have by now.
    """
    host, process, *_ = (*temporary.name.removeprefix(TEMPORARY_PREFIX).split("-", 2), "")
    if not process.isdecimal():
        return True
    if host == _host() and (int(process) == os.getpid() or not _is_running(int(process))):
        return True
    return is_old(temporary)


def is_old(path: Path) -> bool:
    """Whether a file has not changed for `DEAD_AFTER` seconds, or is gone."""
    try:
        return time.time() - path.stat().st_mtime > DEAD_AFTER
    except FileNotFoundError:
        return True


_OURS = "rankdistill-"
_cleared: set[str] = set()


def make_temporary_folder() -> Path:
    """A new folder among this machine's temporary files, whose name has the host and the process.

    Those that killed processes of this user have left are removed, once a process.

    Raises:
        OutputError: the disk is full, or there is no place for temporary files.
    """
    place, named = tempfile.gettempdir(), f"{_OURS}{_host()}-"
    with output_errors(Path(place)):
        if place not in _cleared:
            _cleared.add(place)
            for stray in Path(place).glob(f"{glob.escape(named)}*-*"):
                process = stray.name.removeprefix(named).partition("-")[0]
                if process.isdecimal() and not _is_running(int(process)) and _is_own_folder(stray):
                    remove_folder(stray)
        return Path(tempfile.mkdtemp(prefix=f"{named}{os.getpid()}-", dir=place))


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Within the block there is a folder for temporary files; see `make_temporary_folder`."""
    folder = make_temporary_folder()
    try:
        yield folder
    finally:
        remove_folder(folder)


def _is_own_folder(path: Path) -> bool:
    """Whether it is a folder, not a link to one, of this user; others may write into a place for temporary files."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _host() -> str:
    return hashlib.blake2b(platform.node().encode(), digest_size=4).hexdigest()


def remove_folder(folder: Path, whole: bool = False) -> None:
    """Remove `folder` and all in it, if it is there.

    Args:
        folder: local or remote.
        whole: raise OutputError where something of it stays, as on a disk that became read-only.
    """
    with output_errors(folder):
        if locations.is_local(folder):
            shutil.rmtree(folder, ignore_errors=True)
            if whole and folder.exists():
                shutil.rmtree(folder)  # what keeps it says so
        else:
            for path in locations.all_files(folder):
                locations.file_system(path).rm_file(locations.key(path))


def remove_if_empty(folder: Path) -> None:
    """Remove a local folder that holds nothing, if it is there; another process may be at it."""
    with suppress(OSError):
        folder.rmdir()


def clear(out: Path, pieces: Iterable[str], kind: str) -> None:
    """Remove what an earlier run left in the folder `out`, its own files and folders alone.

    Args:
        out: a local folder whose lock is held.
        pieces: names of what the artefact is made of.
        kind: what the artefact is called, as `a bundle`.

    Raises:
        OutputError: anything else lies there; nothing is removed then.
    """
    pieces = [*pieces]
    foreign = sorted(path.name for path in locations.listing(out) if path.name not in {*pieces, LOCK_NAME})
    if foreign:
        raise OutputError(
            expected=f"an empty folder, or one with {kind}, as {out}",
            got=f"{len(foreign)} other files, as {foreign[0]!r}",
            consequence="nothing was written",
            remedy="choose another output",
        )
    for name in pieces:
        if (out / name).is_dir():
            remove_folder(out / name)
        else:
            (out / name).unlink(missing_ok=True)


@contextmanager
def exclusive(folder: Path, wait: float = 0.0) -> Iterator[None]:
    """Hold the only writer's lock on `folder`; the system releases it when the process dies.

    In an object store the lock is an object; see `rankdistill.object_lock` for what happens when its process dies.

    Args:
        folder: created if absent.
        wait: seconds to wait for another process that holds it.

    Raises:
        LockedError: another process holds it still.
    """
    make_folder(folder)
    with ExitStack() as stack:
        with output_errors(folder):
            _enter(stack, folder, wait)
        yield


SECONDS_BETWEEN_WORDS = 15.0
"""How often it is told that a process waits for another."""


def _enter(stack: ExitStack, folder: Path, wait: float) -> None:
    """Hold the lock; who waits tells for whom, and for how long already."""
    started = time.monotonic()
    asked = 0.0
    while True:
        try:
            stack.enter_context(_lock(folder, asked))
            return
        except TimeoutError as error:
            holder, waited = _holder(folder, error), time.monotonic() - started
            if waited >= wait:
                raise _locked(folder, wait, holder) from error
        so_far = f", {waited:.0f} s so far" if asked else ""
        tell(f"waiting for {holder}, which writes to {folder}{so_far}, at most {wait:g} s")
        asked = min(SECONDS_BETWEEN_WORDS, wait - waited)


def _holder(folder: Path, error: TimeoutError) -> str:
    """Who holds the lock, as far as this machine knows."""
    if not locations.is_local(folder):
        return str(error)
    held_file = (folder / LOCK_NAME).stat()
    wanted = f"{os.major(held_file.st_dev):02x}:{os.minor(held_file.st_dev):02x}:{held_file.st_ino}"
    try:
        rows = [row.split() for row in Path("/proc/locks").read_text().splitlines()]
    except OSError:  # no Linux
        rows = []
    for row in rows:
        if wanted in row and "->" not in row:
            process = row[row.index(wanted) - 1]
            return "another thread of this process" if process == str(os.getpid()) else f"process {process}"
    return "another process, perhaps on another machine"


def _lock(folder: Path, wait: float) -> AbstractContextManager[object]:
    if not locations.is_local(folder):
        from rankdistill import object_lock

        return object_lock.held(folder / LOCK_NAME, wait)
    from filelock import FileLock

    return FileLock(folder / LOCK_NAME, timeout=wait)


def _locked(folder: Path, wait: float, holder: str) -> LockedError:
    waited = f", for more than {wait:g} s" if wait else ""
    return LockedError(
        expected=f"to be the only process writing to {folder}",
        got=(f"another process holds its lock: {holder}" if locations.is_local(folder) else holder) + waited,
        consequence="nothing was written",
        remedy="wait for it to end, or choose another output" + if_holder_is_dead(folder),
    )


def if_holder_is_dead(folder: Path) -> str:
    """The end of a remedy: what to do about the lock of a dead process; nothing, unless it is an object."""
    if locations.is_local(folder):
        return ""
    return f"; if that process is dead, remove the object {folder / LOCK_NAME}"


def hash_file(path: Path) -> str:
    """SHA-256 of the file's bytes, as hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sample_file(path: Path) -> str:
    """SHA-256 of the file's size, its first and last MiB and blocks spread evenly between, as hex; for large files.

    It finds a file that was cut, exchanged or written over, not a bit that flipped between the blocks.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    step = max(1, (size - 2 * SAMPLED_ENDS) // SAMPLED_BLOCKS)
    inner = [(SAMPLED_ENDS + step * number, SAMPLED_BLOCK) for number in range(SAMPLED_BLOCKS)]
    with path.open("rb") as stream:
        for start, length in [(0, SAMPLED_ENDS), *inner, (max(0, size - SAMPLED_ENDS), SAMPLED_ENDS)]:
            stream.seek(start)
            digest.update(stream.read(length))
    return digest.hexdigest()


def hash_files(root: Path, paths: Iterable[Path]) -> str:
    """SHA-256 over the sorted (relative name, content hash) of `paths`, as hex."""
    return digest_of({path.relative_to(root).as_posix(): hash_file(path) for path in sorted(paths)})


def digest_of(contents: Mapping[str, str]) -> str:
    """SHA-256 over (name, content hash), as hex; the order of the names is that of `sorted` paths."""
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
