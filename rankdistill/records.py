"""Immutable records. Their field names are the Parquet column names everywhere in the package."""

from __future__ import annotations

from typing import NamedTuple


class Query(NamedTuple):
    """A query: what a user asks."""

    query_id: str
    text: str


class Document(NamedTuple):
    """A document of a corpus."""

    doc_id: str
    title: str
    text: str

    @property
    def contents(self) -> str:
        """Title and text joined by one space, stripped: what BEIR and MTEB give to a model."""
        return f"{self.title} {self.text}".strip()


class Qrel(NamedTuple):
    """A relevance judgement; `label` > 0 is relevant."""

    query_id: str
    doc_id: str
    label: int


class Candidate(NamedTuple):
    """A document proposed for a query, with where it came from.

    `label` is the qrels label, or None where the pair is unjudged; `rank` counts from 1 and is None for a labelled
    positive that the source did not retrieve; `source_score` is in the source's own unit.
    """

    query_id: str
    doc_id: str
    source: str
    rank: int | None
    source_score: float | None
    label: int | None
