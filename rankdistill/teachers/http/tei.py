"""text-embeddings-inference: `POST /rerank` with `query` and `texts`, answered by a list of `index` and `score`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from rankdistill.teachers.base import ScoreKind
from rankdistill.teachers.http.answers import Answer, by_index
from rankdistill.teachers.http.client import Client
from rankdistill.teachers.http.settings import Settings

_REPORTED = ("model_id", "model_sha", "model_dtype", "max_input_length", "version")


class TeiApi:
    """Asks for raw scores, unless probabilities are wanted; the server cuts long documents.

    Args:
        settings: of the teacher; `revision` must be the server's `model_sha`.
    """

    score_kind: ScoreKind = "logit"
    max_batch: int | None = None
    characters_around = 0

    def __init__(self, settings: Settings) -> None:
        self._raw = settings.score_kind != "probability"

    def fixed(self) -> Mapping[str, Any]:
        """Truncation and raw scores."""
        return {"raw_scores": self._raw, "truncate": True}

    def body(self, query: str, documents: Sequence[str]) -> Mapping[str, Any]:
        """Query and texts."""
        return {"query": query, "texts": list(documents)}

    def read(self, answer: Any, documents: int) -> Answer:
        """The scores; TEI sorts them by falling score."""
        return Answer(by_index(answer, "score", documents, answer))

    def server(self, client: Client) -> Mapping[str, Any]:
        """Model, revision, dtype and version that `/info` reports; empty where there is no such page."""
        parts = urlsplit(client.connection.url)
        path = parts.path.rstrip("/").rpartition("/")[0] + "/info"
        info = client.get(urlunsplit((parts.scheme, parts.netloc, path, parts.query, "")))
        if not isinstance(info, dict):
            return {}
        return {name: info[name] for name in _REPORTED if info.get(name) is not None}
