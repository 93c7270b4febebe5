"""The texts of a store, each kept once under its id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path

import pyarrow as pa

from rankdistill import locations, tables
from rankdistill.data.text_store import Texts
from rankdistill.errors import DataError, StaleOutputError
from rankdistill.stores.broken import written_anew

_READ_AT_ONCE = 8192


def read_texts(path: Path) -> Texts:
    """Id -> text of a texts file, in its order."""
    with tables.open_parquet(path) as file:
        return Texts.of_pairs(
            pair
            for batch in file.iter_batches(batch_size=_READ_AT_ONCE)
            for pair in zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)
        )


def add_texts(path: Path, id_name: str, wanted: set[str], source: Mapping[str, str]) -> None:
    """Make `path` hold the texts of `wanted` beside those it holds already, sorted by id.

    Args:
        path: the file of texts, in the folder of the store, whose lock is held.
        id_name: what its ids are called.
        wanted: the ids.
        source: id -> text.

    Raises:
        DataError: `source` lacks an id that the candidates name.
        DamagedError: the file is damaged, or was lost with more texts in it than are wanted now.
        StaleOutputError: an id that the store holds now has another text; its scores belong to the old one.
    """
    require_known(id_name, wanted, source)
    there = locations.is_file(path)
    with written_anew(path.parent, path):
        held: Mapping[str, str] = read_texts(path) if there else {}
    changed = sorted(one for one, text in held.items() if one in wanted and text != source[one])
    if changed:
        raise StaleOutputError(
            expected=f"each {id_name} to have the text that the store holds",
            got=f"{len(changed)} with another text now, as {', '.join(changed[:5])}",
            consequence="nothing was changed: the stored scores belong to the old texts",
            remedy="choose another output for the changed data set",
        )
    new = [identifier for identifier in wanted if identifier not in held]
    if not new and there:
        return
    schema = pa.schema([pa.field(id_name, pa.string(), nullable=False), pa.field("text", pa.string(), nullable=False)])
    ids = iter(sorted(chain(held, new)))

    def parts() -> Iterator[pa.Table]:
        while some := list(islice(ids, _READ_AT_ONCE)):
            texts = [held[one] if one in held else source[one] for one in some]
            yield pa.table([pa.array(some, pa.string()), pa.array(texts, pa.string())], schema=schema)

    tables.write_parquet_parts(path, schema, parts(), path.parent)


def require_known(id_name: str, wanted: set[str], source: Mapping[str, str]) -> None:
    """Raise DataError unless `source` has every id of `wanted`."""
    unknown = sorted(identifier for identifier in wanted if identifier not in source)
    if unknown:
        raise DataError(
            expected=f"every {id_name} of the candidates to be in the data set",
            got=f"{len(unknown)} unknown, as {', '.join(unknown[:5])}",
            consequence="nothing was scored",
            remedy="give the data set that the candidates were mined from, or mine them again",
        )
