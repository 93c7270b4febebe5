"""Judgements and clicks, as labels of documents for queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rankdistill.data import columns, lines, trec, values
from rankdistill.data.bad_rows import BadRows
from rankdistill.data.converting import decoding, guessing, kinds
from rankdistill.data.converting.guessing import Part
from rankdistill.data.converting.queries import Queries
from rankdistill.data.values import RowError

QRELS_PARTS = {
    "query": Part(
        "--qrels-columns", "the query's id", (frozenset({"query_id", "qid", "queryid", "topic_id", "query"}),)
    ),
    "document": Part(
        "--qrels-columns",
        "the document's id",
        (frozenset({"corpus_id", "doc_id", "document_id", "docid", "pid", "passage_id", "did", "docno", "document"}),),
    ),
    "label": Part(
        "--qrels-columns",
        "the label",
        (frozenset({"score", "label", "relevance", "rel", "grade", "judgement", "judgment", "rating"}),),
    ),
}

CLICK_PARTS = {
    "query": Part(
        "--clicks-columns",
        "the query's id or text",
        (
            frozenset({"query_id", "qid", "query", "queryid"}),
            frozenset(
                {"search", "search_query", "search_term", "q", "question", "keywords", "keyword", "term", "text"}
            ),
        ),
    ),
    "document": Part(
        "--clicks-columns",
        "the document's id",
        (
            QRELS_PARTS["document"].names[0],
            frozenset({"sku", "url", "uri", "item", "product", "asin", "isbn", "clicked", "id"}),
        ),
        ending="_id",
    ),
    "count": Part(
        "--clicks-columns",
        "how often it was clicked",
        (frozenset({"clicks", "count", "click_count", "num_clicks", "n_clicks", "n", "freq", "frequency"}),),
        needed=False,
    ),
}

OF_IDS = frozenset({"query_id", "qid", "queryid"})
"""Names of a column that holds ids of queries, and no texts."""

HIGHEST = 3
"""The label of a query's most clicked document."""

Labels = dict[str, dict[str, int]]
"""query_id -> doc_id -> label."""


@dataclass(frozen=True)
class QrelsFile:
    """A file of judgements.

    Args:
        path: TREC (`qid 0 did rel`, without a header), or a table with a header, as BEIR's.
        split: all its queries are in; None: each by its words.
        given: columns of query, document and label, where they are named.
        id_column: what the documents' own table calls their id, which is known for it here too.
    """

    path: Path
    split: str | None = None
    given: Sequence[str] = ()
    id_column: str | None = None

    def read(self, queries: Queries, bad: BadRows) -> tuple[Labels, str | None]:
        """The labels of queries that there are, and a note on what was guessed.

        Raises:
            ConfigError: a column is missing or cannot be guessed.
            DataError: the file cannot be read.
        """
        found: Labels = {}
        note = None
        if _is_trec(self.path):
            rows = _trec_rows(self.path, bad)
        else:
            table = kinds.open_table(self.path, kinds.of_file(self.path) or "csv")
            given = dict(zip(QRELS_PARTS, self.given, strict=False))
            parts = _knowing(QRELS_PARTS, self.id_column)
            chosen = guessing.choose(str(self.path), table.columns, parts, given)
            names = [chosen.needed(part) for part in QRELS_PARTS]
            rows = ((one.line, [one.values.get(name) for name in names]) for one in table.rows(names, bad))
            note = chosen.note(str(self.path))
        for line, (query, document, label) in rows:
            try:
                query_id = values.identifier(query, "query id")
                doc_id, value = values.identifier(document, "document id"), max(0, values.label(label))
                kept = queries.find(query_id)
                if kept is None:
                    raise RowError(f"unknown query {query_id!r}")
                labels = found.setdefault(kept, {})
                if labels.setdefault(doc_id, value) != value:
                    if kept == query_id:
                        raise RowError(f"query {query_id!r} and document {doc_id!r} have two labels")
                    labels[doc_id] = max(labels[doc_id], value)  # one of several queries with the same words
            except RowError as error:
                bad.add(self.path, line, str(error))
        return found, note


@dataclass(frozen=True)
class ClicksFile:
    """A log of clicks: a row says that a document was clicked for a query, once or so many times.

    Args:
        path: CSV, TSV, JSON lines or Parquet.
        given: columns of query, document and count, where they are named.
        id_column: what the documents' own table calls their id, which is known for it here too.
    """

    path: Path
    given: Sequence[str] = ()
    id_column: str | None = None

    def read(self, bad: BadRows) -> tuple[dict[str, dict[str, int]], str, str | None]:
        """Query, as the file names it -> document -> clicks; the column of queries; and a note on what was guessed.

        Raises:
            ConfigError: a column is missing or cannot be guessed.
            DataError: the file cannot be read.
        """
        found: dict[str, dict[str, int]] = {}
        table = kinds.open_table(self.path, kinds.of_file(self.path) or "csv")
        given = dict(zip(CLICK_PARTS, self.given, strict=False))
        parts = _knowing(CLICK_PARTS, self.id_column)
        chosen = guessing.choose(str(self.path), table.columns, parts, given)
        query, document, count = chosen.needed("query"), chosen.needed("document"), chosen["count"]
        for row in table.rows([name for name in (query, document, count) if name], bad):
            try:
                asked = row.values.get(query)
                text = asked.strip() if isinstance(asked, str) else values.identifier(asked, f"query {query!r}")
                if not text:
                    raise RowError(f"an empty {query!r}")
                values.require_unicode(text, repr(query))
                doc_id = values.identifier(row.values.get(document), f"document {document!r}")
                clicks = 1 if count is None else values.whole(row.values.get(count), f"count {count!r}")
                if clicks < 0:
                    raise RowError(f"the count {clicks} is below 0")
            except RowError as error:
                bad.add(row.path, row.line, str(error))
                continue
            one = found.setdefault(text, {})
            one[doc_id] = one.get(doc_id, 0) + clicks
        return found, query, chosen.note(str(self.path))


def labels_of(clicks: Mapping[str, int], least: int = 1) -> dict[str, int]:
    """The labels of one query's documents, by their clicks: `HIGHEST * clicks / the most clicks`, rounded.

    So the most clicked one has 3, one with half as many 2, with a third 1. Fewer than `least` clicks, and a share that
    rounds to 0, say nothing: the document is not judged.
    """
    counted = {doc_id: count for doc_id, count in clicks.items() if count >= max(least, 1)}
    most = max(counted.values(), default=0)
    shares = {doc_id: (2 * HIGHEST * count + most) // (2 * most) for doc_id, count in counted.items()}
    return {doc_id: label for doc_id, label in shares.items() if label}


def _knowing(parts: Mapping[str, Part], id_column: str | None) -> Mapping[str, Part]:
    """The parts, and the name of the documents' ids in their own table, unless queries are called so too."""
    document = parts["document"]
    if id_column is None or guessing.plain(id_column) in {name for group in parts["query"].names for name in group}:
        return parts
    own = frozenset({guessing.plain(id_column)})
    return {**parts, "document": replace(document, names=(own, *document.names))}


def _is_trec(path: Path) -> bool:
    """Whether the first line of a file is a judgement in TREC's form."""
    try:
        with decoding.opened(path) as stream:
            words = next((line for line in stream if line.strip()), b"").removeprefix(lines.MARK).split()
    except (OSError, EOFError):
        return False
    if len(words) != 4:
        return False
    try:
        values.label(words[3].decode("utf-8", "replace"))
    except RowError:
        return False
    return True


def _trec_rows(path: Path, bad: BadRows) -> Iterator[tuple[int, list[object]]]:
    for number, line in lines.numbered(path):
        if not line.strip():
            continue
        try:
            yield number, [*trec.parse_qrels_row(columns.split(line))]
        except RowError as error:
            bad.add(path, number, str(error))
