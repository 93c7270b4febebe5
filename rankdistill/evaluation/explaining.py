"""Which terms a sparse encoder gives a text, and which of them make a document match a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Side = Literal["query", "document"]


class TermEncoder(Protocol):
    """What explaining needs of `rankdistill.inference.sparse_encoder.SparseTextEncoder`."""

    @property
    def vocabulary(self) -> Sequence[str]:
        """The term of each dimension."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> Any:
        """`csr_array` `[n, vocabulary]`."""
        ...

    def encode_documents(self, texts: Sequence[str]) -> Any:
        """`csr_array` `[n, vocabulary]`."""
        ...

    def terms_in(self, text: str) -> set[str]:
        """The tokens that the text consists of."""
        ...


@dataclass(frozen=True)
class Term:
    """One dimension of a text's vector.

    Args:
        term: of the vocabulary.
        weight: above 0.
        expansion: whether the text itself does not have it.
        query_weight: of the same term in the query that the text was compared with; None where there was none.
    """

    term: str
    weight: float
    expansion: bool
    query_weight: float | None = None

    @property
    def score(self) -> float:
        """What it adds to the dot product with the query; its own weight where there is no query."""
        return self.weight if self.query_weight is None else self.weight * self.query_weight


def explain(encoder: TermEncoder, text: str, side: Side = "document", query: str | None = None) -> list[Term]:
    """The terms of `text`, those that count most first; equal ones in the order of the vocabulary.

    Args:
        encoder: a sparse one.
        text: to be encoded.
        side: whether as a query or as a document.
        query: if given, only the terms that it shares with `text` are returned, by what they add to the score.
    """
    weights = _weights(encoder, text, side)
    own = encoder.terms_in(text)
    if query is None:
        found = [Term(term, weight, term not in own) for term, weight in weights.items()]
    else:
        wanted = _weights(encoder, query, "query")
        found = [
            Term(term, weight, term not in own, wanted[term]) for term, weight in weights.items() if term in wanted
        ]
    return sorted(found, key=lambda term: -term.score)


def _weights(encoder: TermEncoder, text: str, side: Side) -> dict[str, float]:
    encode = encoder.encode_queries if side == "query" else encoder.encode_documents
    row = encode([text]).sorted_indices()
    return {
        encoder.vocabulary[term]: float(weight)
        for term, weight in zip(row.indices.tolist(), row.data.tolist(), strict=True)
    }
