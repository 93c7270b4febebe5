"""PostgreSQL with pgvector: a table with a column a kind of vectors, and one a field.

The graph is HNSW over float32 (`vector`, up to 2,000 dimensions), never over half precision. Sparse vectors have no
graph: pgvector's takes 1,000 weights a vector, is slow to build, and was measured slower and less complete than reading
every row. A search of a graph under a filter comes short unless `hnsw.iterative_scan` is on, which it is here, and must
be in the sessions of whoever searches. An ordering by the distance plus 0 reads every row: no index can give it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from rankdistill._extras import require
from rankdistill.engines.base import ID, POSITION, TEXT, Batch, Leg, LegName, Look, Shape
from rankdistill.engines.registry import shown
from rankdistill.engines.results import answering, ranked
from rankdistill.errors import ConfigError
from rankdistill.indexing.base import Ids, Scores
from rankdistill.notes import note as tell_note

LONGEST_GRAPH = 2000
"""Dimensions of a vector that the graph takes."""

MOST_WEIGHTS = 16_000
"""Weights of a sparse vector that a column takes."""

LARGEST_EF = 1000
"""Candidates of a search."""

LEAST_MEMORY, MOST_MEMORY = 64, 2048
"""MB for building a graph: between them, as much as the graph needs; it is many times slower where it has less."""

COLUMN_TYPES: Mapping[str, str] = {
    "string": "text",
    "integer": "bigint",
    "number": "double precision",
    "boolean": "boolean",
    "date": "timestamptz",
    "strings": "text[]",
}
"""Type of a field -> that of its column."""

_COPIED = {"bigint": "int8", "double precision": "float8", "boolean": "bool"}

_OPERATORS = {"cosine": ("<=>", "vector_cosine_ops"), "dot": ("<#>", "vector_ip_ops")}


class PostgresTable:
    """One table.

    Args:
        url: `postgresql://USER@HOST/DATABASE`.
        collection: the table, in the schema that the connection's search path names first.
        secret: password.
    """

    name = "pgvector"
    kinds: ClassVar[tuple[LegName, ...]] = ("dense", "sparse")

    def __init__(self, url: str, collection: str, secret: str | None = None) -> None:
        self._psycopg = require("psycopg", "pushing to PostgreSQL")
        self._types = require("pgvector.psycopg", "pushing to PostgreSQL")
        self.collection, self._url, self._secret = collection, url, secret
        self._table = self._psycopg.sql.Identifier(collection)
        with self._answering():
            password = {} if secret is None else {"password": secret}
            self._connection = self._psycopg.connect(url, autocommit=True, **password)
            self._connection.execute("SET timezone = 'UTC'")
            self._register()

    @property
    def version(self) -> str:
        """Of the server and of the extension."""
        server = self._one("SHOW server_version")
        extension = self._one("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
        return f"{extension} on PostgreSQL {server.split()[0]}"

    def read_note(self) -> str | None:
        """See `Engine.read_note`."""
        found = self._one("SELECT to_regclass(%s)", [self._quoted])
        if found is None:
            return None
        return self._one("SELECT obj_description(to_regclass(%s), 'pg_class')", [self._quoted]) or ""

    def keep_note(self, note: str) -> None:
        """See `Engine.keep_note`."""
        self._run("COMMENT ON TABLE {table} IS {note}", note=self._psycopg.sql.Literal(note))

    def create(self, shape: Shape, note: str) -> None:
        """See `Engine.create`.

        Raises:
            ConfigError: vectors too long for the graph.
        """
        dense = shape.legs.get("dense")
        if dense is not None and not shape.exact and dense.space.dimension > LONGEST_GRAPH:
            raise ConfigError(
                expected=f"vectors of at most {LONGEST_GRAPH:,} dimensions for pgvector's graph",
                got=f"{dense.space.dimension:,}",
                consequence="nothing was pushed: half precision would be needed, which is not taken silently",
                remedy="give --exact, or push to another engine",
            )
        with self._answering():
            self._connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            self._register()
        columns = {ID: "text PRIMARY KEY", POSITION: "bigint NOT NULL"}
        columns |= {TEXT: "text"} if shape.texts else {}
        columns |= {name: COLUMN_TYPES[kind] for name, kind in shape.fields.items()}
        for name, leg in shape.legs.items():
            columns[name] = f"{'vector' if name == 'dense' else 'sparsevec'}({leg.space.dimension}) NOT NULL"
        sql = self._psycopg.sql
        written = sql.SQL(", ").join(
            sql.SQL("{} " + kind).format(sql.Identifier(column)) for column, kind in columns.items()
        )
        with self._answering(), self._connection.transaction():
            self._run("CREATE TABLE {table} ({columns})", columns=written)
            self.keep_note(note)

    def drop(self) -> None:
        """See `Engine.drop`."""
        self._run("DROP TABLE {table}")

    def rewind(self, position: int) -> None:
        """See `Engine.rewind`."""
        self._run("DELETE FROM {table} WHERE position >= {at}", at=self._psycopg.sql.Literal(position))

    def write(self, batch: Batch) -> None:
        """See `Engine.write`; a batch is one transaction.

        Raises:
            ConfigError: a sparse vector with more weights than a column takes.
        """
        from pgvector import SparseVector, Vector

        sql = self._psycopg.sql
        columns = self._columns()
        terms = list(batch.terms()) if batch.sparse is not None else []
        if (most := max((len(weights) for _, weights in terms), default=0)) > MOST_WEIGHTS:
            raise ConfigError(
                expected=f"sparse vectors of at most {MOST_WEIGHTS:,} weights",
                got=f"{most:,}",
                consequence="this batch was not written",
                remedy="train a sparser model, or push to another engine",
            )
        with self._answering(), self._connection.cursor() as cursor:
            names = sql.SQL(", ").join(map(sql.Identifier, columns))
            command = sql.SQL("COPY {} ({}) FROM STDIN WITH (FORMAT binary)").format(self._table, names)
            with cursor.copy(command) as copy:
                copy.set_types(list(columns.values()))
                for row, payload in enumerate(batch.payloads()):
                    if batch.dense is not None:
                        payload["dense"] = Vector(batch.dense[row])
                    if terms:
                        places, weights = terms[row]
                        payload["sparse"] = SparseVector(dict(zip(places, weights, strict=True)), batch.sparse.shape[1])
                    copy.write_row([_plain(payload.get(name), kind) for name, kind in columns.items()])

    def finish(self, shape: Shape) -> None:
        """See `Engine.finish`: indexes on the fields, and the graph."""
        for name, kind in shape.fields.items():
            self._index(name, "gin" if kind == "strings" else "btree", "")
        dense = shape.legs.get("dense")
        if dense is not None and not shape.exact:
            megabytes = shape.documents * (dense.space.dimension * 4 + shape.m * 16 + 256) * 1.2 / 1e6
            memory = int(min(max(megabytes, LEAST_MEMORY), MOST_MEMORY))
            self._run("SET maintenance_work_mem = {memory}", memory=self._psycopg.sql.Literal(f"{memory}MB"))
            try:
                self._graph(shape, dense)
            finally:
                self._run("RESET maintenance_work_mem")
            tell_note(
                "pgvector: `SET hnsw.iterative_scan = strict_order` in the sessions that search with a WHERE; without "
                "it they find too few"
            )
        self._run("ANALYZE {table}")

    def count(self) -> int:
        """See `Engine.count`."""
        return int(self._one("SELECT count(*) FROM {table}"))

    def search(self, leg: Leg, queries: Any, look: Look) -> tuple[Ids, Scores]:
        """See `Engine.search`; sparse searches are always exact."""
        from pgvector import SparseVector, Vector

        if leg.name == "dense":
            asked: list[Any] = [Vector(np.asarray(query, np.float32)) for query in queries]
        else:
            terms = Batch(0, [""] * queries.shape[0], sparse=queries).terms()
            asked = [
                SparseVector(dict(zip(places, weights, strict=True)), queries.shape[1]) for places, weights in terms
            ]
        operator, _ = _OPERATORS[leg.space.similarity if leg.name == "dense" else "dot"]
        exact = look.exact or leg.name == "sparse"
        # Documents that share no term with the query are no result, as in every inverted index.
        shared = f"WHERE sparse {operator} %(query)s < 0" if leg.name == "sparse" else ""
        order = f"({leg.name} {operator} %(query)s) + 0, position" if exact else f"{leg.name} {operator} %(query)s"
        statement = self._psycopg.sql.SQL(
            f"SELECT {ID}, {leg.name} {operator} %(query)s, {POSITION} FROM {{}} {shared} ORDER BY {order} LIMIT %(k)s"
        ).format(self._table)
        rows = []
        with self._answering(), self._connection.transaction():
            if not exact:
                depth = min(max(look.ef, look.k), LARGEST_EF)
                self._connection.execute(f"SET LOCAL hnsw.ef_search = {depth}")
                self._connection.execute("SET LOCAL hnsw.iterative_scan = strict_order")
            for query in asked:
                found = self._connection.execute(statement, {"query": query, "k": look.k}).fetchall()
                start = 1.0 if operator == "<=>" else 0.0
                rows.append([(doc_id, start - distance, position) for doc_id, distance, position in found])
        return ranked(rows, look.k)

    def close(self) -> None:
        """See `Engine.close`."""
        self._connection.close()

    def _graph(self, shape: Shape, leg: Leg) -> None:
        _, operators = _OPERATORS[leg.space.similarity]
        settings = f"WITH (m = {shape.m}, ef_construction = {max(shape.ef_construction, 2 * shape.m)})"
        try:
            self._connection.execute(self._index_of("dense", "hnsw", operators, settings))
        except self._psycopg.errors.DiskFull:
            # Containers often have little shared memory, which workers that build together need.
            with self._answering():
                self._connection.execute("SET max_parallel_maintenance_workers = 0")
                self._connection.execute(self._index_of("dense", "hnsw", operators, settings))
                self._connection.execute("RESET max_parallel_maintenance_workers")
        except self._psycopg.Error:
            with self._answering():
                raise

    def _index(self, column: str, method: str, operators: str) -> None:
        with self._answering():
            self._connection.execute(self._index_of(column, method, operators, ""))

    def _index_of(self, column: str, method: str, operators: str, settings: str) -> Any:
        sql = self._psycopg.sql
        name = sql.Identifier(f"{self.collection[:30]}_{column[:24]}_{method}")
        return sql.SQL(f"CREATE INDEX IF NOT EXISTS {{}} ON {{}} USING {method} ({{}} {operators}) {settings}").format(
            name, self._table, sql.Identifier(column)
        )

    def _columns(self) -> dict[str, str]:
        """The table's columns, each with its type as COPY wants it."""
        with self._answering():
            found = self._connection.execute(
                "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute "
                "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
                [self._quoted],
            ).fetchall()
        return {
            name: _COPIED.get(kind, kind.replace("timestamp with time zone", "timestamptz")) for name, kind in found
        }

    @property
    def _quoted(self) -> str:
        with self._answering():
            return str(self._table.as_string(self._connection))

    def _register(self) -> None:
        """Let values of the extension's types through, where it is there already."""
        if self._one("SELECT to_regtype('vector')") is not None:
            self._types.register_vector(self._connection)

    def _one(self, statement: str, values: Any = None) -> Any:
        with self._answering():
            asked = self._psycopg.sql.SQL(statement).format(table=self._table)
            row = self._connection.execute(asked, values).fetchone()
        return None if row is None else row[0]

    def _run(self, statement: str, **parts: Any) -> None:
        with self._answering():
            self._connection.execute(self._psycopg.sql.SQL(statement).format(table=self._table, **parts))

    @contextmanager
    def _answering(self) -> Iterator[None]:
        with answering("PostgreSQL", self._url, self._psycopg.Error, self._secret):
            yield


def _plain(value: Any, kind: str) -> Any:
    """A value as its column takes it: dates as such, texts without the null character, which PostgreSQL has not."""
    from datetime import UTC, datetime

    if isinstance(value, str):
        if kind == "timestamptz":
            found = datetime.fromisoformat(value)
            return found if found.tzinfo else found.replace(tzinfo=UTC)
        return value.replace("\0", "")
    return [one.replace("\0", "") for one in value] if isinstance(value, list) else value


def open_engine(url: str, collection: str, secret: str | None) -> PostgresTable:
    """The table `collection` of the database at `url`.

    Raises:
        ConfigError: another kind of URL, or a name that is too long.
    """
    if not url.startswith(("postgresql://", "postgres://")):
        raise ConfigError(
            expected="postgresql://USER@HOST:PORT/DATABASE",
            got=shown(url),
            consequence="nothing was run",
            remedy="give one; the password through --api-key-env",
        )
    if len(collection.encode()) > 63:
        raise ConfigError(
            expected="a table's name of at most 63 bytes",
            got=collection,
            consequence="nothing was run: PostgreSQL would cut it",
            remedy="give a shorter one",
        )
    return PostgresTable(url, collection, secret)
