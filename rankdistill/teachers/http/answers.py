"""What the shapes of API have in common: a request for some documents of a query, and the scores in its answer."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rankdistill.errors import TeacherError
from rankdistill.teachers.base import ScoreKind
from rankdistill.teachers.http.client import Client
from rankdistill.teachers.http.usage import Usage


@dataclass(frozen=True)
class Answer:
    """A read answer.

    Args:
        scores: one a document, in the order they were asked in.
        usage: tokens, searches and gaps it reports.
        model: the model that it names; None where it names none.
    """

    scores: list[float]
    usage: Usage = field(default_factory=Usage)
    model: str | None = None


class Api(Protocol):
    """One shape of API."""

    score_kind: ScoreKind
    """The unit of its scores unless the settings say otherwise."""

    max_batch: int | None
    """Documents a request at most, whatever the settings; None for no such limit."""

    characters_around: int
    """Characters that are sent with each document besides it and the query."""

    def fixed(self) -> Mapping[str, Any]:
        """The fields that are the same in each request; part of the teacher's fingerprint."""
        ...

    def body(self, query: str, documents: Sequence[str]) -> Mapping[str, Any]:
        """The other fields of a request."""
        ...

    def read(self, answer: Any, documents: int) -> Answer:
        """The scores in an answer about so many documents; raises TeacherError where it is not of this shape."""
        ...

    def server(self, client: Client) -> Mapping[str, Any]:
        """What the server reports about its model before any request; empty where the API offers nothing."""
        ...


def by_index(rows: Any, field: str, documents: int, answer: Any) -> list[float]:
    """Scores in the order of the documents, from rows such as `{"index": 2, "score": 0.1}` in any order.

    Raises:
        TeacherError: rows of another form; an index that is missing, doubled or out of range.
    """
    if not isinstance(rows, list):
        raise unreadable(f"a list of objects with `index` and `{field}`", "no list", answer)
    scores: dict[int, float] = {}
    for row in rows:
        index, score = (row.get("index"), row.get(field)) if isinstance(row, dict) else (None, None)
        if type(index) is not int or score is None or not is_number(score):
            raise unreadable(f"rows with an integer `index` and a number `{field}`", f"the row {row!r}", answer)
        if not 0 <= index < documents:
            raise unreadable(f"an index from 0 to {documents - 1}", f"index {index}", answer)
        if index in scores:
            raise unreadable("each index once", f"index {index} twice", answer)
        scores[index] = float(score)
    missing = [index for index in range(documents) if index not in scores]
    if missing:
        raise unreadable(f"a score for each of {documents} documents", f"none for index {missing[:5]}", answer)
    return [scores[index] for index in range(documents)]


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number; NaN and infinity, which some servers write, are."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def count_in(answer: Any, *path: str) -> int:
    """The number at `path` inside nested objects; 0 where there is none."""
    for name in path:
        answer = answer.get(name) if isinstance(answer, dict) else None
    return int(answer) if is_number(answer) and math.isfinite(answer) else 0


def name_in(answer: Any) -> str | None:
    """The field `model` of an answer, if it is a text."""
    model = answer.get("model") if isinstance(answer, dict) else None
    return model if isinstance(model, str) and model else None


def unreadable(expected: str, got: str, answer: Any) -> TeacherError:
    """The error about an answer of the wrong shape."""
    return TeacherError(
        expected=f"an answer with {expected}",
        got=f"{got}, in {json.dumps(answer, ensure_ascii=False)[:200]}",
        consequence="none of this answer's scores was kept",
        remedy="check that the settings `api` and `url` fit the server, and what the server logs",
    )
