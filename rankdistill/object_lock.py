"""The only writer's lock on a prefix of an object store, which has no locks of its own.

The lock is an object named `.lock`. It is created with a conditional upload ("only if there is none"), so one writer of
all machines wins, and removed at the end. It says which host and process made it and when, and holds a random token.

A killed writer cannot remove its object. Writers of one machine are kept apart by an ordinary file lock as well, which
the system does release; beside it lies the token of the last of them. So an object with this machine's token, found by
the holder of the file lock, was left by a dead writer, and is replaced: the same command on the same machine goes on at
once. One left by another machine looks like a living writer's; the error says how to remove it.

A server that ignores the condition (`If-None-Match`) does not keep writers on two machines apart. They would then write
the same bytes under the same names, since a shard depends on nothing but its content.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from uuid import uuid4

from filelock import FileLock

from rankdistill import locations, plain_json

POLL_SECONDS = 0.2

ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
"""Where the environment says which server a bucket's name belongs to."""


@dataclass(frozen=True)
class Owner:
    """Who holds a lock object; `token` is unique to one holding of it."""

    host: str
    process: int
    since: str
    token: str


@contextmanager
def held(lock: Path, wait: float) -> Iterator[None]:
    """Hold the lock object `lock`; a dead holder's of this machine is replaced.

    Args:
        lock: a path in an object store.
        wait: seconds to wait for another holder.

    Raises:
        TimeoutError: another process holds it still; the message names it where it is on another machine.
        RemoteError: the object store does not answer, or refuses.
    """
    local = _local_lock(lock)
    with FileLock(local, timeout=wait, mode=0o600):
        token = _create(lock, local.with_suffix(".token"), time.monotonic() + wait)
        try:
            yield
        finally:
            with locations.remote_errors(lock):
                _remove(lock, token)


def _create(lock: Path, own: Path, deadline: float) -> str:
    """Create the lock object as soon as there is none, by the deadline; its token.

    Args:
        lock: the object.
        own: the file with the token of this machine's last holder, who is dead; the new token is written to it.
        deadline: when to give up, in `time.monotonic` seconds.
    """
    with locations.remote_errors(lock):
        while True:
            if own.is_file():
                _remove(lock, own.read_text())
            now = datetime.now(UTC).isoformat(timespec="seconds")
            owner = Owner(platform.node(), os.getpid(), now, uuid4().hex)
            own.write_text(owner.token)
            content = json.dumps(asdict(owner)).encode()
            try:
                locations.file_system(lock).pipe_file(locations.key(lock), content, mode="create")
                return owner.token
            except FileExistsError:
                if time.monotonic() >= deadline:
                    raise TimeoutError(_describe(lock)) from None
            time.sleep(POLL_SECONDS)


def _remove(lock: Path, token: str) -> None:
    """Remove the lock object if it holds `token`."""
    owner = _read(lock)
    if owner is not None and owner.token == token:
        locations.file_system(lock).rm_file(locations.key(lock))


def _read(lock: Path) -> Owner | None:
    """Who holds the lock, or None; of a foreign object, an owner without a name."""
    try:
        return Owner(**plain_json.loads(lock.read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        return Owner("an unknown host", 0, "an unknown time", "")


def _describe(lock: Path) -> str:
    owner = _read(lock)
    return f"process {owner.process} on {owner.host}, since {owner.since}" if owner else "another process until now"


def _local_lock(lock: Path) -> Path:
    """The file lock that keeps the writers of this machine and user apart; a bucket of another server is another."""
    folder = Path(tempfile.gettempdir()) / f"rankdistill-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    server = [os.environ.get(name, "") for name in ENDPOINTS]
    return folder / f"{blake2b(repr([str(lock), *server]).encode(), digest_size=16).hexdigest()}.lock"
