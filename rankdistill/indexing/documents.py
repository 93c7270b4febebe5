"""The ids of an index on disk, in insertion order, and the beginnings of the texts where they were kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rankdistill import tables
from rankdistill.errors import DataError
from rankdistill.indexing.base import NOTHING, Ids
from rankdistill.indexing.topk import Positions

IDS_FILE = "ids.parquet"
SNIPPETS_FILE = "snippets.parquet"


def write_ids(folder: Path, ids: Sequence[str]) -> None:
    """Write `ids` in order."""
    tables.write_parquet(folder / IDS_FILE, pa.table({"doc_id": pa.array(ids, pa.string())}))


def read_ids(folder: Path, expected: int | None) -> list[str]:
    """The ids in order.

    Raises:
        DataError: the file is absent, or its length is not `expected`, the number of vectors (None: not known).
    """
    path = folder / IDS_FILE
    tables.check_schema(path, pa.schema([pa.field("doc_id", pa.string())]))
    ids: list[str] = pq.read_table(path.absolute()).column("doc_id").to_pylist()
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


def write_snippets(folder: Path, snippets: Mapping[str, str]) -> None:
    """Write the beginning of each document's text."""
    columns = {"doc_id": list(snippets), "snippet": list(snippets.values())}
    tables.write_parquet(folder / SNIPPETS_FILE, pa.table(columns))


def read_snippets(folder: Path, ids: Iterable[str]) -> dict[str, str]:
    """The kept beginnings of the documents `ids`; empty where the index was built without them."""
    path, wanted = folder / SNIPPETS_FILE, set(ids)
    if not wanted or not path.is_file():
        return {}
    found = pq.read_table(path.absolute(), filters=[("doc_id", "in", wanted)])
    return dict(zip(found.column("doc_id").to_pylist(), found.column("snippet").to_pylist(), strict=True))
