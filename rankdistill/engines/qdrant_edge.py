"""Qdrant's core on a folder, inside this process: the same segments and searches as a server's, without the server."""

from __future__ import annotations

import errno
import os
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

from rankdistill import files
from rankdistill._extras import require
from rankdistill.engines.base import ID, POSITION, Batch, Leg, LegName, Look, Shape
from rankdistill.engines.qdrant_points import FIELD_TYPES, point_id
from rankdistill.engines.results import answering, ranked
from rankdistill.errors import ConfigError
from rankdistill.indexing.base import Ids, Scores

NOTE_FILE = "rankdistill.json"

ROOM = 1 << 27
"""Bytes that a disk must have free: more than the core's files grow by between two looks."""

FULL_SCAN_KILOBYTES = 10_000
"""Below so much the core scans rather than walks a graph, as a server does."""


class EdgeCollection:
    """One shard in the folder `collection` of `place`.

    Args:
        place: a folder.
        collection: name of the folder in it.

    Raises:
        ConfigError: the name is no name of a folder.
    """

    name = "qdrant"
    kinds: ClassVar[tuple[LegName, ...]] = ("dense", "sparse")

    def __init__(self, place: str, collection: str) -> None:
        if Path(collection).name != collection or collection.startswith("."):
            raise ConfigError(
                expected="a collection's name that is a folder's",
                got=repr(collection),
                consequence="nothing was run",
                remedy="leave slashes out of it",
            )
        self._edge = require("qdrant_edge", "a Qdrant collection in a folder")
        self.collection, self._folder = collection, Path(place).expanduser() / collection
        self._shard: Any = None

    @property
    def version(self) -> str:
        """Of the library, which is the engine."""
        return f"edge {metadata.version('qdrant-edge-py')}"

    def read_note(self) -> str | None:
        """See `Engine.read_note`."""
        if not self._folder.is_dir() or not any(self._folder.iterdir()):
            return None
        path = self._folder / NOTE_FILE
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def keep_note(self, note: str) -> None:
        """See `Engine.keep_note`."""
        files.write_text(self._folder / NOTE_FILE, note)

    def create(self, shape: Shape, note: str) -> None:
        """See `Engine.create`."""
        edge = self._edge
        dense, sparse = shape.legs.get("dense"), shape.legs.get("sparse")
        config = edge.EdgeConfig(
            vectors={}
            if dense is None
            else {
                "dense": edge.EdgeVectorParams(
                    size=dense.space.dimension,
                    distance=edge.Distance.Cosine if dense.space.similarity == "cosine" else edge.Distance.Dot,
                    datatype=edge.VectorStorageDatatype.Float32,
                )
            },
            sparse_vectors={}
            if sparse is None
            else {"sparse": edge.EdgeSparseVectorParams(datatype=edge.VectorStorageDatatype.Float32)},
            hnsw_config=edge.HnswIndexConfig(0 if shape.exact else shape.m, shape.ef_construction, FULL_SCAN_KILOBYTES),
        )
        files.make_folder(self._folder)
        self._require_room()
        with self._answering():
            self._shard = edge.EdgeShard.create(str(self._folder), config)
            for name, kind in {POSITION: "integer", **shape.fields}.items():
                schema = getattr(edge.PayloadSchemaType, FIELD_TYPES[kind].capitalize())
                self._shard.update(edge.UpdateOperation.create_field_index(name, schema))
            self._shard.flush()
        self.keep_note(note)

    def drop(self) -> None:
        """See `Engine.drop`."""
        self.close()
        shutil.rmtree(self._folder)

    def rewind(self, position: int) -> None:
        """See `Engine.rewind`: what is written twice is replaced."""

    def write(self, batch: Batch) -> None:
        """See `Engine.write`."""
        edge = self._edge
        terms = list(batch.terms()) if batch.sparse is not None else []
        points = []
        for row, payload in enumerate(batch.payloads()):
            vector: dict[str, Any] = {}
            if batch.dense is not None:
                vector["dense"] = batch.dense[row].tolist()
            if terms:
                vector["sparse"] = edge.SparseVector(*terms[row])
            points.append(edge.Point(point_id(payload[ID]), vector, payload))
        self._require_room()
        with self._answering():
            self._open().update(edge.UpdateOperation.upsert_points(points))
            self._open().flush()

    def finish(self, shape: Shape) -> None:
        """See `Engine.finish`."""
        self._require_room()
        with self._answering():
            self._open().optimize()
            self._open().flush()

    def count(self) -> int:
        """See `Engine.count`."""
        with self._answering():
            return int(self._open().count(self._edge.CountRequest(exact=True)))

    def search(self, leg: Leg, queries: Any, look: Look) -> tuple[Ids, Scores]:
        """See `Engine.search`; sparse searches are always exact."""
        edge = self._edge
        if leg.name == "dense":
            asked: list[Any] = [query.tolist() for query in queries]
        else:
            terms = Batch(0, [""] * queries.shape[0], sparse=queries).terms()
            asked = [edge.SparseVector(*one) for one in terms]
        rows = []
        with self._answering():
            for one in asked:
                request = edge.QueryRequest(
                    limit=look.k,
                    query=edge.Query.Nearest(one, using=leg.name),
                    with_payload=[ID, POSITION],
                    params=edge.SearchParams(exact=look.exact, hnsw_ef=max(look.ef, look.k)),
                )
                rows.append(
                    [(hit.payload[ID], hit.score, hit.payload[POSITION]) for hit in self._open().query(request)]
                )
        return ranked(rows, look.k)

    def close(self) -> None:
        """See `Engine.close`."""
        if self._shard is not None:
            self._shard.close()
            self._shard = None

    def _require_room(self) -> None:
        """Raise OutputError where the disk is nearly full: the core maps its files, so a full one ends the process."""
        if shutil.disk_usage(self._folder).free < ROOM:
            with files.output_errors(self._folder):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder))

    def _open(self) -> Any:
        if self._shard is None:
            self._shard = self._edge.EdgeShard.load(str(self._folder))
        return self._shard

    def _answering(self) -> Any:
        # The library raises plain Exception.
        return answering("Qdrant Edge", str(self._folder), Exception)
