"""The ids of an index on disk, in insertion order, and the beginnings of the texts where they were kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from rankdistill import tables
from rankdistill.data.packed import Strings
from rankdistill.errors import DataError
from rankdistill.indexing.base import NOTHING, Ids
from rankdistill.indexing.topk import Positions
from rankdistill.records import Document

IDS_FILE = "ids.parquet"
SNIPPETS_FILE = "snippets.parquet"

CONTENTS_FILE = "contents.json"
"""The hash of what the documents say; an index that an earlier version built has none, and is compared by ids alone."""


def write_ids(folder: Path, ids: Sequence[str]) -> None:
    """Write `ids` in order."""
    column = ids.to_arrow() if isinstance(ids, Strings) else pa.array(ids, pa.string())
    tables.write_parquet(folder / IDS_FILE, pa.table({"doc_id": column}))


def read_ids(folder: Path, expected: int | None) -> list[str]:
    """The ids in order.

    Raises:
        DataError: the file is absent, or its length is not `expected`, the number of vectors (None: not known).
    """
    path = folder / IDS_FILE
    tables.check_schema(path, pa.schema([pa.field("doc_id", pa.string())]))
    ids: list[str] = tables.read_parquet(path).column("doc_id").to_pylist()
    if expected is not None and len(ids) != expected:
        raise DataError(
            expected=f"{expected} document ids, one a vector",
            got=f"{len(ids)} in {path}",
            consequence="the index was not loaded: documents would get wrong names",
            remedy="remove the folder of the index, then build it again",
        )
    return ids


def named(positions: Positions, ids: Sequence[str]) -> Ids:
    """The ids at `positions`; `NOTHING` where a position is negative."""
    names = [NOTHING if position < 0 else ids[position] for position in positions.ravel().tolist()]
    return np.array(names, dtype=object).reshape(positions.shape)


_SNIPPETS = pa.schema([pa.field("doc_id", pa.string()), pa.field("snippet", pa.string())])
_KEPT_AT_ONCE = 4096


@contextmanager
def keeping_snippets(folder: Path, length: int) -> Iterator[Callable[[Iterable[Document]], Iterator[str]]]:
    """A function documents -> their texts, on whose way the first `length` characters of each go to disk; 0: none."""
    if not length:
        yield lambda documents: (row.contents for row in documents)
        return
    with tables.parquet_in_parts(folder / SNIPPETS_FILE, _SNIPPETS) as take:

        def texts(documents: Iterable[Document]) -> Iterator[str]:
            remaining = iter(documents)
            while some := list(islice(remaining, _KEPT_AT_ONCE)):
                contents = [row.contents for row in some]
                columns = [[row.doc_id for row in some], [text[:length] for text in contents]]
                take(pa.table([pa.array(column, pa.string()) for column in columns], schema=_SNIPPETS))
                yield from contents

        yield texts


def read_snippets(folder: Path, ids: Iterable[str]) -> dict[str, str]:
    """The kept beginnings of the documents `ids`; empty where the index was built without them."""
    path, wanted = folder / SNIPPETS_FILE, set(ids)
    if not wanted or not path.is_file():
        return {}
    found = tables.read_parquet(path, filters=[("doc_id", "in", wanted)])
    return dict(zip(found.column("doc_id").to_pylist(), found.column("snippet").to_pylist(), strict=True))
