"""Cohere's `POST /v2/rerank`: relevance between 0 and 1, billed in searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rankdistill.teachers.base import ScoreKind
from rankdistill.teachers.http.answers import Answer, by_index, count_in
from rankdistill.teachers.http.client import Client
from rankdistill.teachers.http.settings import Settings
from rankdistill.teachers.http.usage import Usage


class CohereApi:
    """Asks for the score of every document (`top_n` would drop the others).

    Args:
        settings: of the teacher.
    """

    score_kind: ScoreKind = "probability"
    max_batch: int | None = 1000
    characters_around = 0

    def __init__(self, settings: Settings) -> None:
        self._model = settings.model

    def fixed(self) -> Mapping[str, Any]:
        """The model."""
        return {"model": self._model}

    def body(self, query: str, documents: Sequence[str]) -> Mapping[str, Any]:
        """Query and documents."""
        return {"query": query, "documents": list(documents), "top_n": len(documents)}

    def read(self, answer: Any, documents: int) -> Answer:
        """The scores, and the search units billed."""
        rows = answer.get("results") if isinstance(answer, dict) else None
        searches = count_in(answer, "meta", "billed_units", "search_units")
        return Answer(by_index(rows, "relevance_score", documents, answer), Usage(searches=searches))

    def server(self, client: Client) -> Mapping[str, Any]:
        """Nothing: Cohere tells no more than the model's name."""
        return {}
