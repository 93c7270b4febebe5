"""Indexes that are not kept, of a whole collection, in memory that does not grow with it where the back end allows.

Vectors of `exact` lie in a file without a name in the system's folder for temporary files. Sparse and token vectors are
indexed in shards as `building` cuts them; each is written there, mapped, and its names are removed at once, so that
nothing is left behind, however the process ends. A back end that does not map what it reads (Seismic) holds all of it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from rankdistill import files
from rankdistill.indexing import registry
from rankdistill.indexing.arrays import RowsFile
from rankdistill.indexing.base import Index, Searcher
from rankdistill.indexing.building import default_shard_size
from rankdistill.indexing.encoding import ENCODED_AT_ONCE, write
from rankdistill.indexing.kinds import DENSE, KINDS, Documents
from rankdistill.indexing.sharded import ShardedIndex
from rankdistill.progress import Progress
from rankdistill.space import AnySpace


def shard_size_of(settings: registry.IndexSettings, space: AnySpace, documents: int) -> int | None:
    """Documents a shard of an index that is not kept; None: it is made in one piece.

    Dense ones are: their vectors are on disk, but for what a graph or lists of FAISS hold.
    """
    most = None if KINDS[settings.kind] is DENSE else default_shard_size(settings, space)
    return most if most is not None and most < documents else None


def unkept(
    settings: registry.IndexSettings,
    encoder: Documents,
    ids: list[str],
    texts: Iterable[str],
    progress: Progress = lambda done: None,
    at_once: int = ENCODED_AT_ONCE,
) -> Searcher[Any]:
    """An index that is not kept: of `texts`, one an id.

    Args:
        settings: of the index.
        encoder: of the documents.
        ids: of the documents.
        texts: of the documents; read once, from first to last.
        progress: called with the number of documents just done.
        at_once: texts whose dense vectors are held together.

    Raises:
        DataError: a vector is not finite, or an id stands twice in a shard.
        OutputError: the folder for temporary files is full.
    """
    if KINDS[settings.kind] is DENSE:
        return _dense(settings, encoder, ids, texts, progress, at_once)
    size = shard_size_of(settings, encoder.space, len(ids))
    if size is None:
        return _whole(settings, encoder, ids, list(texts), progress)
    return ShardedIndex(list(_mapped_shards(settings, encoder, ids, iter(texts), progress, size)))


def _dense(
    settings: registry.IndexSettings,
    encoder: Documents,
    ids: list[str],
    texts: Iterable[str],
    progress: Progress,
    at_once: int,
) -> Index[Any]:
    kept = registry.rows_file(settings)
    with files.output_errors(Path(tempfile.gettempdir())), tempfile.TemporaryFile(buffering=0) as stream:
        out = RowsFile(stream, len(ids), settings.dimension)
        prepare = (lambda vectors: vectors) if kept is None else (lambda vectors: kept.prepare(vectors, settings))
        write(lambda block: DENSE.encode(encoder, block.texts, progress), ids, texts, out, prepare, progress, at_once)
        vectors = out.mapped()
    if kept is not None:
        return kept.of_rows(ids, vectors, settings)
    made = registry.create(settings)
    made.add(ids, vectors)
    return made


def _whole(
    settings: registry.IndexSettings, encoder: Documents, ids: list[str], texts: list[str], progress: Progress
) -> Index[Any]:
    made = registry.create(settings)
    made.add(ids, KINDS[settings.kind].encode_each(encoder, texts, progress))
    return made


def _mapped_shards(
    settings: registry.IndexSettings,
    encoder: Documents,
    ids: list[str],
    texts: Iterator[str],
    progress: Progress,
    size: int,
) -> Iterator[Searcher[Any]]:
    for start in range(0, len(ids), size):
        made = _whole(settings, encoder, ids[start : start + size], list(islice(texts, size)), progress)
        # What is mapped, or open, is there until it is closed.
        with files.output_errors(Path(tempfile.gettempdir())), files.temporary_folder() as folder:
            made.save(folder)
            del made
            yield registry.load(folder, settings)
