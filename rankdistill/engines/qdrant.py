"""Qdrant: a server, or a folder that its core opens inside this process (`qdrant_edge`).

Vectors are kept in float32, and no quantisation is asked for. Sparse vectors are searched exactly, through an inverted
index. A point's id is made from the document's, so that one written twice is one.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from rankdistill._extras import require
from rankdistill.engines.base import ID, POSITION, Batch, Leg, LegName, Look, Shape
from rankdistill.engines.qdrant_points import FIELD_TYPES, point_id
from rankdistill.engines.registry import shown
from rankdistill.engines.results import answering, ranked
from rankdistill.errors import ConfigError, RemoteError
from rankdistill.indexing.base import Ids, Scores

NOTE = "rankdistill"
"""Key of the note in the collection's metadata, which Qdrant has from 1.16 on."""

TIMEOUT = 300
"""Seconds that an answer may take."""


class QdrantCollection:
    """One collection of a server.

    Args:
        url: `http://HOST:6333` or `https://HOST`.
        collection: its name.
        secret: API key.
        client: in place of one for `url`.
    """

    name = "qdrant"
    kinds: ClassVar[tuple[LegName, ...]] = ("dense", "sparse")

    def __init__(self, url: str, collection: str, secret: str | None = None, client: Any = None) -> None:
        library = require("qdrant_client", "pushing to Qdrant")
        self.collection, self._url, self._secret, self._models = collection, url, secret, library.models
        with self._answering():
            self._client = client or library.QdrantClient(
                url=url, api_key=secret, timeout=TIMEOUT, check_compatibility=False
            )

    @property
    def version(self) -> str:
        """Of the server."""
        with self._answering():
            return str(self._client.info().version)

    def read_note(self) -> str | None:
        """See `Engine.read_note`."""
        with self._answering():
            if not self._client.collection_exists(self.collection):
                return None
            kept = self._client.get_collection(self.collection).config.metadata or {}
        note = kept.get(NOTE)
        return json.dumps(note) if note else ""

    def keep_note(self, note: str) -> None:
        """See `Engine.keep_note`."""
        with self._answering():
            self._client.update_collection(self.collection, metadata={NOTE: json.loads(note)})

    def create(self, shape: Shape, note: str) -> None:
        """See `Engine.create`.

        Raises:
            RemoteError: the server is older than 1.16 and does not keep the note.
        """
        models = self._models
        dense, sparse = shape.legs.get("dense"), shape.legs.get("sparse")
        graph = models.HnswConfigDiff(m=0 if shape.exact else shape.m, ef_construct=shape.ef_construction)
        with self._answering():
            self._client.create_collection(
                self.collection,
                vectors_config={}
                if dense is None
                else {
                    "dense": models.VectorParams(
                        size=dense.space.dimension,
                        distance=models.Distance.COSINE if dense.space.similarity == "cosine" else models.Distance.DOT,
                        hnsw_config=graph,
                        datatype=models.Datatype.FLOAT32,
                    )
                },
                sparse_vectors_config=None
                if sparse is None
                else {
                    "sparse": models.SparseVectorParams(
                        index=models.SparseIndexParams(datatype=models.Datatype.FLOAT32)
                    )
                },
                metadata={NOTE: json.loads(note)},
            )
            for name, kind in {POSITION: "integer", **shape.fields}.items():
                self._client.create_payload_index(self.collection, name, FIELD_TYPES[kind], wait=True)
        if not self.read_note():
            self.drop()
            raise RemoteError(
                expected="a Qdrant that keeps a collection's metadata: 1.16 or later",
                got=f"version {self.version}, which keeps none",
                consequence="nothing was pushed: of which space the vectors are would be lost",
                remedy="upgrade Qdrant",
            )

    def drop(self) -> None:
        """See `Engine.drop`."""
        with self._answering():
            self._client.delete_collection(self.collection)

    def rewind(self, position: int) -> None:
        """See `Engine.rewind`: what is written twice is replaced."""

    def write(self, batch: Batch) -> None:
        """See `Engine.write`."""
        models = self._models
        terms = list(batch.terms()) if batch.sparse is not None else []
        points = []
        for row, payload in enumerate(batch.payloads()):
            vector: dict[str, Any] = {}
            if batch.dense is not None:
                vector["dense"] = batch.dense[row].tolist()
            if terms:
                vector["sparse"] = models.SparseVector(indices=terms[row][0], values=terms[row][1])
            points.append(models.PointStruct(id=point_id(payload[ID]), vector=vector, payload=payload))
        with self._answering():
            self._client.upsert(self.collection, points, wait=True)

    def finish(self, shape: Shape) -> None:
        """See `Engine.finish`: points are found as soon as they are written; graphs grow in the background."""

    def count(self) -> int:
        """See `Engine.count`."""
        with self._answering():
            return int(self._client.count(self.collection, exact=True).count)

    def search(self, leg: Leg, queries: Any, look: Look) -> tuple[Ids, Scores]:
        """See `Engine.search`; sparse searches are always exact."""
        models = self._models
        if leg.name == "dense":
            asked: list[Any] = [query.tolist() for query in queries]
        else:
            terms = Batch(0, [""] * queries.shape[0], sparse=queries).terms()
            asked = [models.SparseVector(indices=places, values=weights) for places, weights in terms]
        requests = [
            models.QueryRequest(
                query=one,
                using=leg.name,
                limit=look.k,
                with_payload=[ID, POSITION],
                params=models.SearchParams(exact=look.exact, hnsw_ef=max(look.ef, look.k)),
            )
            for one in asked
        ]
        with self._answering():
            answers = self._client.query_batch_points(self.collection, requests)
        return ranked(
            [[(hit.payload[ID], hit.score, hit.payload[POSITION]) for hit in answer.points] for answer in answers],
            look.k,
        )

    def close(self) -> None:
        """See `Engine.close`."""
        self._client.close()

    def _answering(self) -> Any:
        from httpx import HTTPError
        from qdrant_client.http.exceptions import ApiException

        return answering(
            "Qdrant", self._url, (ApiException, HTTPError, OSError, ValueError, RuntimeError), self._secret
        )


def open_engine(url: str, collection: str, secret: str | None) -> Any:
    """The collection `collection` of the server at `url`, or in the folder `url`.

    Raises:
        ConfigError: an address of another kind.
    """
    if url.startswith(("http://", "https://")):
        return QdrantCollection(url, collection, secret)
    scheme, _, place = url.rpartition("://")
    if scheme not in ("", "edge", "file"):
        raise ConfigError(
            expected="http://HOST:6333, https://HOST, or a folder for Qdrant Edge: edge:///FOLDER",
            got=shown(url),
            consequence="nothing was run",
            remedy="give one of these; the port of gRPC is not used",
        )
    from rankdistill.engines.qdrant_edge import EdgeCollection

    return EdgeCollection(place, collection)
