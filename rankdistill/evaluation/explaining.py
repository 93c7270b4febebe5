"""Which terms a sparse encoder gives a text, and which of them make a document match a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from rankdistill.display import Shown, Table

if TYPE_CHECKING:
    import polars as pl

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


@dataclass(frozen=True)
class Explained:
    """One text with its terms.

    Args:
        text: that was encoded.
        terms: those that count most first.
        shown: how many of them are printed; None prints all.
        compared: whether they are those that it shares with a query.
    """

    text: str
    terms: Sequence[Term]
    shown: int | None = None
    compared: bool = False

    def table(self) -> Table:
        """A term a row; the last one says how many there are besides."""
        expansions = sum(term.expansion for term in self.terms)
        title = f"{self.text}\n{len(self.terms)} terms, {expansions} of them not in the text"
        if self.compared:
            title += f"; score {sum(term.score for term in self.terms):.4f}"
        header = ["term", "", "weight", *(["in the query", "product"] if self.compared else [])]
        rows = [
            [term.term, "expansion" if term.expansion else "", f"{term.weight:.4f}"]
            + ([] if term.query_weight is None else [f"{term.query_weight:.4f}", f"{term.score:.4f}"])
            for term in self.terms[: self.shown]
        ]
        if left := len(self.terms) - len(rows):
            rows.append([f"and {left} more", *[""] * (len(header) - 1)])
        return Table(title, header, rows, texts=2)


@dataclass(frozen=True, repr=False)
class Explanation(Shown):
    """Texts with the terms that a model gives them; they print as one table each.

    Args:
        model: its reference.
        side: whether they are queries or documents.
        query: that they were compared with; None where there was none.
        texts: each with its terms.
    """

    model: str
    side: Side
    query: str | None
    texts: Sequence[Explained]

    def __repr__(self) -> str:
        terms = sum(len(one.terms) for one in self.texts)
        return f"Explanation({self.model!r}: {terms:,} terms of {len(self.texts):,} texts)"

    def tables(self) -> list[Table]:
        """A text a table."""
        return [one.table() for one in self.texts]

    def to_polars(self) -> pl.DataFrame:
        """A term of a text a row: text, term, weight, expansion, query_weight, score."""
        import polars as pl

        schema = {
            "text": pl.String,
            "term": pl.String,
            "weight": pl.Float64,
            "expansion": pl.Boolean,
            "query_weight": pl.Float64,
            "score": pl.Float64,
        }
        rows = [
            [one.text, term.term, term.weight, term.expansion, term.query_weight, term.score]
            for one in self.texts
            for term in one.terms
        ]
        return pl.DataFrame(rows, schema=schema, orient="row")

    def to_json(self) -> dict[str, Any]:
        """Every term of every text, printed or not."""
        return {
            "model": self.model,
            "side": self.side,
            "query": self.query,
            "texts": [
                {"text": one.text, "terms": [asdict(term) | {"score": term.score} for term in one.terms]}
                for one in self.texts
            ],
        }


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
