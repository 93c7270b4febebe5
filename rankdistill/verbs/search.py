"""`search`: the best documents of an index for queries, as texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from rankdistill.data import Dataset, load
from rankdistill.display import Shown, Table
from rankdistill.errors import ConfigError
from rankdistill.fusion import Fusion
from rankdistill.indexing import StoredIndex
from rankdistill.indexing.fused import search_fused
from rankdistill.indexing.searching import opened
from rankdistill.notes import note
from rankdistill.sessions import Turn
from rankdistill.verbs.arguments import Data, Model, Place, fusion_of, listed, place_of, reference_of
from rankdistill.verbs.contract import verb
from rankdistill.verbs.parameters import SearchParameters, parameters_of
from rankdistill.verbs.turns import reader_of, turns_of
from rankdistill.verbs.weighing import require_fusable

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Found:
    """A document found.

    Args:
        rank: from 1.
        score: a cosine, a dot product or BM25's, as the index's space says; or the fusion's.
        doc_id: the document.
        text: its beginning, or all of it; empty where neither is at hand.
        fields: its metadata, as far as an index keeps it.
    """

    rank: int
    score: float
    doc_id: str
    text: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


class Hits(Shown, Sequence[list[Found]]):
    """What was found: a list of `Found` for each query, best first; it prints as lines.

    Args:
        queries: as they were asked.
        found: one list a query.
    """

    def __init__(self, queries: Sequence[str], found: Sequence[Sequence[Found]]) -> None:
        self.queries = list(queries)
        self._found = [list(hits) for hits in found]

    def __len__(self) -> int:
        """How many queries there were."""
        return len(self._found)

    @overload
    def __getitem__(self, place: int) -> list[Found]: ...
    @overload
    def __getitem__(self, place: slice) -> list[list[Found]]: ...
    def __getitem__(self, place: int | slice) -> list[Found] | list[list[Found]]:
        return self._found[place]

    def __repr__(self) -> str:
        found, asked = sum(map(len, self._found)), len(self)
        documents, queries = "document" if found == 1 else "documents", "query" if asked == 1 else "queries"
        return f"Hits({found:,} {documents} for {asked:,} {queries})"

    def lines(self) -> list[str]:
        """A document a line: rank, score, id, fields and text; above them the query, where there are several."""
        shown = []
        for query, hits in zip(self.queries, self._found, strict=True):
            if len(self) > 1:
                shown.append(f"# {query}")
            for hit in hits:
                line = f"{hit.rank:>3}  {hit.score:.4f}  {hit.doc_id}  {shown_fields(hit.fields)}{hit.text}"
                shown.append(" ".join(line.splitlines()).rstrip())
        return shown

    def to_polars(self) -> pl.DataFrame:
        """A document a row: query, rank, doc_id, score, text; and `fields`, a struct, where an index keeps some."""
        import polars as pl

        schema = {"query": pl.String, "rank": pl.Int64, "doc_id": pl.String, "score": pl.Float64, "text": pl.String}
        rows = [
            (query, hit.rank, hit.doc_id, hit.score, hit.text)
            for query, hits in zip(self.queries, self._found, strict=True)
            for hit in hits
        ]
        table = pl.DataFrame(rows, schema=schema, orient="row")
        kept = [dict(hit.fields) for hits in self._found for hit in hits]
        names = list(dict.fromkeys(name for one in kept for name in one))
        if not names:
            return table
        every = [{name: one.get(name) for name in names} for one in kept]
        return table.with_columns(fields=pl.Series(every, dtype=None, strict=False))

    def to_json(self) -> dict[str, Any]:
        """The queries, each with its documents."""
        return {
            "queries": [
                {"query": query, "hits": [vars(hit) for hit in hits]}
                for query, hits in zip(self.queries, self._found, strict=True)
            ]
        }

    def _repr_html_(self) -> str:
        kept = any(hit.fields for hits in self._found for hit in hits)
        header = ["rank", "score", "doc_id", *(["fields"] if kept else []), "text"]
        return "".join(
            Table(
                query,
                header,
                [
                    [
                        str(hit.rank),
                        f"{hit.score:.4f}",
                        hit.doc_id,
                        *([shown_fields(hit.fields).strip()] if kept else []),
                        hit.text,
                    ]
                    for hit in hits
                ],
                len(header),
            ).html()
            for query, hits in zip(self.queries, self._found, strict=True)
        )


def shown_fields(fields: Mapping[str, Any]) -> str:
    """`[year=2001 tags=a,b]  `; nothing where there are none."""
    if not fields:
        return ""
    return f"[{' '.join(f'{name}={_word(value)}' for name, value in fields.items())}]  "


def _word(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


@verb
def search(
    index: Place | Sequence[Place],
    queries: str | Sequence[str] | None = None,
    k: int = 10,
    *,
    session: Place | Sequence[str] | Sequence[Turn | Mapping[str, str]] | None = None,
    model: Model | None = None,
    backend: str = "auto",
    search_parameters: SearchParameters | None = None,
    filter: Mapping[str, Any] | None = None,
    data: Data | None = None,
    fusion: str | Fusion | None = None,
    weights: Sequence[float] | None = None,
) -> Hits:
    """Search with text: ids, scores, and the beginnings of the documents where an index keeps them.

    Args:
        index: the folder of an index, or the index; several are fused.
        queries: a text or several; None with a session.
        k: how many documents a query.
        session: a conversation instead, whose last question is answered: what was said, oldest first (question, answer,
            question, ...), or the path of a JSON file with that list, with a list of `{role, text}`, or with one
            session as `rankdistill data convert` writes it. The model must have been trained to read conversations.
        model: a query model or a bundle; the index's own unless given.
        backend: what runs the model.
        search_parameters: such as `efSearch`; `INDEX:NAME` of one of several indexes.
        filter: what documents must be that are found: `{must, should, must_not}`, lists of conditions as
            `{"field": "year", "gte": 2000}`; see docs/indexes.md.
        data: the collection, whose whole texts are shown then.
        fusion: how several indexes are fused: `rrf`, `min_max` or `z_score`.
        weights: of the fusion, one an index.

    Returns:
        One list a query, best first.

    Raises:
        ConfigError: no query, one that says nothing, or one beside a session; a session that ends with an answer, or a
            model that reads none; `k` below 1, an unknown search parameter; several indexes without a fusion; a filter
            on a field that an index does not keep, or with a value of another type.
        DataError: there is no such index.
        SpaceMismatchError: the model embeds into another space than the index's.
    """
    places = listed(index)
    texts = listed(queries) if session is None else _asked(session, queries, places, model)
    _require(bool(places), "an index", "none")
    _require(bool(texts), "a query", "none")
    fused = fusion_of(fusion, weights)
    reference = None if model is None else reference_of(model)
    require_fusable(len(places), fused, reference)
    parameters = parameters_of(search_parameters, places)
    indexes = [
        opened(one if isinstance(one, StoredIndex) else place_of(one), found)
        for one, found in zip(places, parameters, strict=True)
    ]
    _require_words(texts, indexes)
    encoders = [one.open_query_encoder(reference, backend) for one in indexes]
    if fused is None:
        found = indexes[0].search_texts(texts, k, encoders[0], filter=filter)
    else:
        found = search_fused(indexes, encoders, texts, k, fused, filter=filter)
    contents = None if data is None else _contents(data)
    lists = []
    for text, hits in zip(texts, found, strict=True):
        if not hits:
            note(f"nothing found for {text!r}")
        shown = contents if contents is not None else _snippets(indexes, [hit.doc_id for hit in hits])
        fields = _fields(indexes, [hit.doc_id for hit in hits])
        lists.append(
            [
                Found(rank, hit.score, hit.doc_id, shown.get(hit.doc_id, ""), kept)
                for rank, (hit, kept) in enumerate(zip(hits, fields, strict=True), start=1)
            ]
        )
    return Hits(texts, lists)


def _asked(
    session: Place | Sequence[str] | Sequence[Turn | Mapping[str, str]],
    queries: str | Sequence[str] | None,
    places: Sequence[Place],
    model: Model | None,
) -> list[str]:
    """The conversation as the query model reads it."""
    _require(bool(places), "an index", "none")
    if queries is not None:
        raise ConfigError(
            expected="queries or a session",
            got="both",
            consequence="nothing was searched",
            remedy="leave one of them out",
        )
    readers = [
        reader_of(reference_of(model) if model is not None else opened_model(one), None, known=True) for one in places
    ]
    if len({(one.conversation, one.most) for one in readers}) > 1:
        raise ConfigError(
            expected="indexes whose models read conversations alike",
            got="several ways",
            consequence="nothing was searched",
            remedy="search one index at a time",
        )
    turns = turns_of(session)
    if readers[0].is_cut(turns):
        note(f"the conversation is longer than the {readers[0].most} tokens that the model reads: a part is left out")
    return [readers[0].join(turns)]


def opened_model(index: Place) -> str:
    """The model that an index is searched with; ConfigError for one that is searched by words."""
    found = opened(index if isinstance(index, StoredIndex) else place_of(index)).model
    if found is None:
        raise ConfigError(
            expected="an index that is searched with a model, for a session",
            got=f"{place_of(index)}, which is searched by words",
            consequence="nothing was searched",
            remedy="search for the question, rewritten to say all",
        )
    return found


def _require(holds: bool, expected: str, got: str) -> None:
    if not holds:
        raise ConfigError(
            expected=f"{expected} at least", got=got, consequence="nothing was searched", remedy=f"give {expected}"
        )


def _require_words(texts: Sequence[str], indexes: Sequence[StoredIndex]) -> None:
    """Raise ConfigError for a query of white space alone, where a model would read it; words are just not found."""
    blank = next((number for number, text in enumerate(texts, start=1) if not text.strip()), None)
    if blank is not None and any(one.model is not None for one in indexes):
        raise ConfigError(
            expected="a query that says something",
            got=f"{texts[blank - 1]!r}" + (f", query {blank} of {len(texts)}" if len(texts) > 1 else ""),
            consequence="nothing was searched: the vector of nothing is near to everything and means nothing",
            remedy="give the text of a query",
        )


def _contents(data: Data) -> Mapping[str, str]:
    return (data if isinstance(data, Dataset) else load(place_of(data), "lenient")).contents


def _fields(indexes: Sequence[StoredIndex], ids: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    """Of the first index that keeps some."""
    keeping = next((index for index in indexes if index.schema), None)
    return [{} for _ in ids] if keeping is None else keeping.fields_of(ids)


def _snippets(indexes: Sequence[StoredIndex], ids: Sequence[str]) -> Mapping[str, str]:
    """Of the first index that keeps them."""
    return next((found for index in indexes if (found := index.snippets(ids))), {})
