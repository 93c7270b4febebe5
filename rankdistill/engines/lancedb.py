"""LanceDB: a table in a folder or an object store, searched inside this process.

It has no sparse vectors. Its usual indexes (`IVF_PQ`, `IVF_HNSW_SQ`) keep vectors in a coarser form; this one keeps
them whole (`IVF_HNSW_FLAT`, one partition), and below `GRAPH_FROM` documents none is built: a scan is as fast. A search
reads rows that were added after the index was built by a scan, so the index is built last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pyarrow as pa

from rankdistill._extras import require
from rankdistill.engines.base import ID, POSITION, TEXT, Batch, Leg, LegName, Look, Shape
from rankdistill.engines.registry import shown
from rankdistill.engines.results import answering, ranked
from rankdistill.errors import ConfigError
from rankdistill.indexing.base import Ids, Scores
from rankdistill.indexing.filters.types import span

NOTE = "rankdistill"
"""Key of the note in the metadata of the column of ids."""

GRAPH_FROM = 20_000
"""Documents from which on a graph is built."""

_METRICS = {"cosine": "cosine", "dot": "dot"}

_TYPES: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.timestamp("us", "UTC"),
    "strings": pa.list_(pa.string()),
}


class LanceTable:
    """One table.

    Args:
        url: folder, `s3://...`, `gs://...`, `az://...`, or `db://...` of LanceDB Cloud.
        collection: the table.
        secret: key of LanceDB Cloud.
    """

    name = "lancedb"
    kinds: ClassVar[tuple[LegName, ...]] = ("dense",)

    def __init__(self, url: str, collection: str, secret: str | None = None) -> None:
        library = require("lancedb", "pushing to LanceDB")
        self.collection, self._url, self._secret, self._library = collection, url, secret, library
        self._table: Any = None
        with self._answering():
            self._database = library.connect(url, **({} if secret is None else {"api_key": secret}))

    @property
    def version(self) -> str:
        """Of the library, which is the engine."""
        return str(self._library.__version__)

    def read_note(self) -> str | None:
        """See `Engine.read_note`."""
        with self._answering():
            if self.collection not in self._names():
                return None
            self._table = self._database.open_table(self.collection)
            if ID not in self._table.schema.names:
                return ""
            kept = self._table.schema.field(ID).metadata or {}
        return kept.get(NOTE.encode(), b"").decode()

    def keep_note(self, note: str) -> None:
        """See `Engine.keep_note`."""
        with self._answering():
            self._open().update_field_metadata({"path": ID, "metadata": {NOTE: note}})

    def create(self, shape: Shape, note: str) -> None:
        """See `Engine.create`."""
        columns = [
            pa.field(ID, pa.string(), nullable=False, metadata={NOTE: note}),
            pa.field(POSITION, pa.int64(), nullable=False),
            pa.field("dense", pa.list_(pa.float32(), shape.legs["dense"].space.dimension), nullable=False),
        ]
        columns += [pa.field(TEXT, pa.string())] if shape.texts else []
        columns += [pa.field(name, _TYPES[kind]) for name, kind in shape.fields.items()]
        with self._answering():
            self._table = self._database.create_table(self.collection, schema=pa.schema(columns))

    def drop(self) -> None:
        """See `Engine.drop`."""
        self._table = None
        with self._answering():
            self._database.drop_table(self.collection)

    def rewind(self, position: int) -> None:
        """See `Engine.rewind`."""
        with self._answering():
            self._open().delete(f"{POSITION} >= {position}")

    def write(self, batch: Batch) -> None:
        """See `Engine.write`; rows are added, `rewind` removes those that a killed writer added."""
        schema = self._open().schema
        rows = list(batch.payloads())
        columns = []
        for column in schema:
            if column.name == "dense":
                flat = pa.array(batch.dense.reshape(-1), pa.float32())
                columns.append(pa.FixedSizeListArray.from_arrays(flat, batch.dense.shape[1]))
            else:
                values = [row.get(column.name) for row in rows]
                if pa.types.is_timestamp(column.type):
                    values = [None if one is None else span(one).start for one in values]
                columns.append(pa.array(values, column.type))
        with self._answering():
            self._open().add(pa.Table.from_arrays(columns, schema=schema))

    def finish(self, shape: Shape) -> None:
        """See `Engine.finish`."""
        table = self._open()
        with self._answering():
            table.optimize()
            if not shape.exact and shape.documents >= GRAPH_FROM:
                table.create_index(
                    "dense",
                    config=self._library.index.HnswFlat(
                        distance_type=_METRICS[shape.legs["dense"].space.similarity],
                        num_partitions=1,
                        m=shape.m,
                        ef_construction=shape.ef_construction,
                    ),
                )

    def count(self) -> int:
        """See `Engine.count`."""
        with self._answering():
            return int(self._open().count_rows())

    def search(self, leg: Leg, queries: Any, look: Look) -> tuple[Ids, Scores]:
        """See `Engine.search`; a filter is applied before the search (`prefilter`), so none comes short."""
        metric = _METRICS[leg.space.similarity]
        rows = []
        with self._answering():
            table = self._open()
            for query in queries:
                asked = table.search(query, vector_column_name="dense").distance_type(metric).limit(look.k)
                asked = asked.bypass_vector_index() if look.exact else asked.ef(max(look.ef, look.k))
                found = asked.select([ID, POSITION, "_distance"]).to_arrow()
                scores = (1 - distance for distance in found.column("_distance").to_pylist())
                rows.append(
                    list(zip(found.column(ID).to_pylist(), scores, found.column(POSITION).to_pylist(), strict=True))
                )
        return ranked(rows, look.k)

    def close(self) -> None:
        """See `Engine.close`."""
        self._table = None

    def _names(self) -> list[str]:
        names: list[str] = []
        token = None
        while True:
            page = self._database.list_tables(page_token=token)
            names += page.tables
            if not (token := page.page_token):
                return names

    def _open(self) -> Any:
        if self._table is None:
            self._table = self._database.open_table(self.collection)
        return self._table

    def _answering(self) -> Any:
        return answering("LanceDB", self._url, (OSError, RuntimeError, ValueError), self._secret)


def open_engine(url: str, collection: str, secret: str | None) -> LanceTable:
    """The table `collection` of the database at `url`.

    Raises:
        ConfigError: an address of the web.
    """
    if url.startswith(("http://", "https://")):
        raise ConfigError(
            expected="a folder, s3://BUCKET/PREFIX, gs://..., az://..., or db://NAME of LanceDB Cloud",
            got=shown(url),
            consequence="nothing was run",
            remedy="LanceDB runs inside this process: name where its files lie",
        )
    return LanceTable(url.removeprefix("file://"), collection, secret)
