"""Cross-encoder scores as a pickle of `{qid: {pid: score}}`, plain or gzip, as published beside msmarco-hard-negatives.

Read only if the user allows pickles, and then only plain numbers (see `pickles`). The whole mapping is held in memory.
Ids are whole numbers. Labels are not kept.
"""

from __future__ import annotations

import gzip
import pickle
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from rankdistill import files
from rankdistill.errors import ConfigError, DataError
from rankdistill.formats.content import Export
from rankdistill.formats.disco import parse_nested
from rankdistill.formats.pickles import load_plain
from rankdistill.formats.registry import Format
from rankdistill.formats.rows import Row, id_value
from rankdistill.formats.source import Source

SUFFIXES = (".pkl", ".pkl.gz", ".pickle", ".pickle.gz")

PROTOCOL = 4


def _read(source: Source) -> Iterator[Row]:
    if not source.allow_pickle:
        raise ConfigError(
            expected="--allow-pickle for a format that is a pickle",
            got=str(source.path),
            consequence="nothing was read: a pickle can run code when it is loaded",
            remedy="if you trust where it comes from, give --allow-pickle; only plain numbers will be admitted",
        )
    try:
        with _open(source.path) as stream:
            value = load_plain(stream)
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise DataError(
            expected="a pickle of {query id: {document id: score}} with plain numbers",
            got=f"{source.path}: {error}",
            consequence="nothing was used, and nothing in the file was run",
            remedy="give the right file; convert other objects to int and float before pickling",
        ) from error
    return source.parse([(1, value)], parse_nested)


def _write(out: Path, export: Export) -> None:
    scores = {
        _whole(group.query_id): {_whole(document.doc_id): document.score for document in group.ranked}
        for group in export.groups()
    }
    with files.atomic_path(out) as temporary:
        data = pickle.dumps(scores, protocol=PROTOCOL)
        temporary.write_bytes(gzip.compress(data, mtime=0) if out.suffix == ".gz" else data)


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _whole(identifier: str) -> int:
    value = id_value(identifier)
    if not isinstance(value, int):
        raise DataError(
            expected="whole numbers as ids, which this format holds",
            got=repr(identifier),
            consequence="nothing was written: another id would not read back as itself",
            remedy="choose another format, such as disco, which holds the same with any ids",
        )
    return value


FORMAT = Format("ce-scores", _read, _write, SUFFIXES, needs_texts=False)
