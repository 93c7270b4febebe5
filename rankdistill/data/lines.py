"""Numbered lines of text files, plain or gzip, streamed."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from rankdistill.errors import DataError


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


def numbered(path: Path) -> Iterator[tuple[int, bytes]]:
    r"""The lines of `path` as (number from 1, bytes with the line end). Only `\n` ends a line.

    Raises:
        DataError: the file is absent or unreadable, or its gzip data is damaged or cut short.
    """
    number = 0
    try:
        with _open(path) as stream:
            for number, line in enumerate(stream, start=1):
                yield number, line
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            expected=f"a readable file {path}",
            got=f"{path}:{number + 1}: {error}",
            consequence="nothing was used: the rest of the file is unknown",
            remedy="give the right path, or fetch the file again",
        ) from error


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")
