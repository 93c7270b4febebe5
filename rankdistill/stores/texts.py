"""The texts of a store, each kept once under its id."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from rankdistill import locations, tables
from rankdistill.errors import DataError, StaleOutputError


def read_texts(path: Path) -> dict[str, str]:
    """Id -> text of a texts file."""
    with tables.open_parquet(path) as file:
        table = file.read()
    return dict(zip(table.column(0).to_pylist(), table.column(1).to_pylist(), strict=True))


def add_texts(path: Path, id_name: str, wanted: set[str], source: Mapping[str, str]) -> None:
    """Make `path` hold the texts of `wanted` beside those it holds already, sorted by id.

    Raises:
        DataError: `source` lacks an id that the candidates name.
        StaleOutputError: an id that the store holds now has another text; its scores belong to the old one.
    """
    require_known(id_name, wanted, source)
    there = locations.is_file(path)
    held = read_texts(path) if there else {}
    changed = sorted(identifier for identifier in wanted & held.keys() if held[identifier] != source[identifier])
    if changed:
        raise StaleOutputError(
            expected=f"each {id_name} to have the text that the store holds",
            got=f"{len(changed)} with another text now, as {', '.join(changed[:5])}",
            consequence="nothing was changed: the stored scores belong to the old texts",
            remedy="choose another output for the changed data set",
        )
    new = wanted - held.keys()
    if not new and there:
        return
    merged = sorted((held | {identifier: source[identifier] for identifier in new}).items())
    ids, texts = zip(*merged, strict=True) if merged else ((), ())
    schema = pa.schema([pa.field(id_name, pa.string(), nullable=False), pa.field("text", pa.string(), nullable=False)])
    tables.write_parquet(path, pa.table([pa.array(ids, pa.string()), pa.array(texts, pa.string())], schema=schema))


def require_known(id_name: str, wanted: set[str], source: Mapping[str, str]) -> None:
    """Raise DataError unless `source` has every id of `wanted`."""
    unknown = sorted(wanted - source.keys())
    if unknown:
        raise DataError(
            expected=f"every {id_name} of the candidates to be in the data set",
            got=f"{len(unknown)} unknown, as {', '.join(unknown[:5])}",
            consequence="nothing was scored",
            remedy="give the data set that the candidates were mined from, or mine them again",
        )
