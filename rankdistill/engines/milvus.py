"""Milvus: a server, Milvus Lite, or Zilliz Cloud.

Dense vectors are in an HNSW graph, or FLAT where it is to be exact: a collection has one or the other, so that one with
a graph cannot be searched exactly. Sparse vectors are in an inverted index that drops nothing, and are always searched
exactly. A vector without terms, which Milvus does not take, gets one term behind the vocabulary, which no query has.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from rankdistill._extras import require
from rankdistill.engines.base import ID, POSITION, TEXT, Batch, Leg, LegName, Look, Shape
from rankdistill.engines.registry import shown
from rankdistill.engines.results import answering, ranked
from rankdistill.errors import ConfigError
from rankdistill.indexing.base import Ids, Scores
from rankdistill.indexing.filters.types import span

NOTE = "rankdistill"
"""Key of the note among the collection's properties."""

LONGEST_TEXT = 65_535
"""Bytes of a text that a field takes; of longer ones it gets the beginning."""

MOST_TEXTS = 4096
"""Members of a set."""

ASKED_AT_ONCE = 64
"""Queries of a request."""

_METRICS = {"cosine": "COSINE", "dot": "IP"}

_TYPES: Mapping[str, str] = {
    "string": "VARCHAR",
    "integer": "INT64",
    "number": "DOUBLE",
    "boolean": "BOOL",
    "date": "INT64",
    "strings": "ARRAY",
}
"""Type of a field -> Milvus's; a date is microseconds since 1970."""


class MilvusCollection:
    """One collection.

    Args:
        url: `http://HOST:19530`, `https://...`, or a file `NAME.db`, which Milvus Lite opens inside this process.
        collection: its name.
        secret: `USER:PASSWORD`, or a key of Zilliz Cloud.
    """

    name = "milvus"
    kinds: ClassVar[tuple[LegName, ...]] = ("dense", "sparse")

    def __init__(self, url: str, collection: str, secret: str | None = None) -> None:
        self._library = require("pymilvus", "pushing to Milvus")
        self.collection, self._url, self._secret = collection, url, secret
        with self._answering():
            self._client = self._library.MilvusClient(url, token=secret or "", timeout=60)

    @property
    def version(self) -> str:
        """Of the server."""
        with self._answering():
            return str(self._client.get_server_version())

    def read_note(self) -> str | None:
        """See `Engine.read_note`."""
        with self._answering():
            if not self._client.has_collection(self.collection):
                return None
            found = self._client.describe_collection(self.collection)
        return str(found.get("properties", {}).get(NOTE, ""))

    def keep_note(self, note: str) -> None:
        """See `Engine.keep_note`."""
        with self._answering():
            self._client.alter_collection_properties(self.collection, properties={NOTE: note})

    def create(self, shape: Shape, note: str) -> None:
        """See `Engine.create`."""
        types = self._library.DataType
        schema = self._library.MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field(ID, types.VARCHAR, is_primary=True, max_length=LONGEST_TEXT)
        schema.add_field(POSITION, types.INT64)
        if shape.texts:
            schema.add_field(TEXT, types.VARCHAR, max_length=LONGEST_TEXT, nullable=True)
        for name, kind in shape.fields.items():
            sizes: dict[str, Any] = {"max_length": LONGEST_TEXT} if kind in ("string", "strings") else {}
            if kind == "strings":
                sizes |= {"element_type": types.VARCHAR, "max_capacity": MOST_TEXTS}
            schema.add_field(name, getattr(types, _TYPES[kind]), nullable=True, **sizes)
        indexes = self._client.prepare_index_params()
        if (dense := shape.legs.get("dense")) is not None:
            schema.add_field("dense", types.FLOAT_VECTOR, dim=dense.space.dimension)
            graph = {"M": shape.m, "efConstruction": shape.ef_construction}
            indexes.add_index(
                "dense",
                index_type="FLAT" if shape.exact else "HNSW",
                metric_type=_METRICS[dense.space.similarity],
                params={} if shape.exact else graph,
            )
        if "sparse" in shape.legs:
            schema.add_field("sparse", types.SPARSE_FLOAT_VECTOR)
            indexes.add_index(
                "sparse",
                index_type="SPARSE_INVERTED_INDEX",
                metric_type="IP",
                params={"inverted_index_algo": "DAAT_MAXSCORE"},
            )
        with self._answering():
            self._client.create_collection(
                self.collection,
                schema=schema,
                index_params=indexes,
                consistency_level="Strong",
                properties={NOTE: note},
            )
        if not self.read_note():
            self.keep_note(note)

    def drop(self) -> None:
        """See `Engine.drop`."""
        with self._answering():
            self._client.drop_collection(self.collection)

    def rewind(self, position: int) -> None:
        """See `Engine.rewind`: what is written twice is replaced."""

    def write(self, batch: Batch) -> None:
        """See `Engine.write`."""
        with self._answering():
            kinds = self._kinds()
            terms = list(batch.terms()) if batch.sparse is not None else []
            rows = []
            for row, payload in enumerate(batch.payloads()):
                kept = {name: _value(payload.get(name), kind) for name, kind in kinds.items()}
                if batch.dense is not None:
                    kept["dense"] = batch.dense[row]
                if terms:
                    kept["sparse"] = dict(zip(*terms[row], strict=True)) or {batch.sparse.shape[1]: 1.0}
                rows.append(kept)
            self._client.upsert(self.collection, rows)

    def finish(self, shape: Shape) -> None:
        """See `Engine.finish`."""
        with self._answering():
            self._client.flush(self.collection)
            self._client.load_collection(self.collection)

    def count(self) -> int:
        """See `Engine.count`."""
        with self._answering():
            self._client.load_collection(self.collection)
            found = self._client.query(
                self.collection, filter="", output_fields=["count(*)"], consistency_level="Strong"
            )
        return int(found[0]["count(*)"])

    def search(self, leg: Leg, queries: Any, look: Look) -> tuple[Ids, Scores]:
        """See `Engine.search`; sparse searches are always exact."""
        rows: list[list[tuple[str, float, int]]] = [[] for _ in range(queries.shape[0])]
        if leg.name == "dense":
            asked: dict[int, Any] = dict(enumerate(queries))
            if look.exact:
                self._require_flat()
            parameters = {} if look.exact else {"ef": max(look.ef, look.k)}
        else:
            terms = Batch(0, [""] * queries.shape[0], sparse=queries).terms()
            vectors = (dict(zip(places, weights, strict=True)) for places, weights in terms)
            asked = {row: vector for row, vector in enumerate(vectors) if vector}
            parameters = {}
        places = list(asked)
        with self._answering():
            for at in range(0, len(places), ASKED_AT_ONCE):
                some = places[at : at + ASKED_AT_ONCE]
                answers = self._client.search(
                    self.collection,
                    [asked[row] for row in some],
                    anns_field=leg.name,
                    limit=look.k,
                    output_fields=[POSITION],
                    search_params={"params": parameters},
                    consistency_level="Strong",
                )
                for row, hits in zip(some, answers, strict=True):
                    rows[row] = [(hit[ID], hit["distance"], hit["entity"][POSITION]) for hit in hits]
        return ranked(rows, look.k)

    def close(self) -> None:
        """See `Engine.close`."""
        self._client.close()

    def _kinds(self) -> dict[str, str]:
        """The collection's fields but for its vectors: name -> what `_value` makes of them."""
        found = {}
        for field in self._client.describe_collection(self.collection)["fields"]:
            if field["name"] not in ("dense", "sparse"):
                found[field["name"]] = getattr(field["type"], "name", str(field["type"]))
        return found

    def _require_flat(self) -> None:
        with self._answering():
            found = self._client.describe_index(self.collection, "dense")
        if found.get("index_type") != "FLAT":
            raise ConfigError(
                expected="a Milvus collection without a graph, where every score is to be computed",
                got=f"{self.collection!r}, whose index is {found.get('index_type')}",
                consequence="nothing was searched",
                remedy="leave --exact out, or push the index again with --exact into another collection",
            )

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Its errors as ours; what the library logs of them besides stays out of sight."""
        logger = logging.getLogger("pymilvus")
        before = logger.disabled
        logger.disabled = True
        try:
            with answering("Milvus", self._url, (self._library.MilvusException, OSError, ValueError), self._secret):
                yield
        finally:
            logger.disabled = before


def _value(value: Any, kind: str) -> Any:
    """A field's value as Milvus takes it."""
    if isinstance(value, str):
        return span(value).start if kind == "INT64" else _cut(value)
    if isinstance(value, list):
        return [_cut(one) for one in value[:MOST_TEXTS]]
    return value


def _cut(text: str) -> str:
    return text if len(text) * 4 <= LONGEST_TEXT else text.encode()[:LONGEST_TEXT].decode(errors="ignore")


def open_engine(url: str, collection: str, secret: str | None) -> MilvusCollection:
    """The collection `collection` of the server at `url`.

    Raises:
        ConfigError: another kind of URL.
    """
    if not url.startswith(("http://", "https://", "tcp://")) and not url.endswith(".db"):
        raise ConfigError(
            expected="http://HOST:19530, https://..., or a file NAME.db for Milvus Lite",
            got=shown(url),
            consequence="nothing was run",
            remedy="give one of these",
        )
    return MilvusCollection(url, collection, secret)
