"""Elasticsearch 9: an index with a `dense_vector` and a `sparse_vector`.

Two of its defaults would change results: from 9.1 on vectors of 384 dimensions and more are quantised to single bits
(`bbq_hnsw`), and searches of sparse vectors leave terms out. Here the index is `hnsw`, or `flat`, over float32, and
nothing is pruned.
"""

from __future__ import annotations

from typing import Any

from rankdistill._extras import require
from rankdistill.engines.base import Leg, Look, Shape
from rankdistill.engines.json_index import (
    NOTE,
    TIMEOUT,
    TRIES,
    JsonIndex,
    answer_of,
    kept_properties,
    require_web,
)

SIMILARITIES = {"cosine": "cosine", "dot": "max_inner_product"}

MOST_CANDIDATES = 10_000


class Elasticsearch:
    """How Elasticsearch says it; see `Dialect`."""

    name, title = "elasticsearch", "Elasticsearch"

    def index_body(self, shape: Shape, note: str) -> dict[str, Any]:
        """See `Dialect.index_body`."""
        properties = kept_properties(shape)
        if (dense := shape.legs.get("dense")) is not None:
            graph = {"type": "hnsw", "m": shape.m, "ef_construction": shape.ef_construction}
            properties["dense"] = {
                "type": "dense_vector",
                "dims": dense.space.dimension,
                "element_type": "float",
                "index": True,
                "similarity": SIMILARITIES[dense.space.similarity],
                "index_options": {"type": "flat"} if shape.exact else graph,
            }
        if "sparse" in shape.legs:
            properties["sparse"] = {"type": "sparse_vector", "index_options": {"prune": False}}
        return {
            "mappings": {"dynamic": "strict", "_meta": {NOTE: note}, "properties": properties},
        }

    def search_body(self, leg: Leg, query: Any, look: Look) -> dict[str, Any]:
        """See `Dialect.search_body`."""
        if leg.name == "sparse":
            asked = {"sparse_vector": {"field": "sparse", "query_vector": query, "prune": False}}
            return answer_of(look) | {"query": asked}
        if look.exact:
            source = (
                "cosineSimilarity(params.query, 'dense') + 1.0"
                if leg.space.similarity == "cosine"
                else "double dot = dotProduct(params.query, 'dense'); return dot < 0 ? 1 / (1 - dot) : dot + 1;"
            )
            script = {"source": source, "params": {"query": query}}
            return answer_of(look) | {"query": {"script_score": {"query": {"match_all": {}}, "script": script}}}
        candidates = min(max(look.ef, look.k), MOST_CANDIDATES)
        return answer_of(look) | {
            "knn": {"field": "dense", "query_vector": query, "k": look.k, "num_candidates": candidates}
        }

    def score(self, leg: Leg, value: float, look: Look) -> float:
        """See `Dialect.score`."""
        if leg.name == "sparse":
            return value
        if leg.space.similarity == "cosine":
            return value - 1 if look.exact else 2 * value - 1
        return value - 1 if value >= 1 else 1 - 1 / value

    def parameters(self) -> dict[str, str]:
        """See `Dialect.parameters`."""
        return {}

    def connect(self, url: str, secret: str | None) -> Any:
        """The client; `secret` is an API key, or `USER:PASSWORD`."""
        library = require("elasticsearch", "pushing to Elasticsearch")
        keys: dict[str, Any] = {}
        if secret is not None:
            user, colon, password = secret.partition(":")
            keys = {"basic_auth": (user, password)} if colon else {"api_key": secret}
        return library.Elasticsearch(
            url, request_timeout=TIMEOUT, max_retries=TRIES, retry_on_status=(429, 502, 503, 504), **keys
        )

    def errors(self) -> tuple[type[BaseException], ...]:
        """See `Dialect.errors`."""
        library = require("elasticsearch", "pushing to Elasticsearch")
        return (library.ApiError, library.TransportError, ValueError)


def open_engine(url: str, collection: str, secret: str | None) -> JsonIndex:
    """The index `collection` of the server at `url`; raises ConfigError for another kind of URL."""
    require_web(url)
    return JsonIndex(Elasticsearch(), url, collection, secret)
