"""A store's vectors and texts as files that are mapped into memory: made once, beside the shards.

Parquet is compressed and cannot be mapped; these copies can, so training reads single rows of a store that is larger
than memory. They are named by the content of the store: one that has grown gets new ones, and the old ones go. Where
the store cannot be written to, or lies in an object store, they lie in this user's cache, in a folder for this store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from rankdistill import files, integrity, locations, manifest
from rankdistill.errors import OutputError, StoreError
from rankdistill.locations import cache_folder
from rankdistill.notes import note
from rankdistill.stores.embeddings import shards
from rankdistill.stores.embeddings.layout import TEXTS, Layout, VectorType
from rankdistill.stores.embeddings.planning import stored_texts

LOCK_WAIT = 3600.0
"""Seconds to wait for another process that makes the same copy."""

TRIES = 3
"""Times that a copy is made again which another process removed before it was opened."""

Opened = TypeVar("Opened")

Ids = np.ndarray
"""S32[n]: text ids as bytes, which compare and sort as wholes."""


def ids_of(texts: pa.Table | pa.RecordBatch) -> Ids:
    """The column `text_id` as an array."""
    column = texts.column("text_id")
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    return np.concatenate([_as_bytes(chunk) for chunk in chunks] or [np.empty(0, "S32")])


def _as_bytes(ids: pa.Array) -> Ids:
    fixed = ids.cast(pa.binary()).cast(pa.binary(32))
    return np.frombuffer(fixed.buffers()[1], "S32", count=len(fixed), offset=32 * fixed.offset)


def mapped_texts(layout: Layout, identity: str) -> pa.Table:
    """The texts of a store, mapped into memory."""

    def build(path: Path) -> None:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, TEXTS) as writer:
            for chunk in stored_texts(layout):
                writer.write_table(chunk)

    return _opened(
        layout, f"{identity}.arrow", build, lambda path: pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    )


def mapped_vectors(
    layout: Layout, identity: str, listed: Sequence[Path], ids: Ids, dimension: int, dtype: VectorType
) -> np.ndarray:
    """The vectors `[n, dimension]` in the order of `ids`, mapped into memory.

    Args:
        layout: the store.
        identity: names the content.
        listed: the shards.
        ids: of the store's texts, in their order.
        dimension: of a vector.
        dtype: of its numbers.

    Raises:
        StoreError: a text has no vector, or a shard is damaged.
    """

    def build(path: Path) -> None:
        shards.require_whole(listed, dimension, dtype)
        order = np.argsort(ids)
        missing = np.ones(len(ids), dtype=bool)
        offset = _allocate(path, (len(ids), dimension), dtype)
        with path.open("r+b") as stream:
            for found, vectors in shards.vectors(listed):
                rows = rows_of(_as_bytes(found), ids, order)
                missing[rows[rows >= 0]] = False
                for run in _runs(rows):
                    stream.seek(offset + int(rows[run[0]]) * vectors.itemsize * dimension)
                    stream.write(vectors[run].tobytes())
        if missing.any():
            raise StoreError(
                expected=f"a vector for each of the {len(ids):,} texts of {layout.root}",
                got=f"none for {int(missing.sum()):,} of them",
                consequence="no vector was read",
                remedy="run the same `rankdistill embed` again: it makes the missing ones",
            )

    return _opened(layout, f"{identity}.npy", build, lambda path: np.load(path, mmap_mode="r"))


def rows_of(wanted: Ids, ids: Ids, order: np.ndarray) -> np.ndarray:
    """int64[n]: the place of each of `wanted` in `ids`, -1 where it is not there.

    Args:
        wanted: some ids.
        ids: all ids.
        order: `np.argsort(ids)`.
    """
    if not len(ids):
        return np.full(len(wanted), -1, dtype=np.int64)
    places = np.searchsorted(ids, wanted, sorter=order)
    rows = order[np.minimum(places, len(ids) - 1)]
    return np.where(ids[rows] == wanted, rows, -1).astype(np.int64)


def _runs(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Positions of `rows` that are not negative, in runs whose rows follow one another."""
    positions = np.flatnonzero(rows >= 0)
    if len(positions):
        breaks = np.flatnonzero((np.diff(rows[positions]) != 1) | (np.diff(positions) != 1)) + 1
        yield from np.split(positions, breaks)


def _allocate(path: Path, shape: tuple[int, int], dtype: VectorType) -> int:
    """Make a `.npy` file of this shape; the place of its first number."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=shape)
    return int(array.offset)


def _opened(layout: Layout, name: str, build: Callable[[Path], None], open_copy: Callable[[Path], Opened]) -> Opened:
    """The copy `name`, opened; one that is open stays readable when another process removes it."""
    for _ in range(TRIES):
        path = _made(layout, name, build)
        try:
            return open_copy(path)
        except FileNotFoundError:  # removed in between, by a process that reads another state of the store
            continue
    return open_copy(_made(layout, name, build))


def cached_copies(layout: Layout) -> Path:
    """The folder in this user's cache for the copies of one store that cannot lie beside its shards."""
    root = layout.root.absolute() if locations.is_local(layout.root) else layout.root
    return cache_folder() / "embeddings" / manifest.digest(str(root))[:32]


def _made(layout: Layout, name: str, build: Callable[[Path], None]) -> Path:
    """The file `name` beside the shards, or in the cache; made now if it is not there."""
    path, cached = layout.mapped / name, cached_copies(layout) / name
    for known in (path, cached):
        if locations.is_local(known) and _is_whole(known):
            return known
    with ExitStack() as held:
        try:
            if not locations.is_local(path):
                path = cached
            held.enter_context(files.exclusive(path.parent, LOCK_WAIT))
        except OutputError:
            path = cached
            held.enter_context(files.exclusive(path.parent, LOCK_WAIT))
        if not _is_whole(path):
            _remove_old(path)
            files.remove_temporaries(path.parent)
            with integrity.noting(path, path.parent) as temporary:
                build(temporary)
    return path


def _is_whole(path: Path) -> bool:
    """Whether a copy is there, and as it was written; a damaged one is made again."""
    if not path.is_file():
        return False
    known = integrity.recorded(path)
    if known is None or known.state() == "whole":
        return True
    note(f"{path} is damaged: it is made again")
    return False


def _remove_old(path: Path) -> None:
    """Remove the copies that an earlier state of the store left beside `path`, whose folder is locked."""
    others = locations.listing(path.parent, f"*{path.suffix}")
    for other in others:
        with files.output_errors(other):
            other.unlink(missing_ok=True)
    integrity.forget(path.parent, [other.name for other in others])
