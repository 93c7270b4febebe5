"""Where artefacts lie: a folder of this machine, or a prefix in an object store such as `s3://bucket/prefix`.

A local place is a plain `pathlib.Path`. One in an object store is a `upath.UPath` (universal_pathlib over fsspec), with
the methods of a `Path` but not derived from it; functions that take both are annotated with `Path`. Credentials and
endpoints come from where each fsspec file system looks for them: for S3 the environment variables `AWS_ACCESS_KEY_ID`,
`AWS_SECRET_ACCESS_KEY`, `AWS_PROFILE`, `AWS_ENDPOINT_URL` and `AWS_DEFAULT_REGION`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rankdistill._extras import require
from rankdistill.errors import ConfigError, RemoteError

if TYPE_CHECKING:
    from upath import UPath

TEMPORARY_PREFIX = ".tmp-"
"""How the names of files begin that are being written, or that a killed writer left; no listing gives them."""

LIBRARY_OF = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "memory": "fsspec",
}
"""Protocols of object stores, where one upload appears whole or not at all, and the library that speaks each."""

_CLIENTS = (
    "botocore",
    "aiobotocore",
    "aiohttp",
    "gcsfs",
    "google.api_core",
    "google.auth",
    "google.cloud",
    "azure",
    "adlfs",
)
"""Libraries whose exceptions come from talking to an object store; `google.protobuf` is none of them."""


def location(place: str | Path) -> Path:
    """The path that `place` names; one in an object store is contacted, so that what is wrong with it shows at once.

    Args:
        place: a local path, or a URL `s3://bucket/prefix`, `gs://...`, `az://...`, `memory://...`; a path is
            given back as it is.

    Raises:
        ConfigError: a protocol that is not in `LIBRARY_OF`, or a URL without a bucket.
        MissingDependencyError: the libraries of the extra `remote` are not installed.
        RemoteError: the endpoint does not answer, the bucket does not exist, or the credentials are refused.
    """
    if not isinstance(place, str):
        return place
    protocol, separator, rest = place.partition("://")
    if not separator:
        return Path(home(place))
    if protocol == "file":
        return Path(rest)
    if protocol not in LIBRARY_OF or not rest.strip("/"):
        raise ConfigError(
            expected=f"a local path, or PROTOCOL://BUCKET/PREFIX with one of {', '.join(LIBRARY_OF)}",
            got=repr(place),
            consequence="nothing was run",
            remedy="only object stores will do, where an upload appears whole or not at all",
        )
    for library in ("upath", LIBRARY_OF[protocol]):
        require(library, f"{protocol}://")
    path: Path = require("upath", f"{protocol}://").UPath(place.rstrip("/"), use_listings_cache=False)
    if protocol != "memory":
        _contact(path)
    return path


def home(place: str) -> str:
    """`place` with a leading `~/` as this user's home, as a shell has it; a folder of that name is `./~`."""
    return os.path.expanduser(place) if place == "~" or place.startswith("~/") else place


def is_local(path: object) -> bool:
    """Whether `path` is on a file system of this machine, rather than in an object store."""
    return isinstance(path, Path)


def file_system(path: Path) -> Any:
    """The fsspec file system of a path in an object store."""
    return cast("UPath", path).fs


def key(path: Path) -> str:
    """The name of `path` in its object store, as fsspec wants it: `bucket/prefix/name`."""
    return cast("UPath", path).path


def is_file(path: Path) -> bool:
    """Whether there is a file; unlike `UPath.is_file` it does not take a failed request for an absent file.

    Raises:
        RemoteError: the object store does not answer, or refuses.
    """
    if is_local(path):
        return path.is_file()
    with remote_errors(path):
        try:
            return bool(file_system(path).info(key(path))["type"] == "file")
        except FileNotFoundError:
            return False


def is_temporary(path: Path) -> bool:
    """Whether `path` is what a writer has not finished, or left when it was killed."""
    return path.name.startswith(TEMPORARY_PREFIX)


def listing(folder: Path, pattern: str = "*") -> list[Path]:
    """The paths in `folder` that match the glob `pattern`, sorted, without temporaries; none where there is no folder.

    Every listing of files and folders comes through here or through `all_files`: a glob takes temporaries for files.

    Args:
        folder: where to look.
        pattern: of a name; in a local folder also of a path, as `*/part-*` or `**/*.json`.

    Raises:
        RemoteError: the object store does not answer, or refuses.
    """
    if is_local(folder):
        deep = len(folder.parts)
        if not folder.is_dir():
            return []
        there = folder.iterdir() if pattern == "*" else folder.glob(pattern)  # a glob hides what may not be read
        return sorted(path for path in there if not _lies_in_temporary(path.parts[deep:]))
    with remote_errors(folder):
        try:
            found = file_system(folder).ls(key(folder), detail=False)
        except FileNotFoundError:
            return []
    names = {one.rstrip("/").rpartition("/")[2] for one in found}
    found = [folder / name for name in sorted(names) if fnmatchcase(name, pattern)]
    return [path for path in found if not is_temporary(path)]


def all_files(folder: Path) -> list[Path]:
    """Every file in `folder` and below, sorted, without temporaries.

    Raises:
        RemoteError: the object store does not answer, or refuses.
    """
    if is_local(folder):
        return [path for path in listing(folder, "**/*") if path.is_file()]
    with remote_errors(folder):
        root = key(folder)
        return [folder / found.removeprefix(root).lstrip("/") for found in sorted(file_system(folder).find(root))]


def _lies_in_temporary(parts: Sequence[str]) -> bool:
    return any(part.startswith(TEMPORARY_PREFIX) for part in parts)


def cache_folder() -> Path:
    """Where this user's exports and other things that can be made again are kept; it need not exist."""
    if named := os.environ.get("RANKDISTILL_CACHE"):
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rankdistill"


@contextmanager
def remote_errors(place: object = "") -> Iterator[None]:
    """Turn what an object store's client raises inside into `RemoteError` about `place`; other errors pass through."""
    try:
        yield
    except Exception as error:
        if not _is_remote(error):
            raise
        raise _explained(error, place) from error


def _contact(path: Path) -> None:
    """Ask for the listing of `path`, which needs all of a right endpoint, bucket and credentials."""
    with remote_errors(path):
        try:
            file_system(path).ls(key(path))
        except FileNotFoundError:  # nothing there yet, or no bucket
            with suppress(PermissionError):  # one may list a bucket without being allowed to describe it
                file_system(path).info(path.drive)


def _is_remote(error: BaseException | None) -> bool:
    """Whether a client library raised this error or the one that it was made from."""
    if error is None or isinstance(error, RemoteError):
        return False
    module = f"{type(error).__module__}."
    return any(module.startswith(f"{client}.") for client in _CLIENTS) or _is_remote(error.__cause__)


def _explained(error: Exception, place: object) -> RemoteError:
    if isinstance(error, PermissionError) or "Credential" in type(error).__name__:
        expected = "credentials that may list, read and write there"
        remedy = "set them as the object store's library wants them (S3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"
    elif isinstance(error, FileNotFoundError):
        expected, remedy = "an existing bucket and object", "create the bucket, or correct its name"
    else:
        expected = "the object store to answer"
        remedy = "check the network and the endpoint (S3: AWS_ENDPOINT_URL), then run the same command again"
    return RemoteError(
        expected=expected,
        got=f"{place}: {error}" if place else str(error),
        consequence="the operation was given up; everything finished before it is kept",
        remedy=remedy,
    )
