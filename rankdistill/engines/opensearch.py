"""OpenSearch 2.19 or later: an index with a `knn_vector` and `rank_features`.

Its `sparse_vector` quantises and is approximate, so sparse vectors are `rank_features`, which an inverted index
searches whole. A search pipeline of the index may make them two-phase, which leaves terms out: searches ask for none,
and the index has none by default. Dense vectors are in a graph of Lucene over float32, or in none.
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
from rankdistill.errors import ConfigError

SPACES = {"cosine": "cosinesimil", "dot": "innerproduct"}

NO_PIPELINE = "_none"


class OpenSearch:
    """How OpenSearch says it; see `Dialect`."""

    name, title = "opensearch", "OpenSearch"

    def index_body(self, shape: Shape, note: str) -> dict[str, Any]:
        """See `Dialect.index_body`."""
        properties = kept_properties(shape)
        dense = shape.legs.get("dense")
        if dense is not None:
            properties["dense"] = {
                "type": "knn_vector",
                "dimension": dense.space.dimension,
                "data_type": "float",
            }
            if not shape.exact:
                properties["dense"]["method"] = {
                    "name": "hnsw",
                    "engine": "lucene",
                    "space_type": SPACES[dense.space.similarity],
                    "parameters": {"m": shape.m, "ef_construction": shape.ef_construction},
                }
        if "sparse" in shape.legs:
            properties["sparse"] = {"type": "rank_features"}
        index: dict[str, Any] = {"search.default_pipeline": NO_PIPELINE}
        if dense is not None:
            index["knn"] = not shape.exact
        return {
            "settings": {"index": index},
            "mappings": {"dynamic": "strict", "_meta": {NOTE: note}, "properties": properties},
        }

    def search_body(self, leg: Leg, query: Any, look: Look) -> dict[str, Any]:
        """See `Dialect.search_body`."""
        if leg.name == "sparse":
            return answer_of(look) | {"query": {"neural_sparse": {"sparse": {"query_tokens": query}}}}
        if look.exact:
            space = SPACES[leg.space.similarity]
            script = {
                "lang": "knn",
                "source": "knn_score",
                "params": {"field": "dense", "query_value": query, "space_type": space},
            }
            return answer_of(look) | {"query": {"script_score": {"query": {"match_all": {}}, "script": script}}}
        asked = {"vector": query, "k": max(look.k, look.ef)}
        return answer_of(look) | {"query": {"knn": {"dense": asked}}}

    def score(self, leg: Leg, value: float, look: Look) -> float:
        """See `Dialect.score`."""
        if leg.name == "sparse":
            return value
        if leg.space.similarity == "cosine":
            return value - 1 if look.exact else 2 * value - 1
        return value - 1 if value >= 1 else 1 - 1 / value

    def parameters(self) -> dict[str, str]:
        """No pipeline stands between a search and what is asked."""
        return {"search_pipeline": NO_PIPELINE}

    def connect(self, url: str, secret: str | None) -> Any:
        """The client; `secret` is `USER:PASSWORD`.

        Raises:
            ConfigError: another form of it.
        """
        library = require("opensearchpy", "pushing to OpenSearch")
        keys: dict[str, Any] = {}
        if secret is not None:
            user, colon, password = secret.partition(":")
            if not colon:
                raise ConfigError(
                    expected="USER:PASSWORD in the variable that --api-key-env names: OpenSearch has no API keys",
                    got="a text without a colon",
                    consequence="nothing was sent",
                    remedy="export it in that form",
                )
            keys = {"http_auth": (user, password)}
        return library.OpenSearch(
            url, timeout=TIMEOUT, max_retries=TRIES, retry_on_status=(429, 502, 503, 504), retry_on_timeout=True, **keys
        )

    def errors(self) -> tuple[type[BaseException], ...]:
        """See `Dialect.errors`."""
        library = require("opensearchpy", "pushing to OpenSearch")
        return (library.exceptions.OpenSearchException, OSError, ValueError)


def open_engine(url: str, collection: str, secret: str | None) -> JsonIndex:
    """The index `collection` of the server at `url`; raises ConfigError for another kind of URL."""
    require_web(url)
    return JsonIndex(OpenSearch(), url, collection, secret)
