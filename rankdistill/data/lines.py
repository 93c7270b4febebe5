"""Numbered lines of text files, plain or gzip, streamed. Every text file that is read comes through here."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from rankdistill import integrity
from rankdistill.errors import DataError

if TYPE_CHECKING:
    import hashlib

MARK = codecs.BOM_UTF8
"""The byte order mark, with which some programs begin a file in UTF-8; it is no part of what the file says."""

_GZIP = b"\x1f\x8b"


def find(folder: Path, name: str) -> Path | None:
    """`folder/name` or `folder/name.gz`, whichever is there; None if neither is.

    Raises:
        DataError: both are there, so which one counts is unclear.
    """
    found = [path for path in (folder / name, folder / f"{name}.gz") if path.is_file()]
    if len(found) == 2:
        raise DataError(
            expected=f"one of {found[0]} and {found[1]}",
            got="both",
            consequence="nothing was read: they may differ",
            remedy="remove one of them",
        )
    return found[0] if found else None


def numbered(path: Path, digest: hashlib._Hash | None = None) -> Iterator[tuple[int, bytes]]:
    r"""The lines of `path` as (number from 1, bytes with the line end). Only `\n` ends a line.

    A byte order mark at the beginning is left out.

    Args:
        path: the file; gzip if its name ends in `.gz`.
        digest: updated with all bytes of the file, unpacked.

    Raises:
        DataError: the file is absent, unreadable or not what its artefact's manifest has, its gzip data is damaged or
            cut short, or it is no text in UTF-8 but gzip under another name, UTF-16 or a binary file.
    """
    number = 0
    try:
        integrity.require(path, whole=True)
        with _open(path) as stream:
            for number, line in enumerate(stream, start=1):
                if digest is not None:
                    digest.update(line)
                yield number, line if number > 1 else _first(path, line)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            expected=f"a readable file {path}",
            got=f"{path}:{number + 1}: {error}",
            consequence="nothing was used: the rest of the file is unknown",
            remedy="give the right path, or fetch the file again",
        ) from error


def chosen(path: Path, numbers: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """Those lines of `path` whose numbers are in `numbers`, which rise; see `numbered`."""
    wanted = iter(numbers)
    following = next(wanted, None)
    for number, line in numbered(path):
        if number == following:
            yield number, line
            following = next(wanted, None)


def _first(path: Path, line: bytes) -> bytes:
    """The first line without its byte order mark."""
    if line.startswith(_GZIP):
        got, remedy = "gzip data", "give it a name that ends in .gz"
    elif line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        got, remedy = "the byte order mark of UTF-16", "convert it, for example with `iconv -f UTF-16 -t UTF-8`"
    elif b"\0" in line:
        got, remedy = "zero bytes: UTF-16 or a binary file", "give the right file, or convert it to UTF-8"
    else:
        return line.removeprefix(MARK)
    raise DataError(
        expected=f"text in UTF-8 in {path}", got=f"{path}:1: {got}", consequence="nothing was used", remedy=remedy
    )


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix.lower() == ".gz" else path.open("rb")
