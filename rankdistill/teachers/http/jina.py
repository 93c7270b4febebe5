"""Jina's `POST /v1/rerank`, which vLLM, Infinity and others speak too: relevance, billed in tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rankdistill.teachers.base import ScoreKind
from rankdistill.teachers.http.answers import Answer, by_index, count_in, name_in
from rankdistill.teachers.http.client import Client
from rankdistill.teachers.http.settings import Settings
from rankdistill.teachers.http.usage import Usage


class JinaApi:
    """Asks for the score of every document, without their texts.

    Args:
        settings: of the teacher; `revision` must be the `model` of the answers.
    """

    score_kind: ScoreKind = "probability"
    max_batch: int | None = None
    characters_around = 0

    def __init__(self, settings: Settings) -> None:
        self._model = settings.model

    def fixed(self) -> Mapping[str, Any]:
        """The model, and no texts in the answer."""
        return {"model": self._model, "return_documents": False}

    def body(self, query: str, documents: Sequence[str]) -> Mapping[str, Any]:
        """Query and documents."""
        return {"query": query, "documents": list(documents), "top_n": len(documents)}

    def read(self, answer: Any, documents: int) -> Answer:
        """The scores, the tokens used, and the model that answered."""
        rows = answer.get("results") if isinstance(answer, dict) else None
        usage = Usage(tokens=count_in(answer, "usage", "total_tokens"))
        return Answer(by_index(rows, "relevance_score", documents, answer), usage, name_in(answer))

    def server(self, client: Client) -> Mapping[str, Any]:
        """Nothing before the first answer."""
        return {}
