"""Queries of a log: a table, or a text a line. Those that say the same are one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rankdistill.data import values
from rankdistill.data.bad_rows import BadRows
from rankdistill.data.converting import decoding, guessing, kinds
from rankdistill.data.converting.guessing import Part
from rankdistill.data.converting.splitting import query_id, same_query
from rankdistill.data.converting.table import Table
from rankdistill.data.values import RowError
from rankdistill.records import Query

PARTS = {
    "query-id": Part(
        "--query-id",
        "the queries' id",
        (frozenset({"_id", "query_id", "qid", "queryid", "topic_id"}), frozenset({"id"})),
        needed=False,
    ),
    "query-text": Part(
        "--query-text",
        "the queries' text",
        (
            frozenset({"query", "query_text", "q"}),
            frozenset({"text", "search", "search_query", "search_term", "question", "term", "keyword", "keywords"}),
        ),
        texts=True,
        alone=True,
    ),
}


@dataclass
class Queries:
    """Queries, each once.

    Args:
        texts: query_id -> text, in the order in which they came.
        own: ids that a later query with the same words has -> the id of the first.
        repeated: how many came again.
        known: words -> id.
    """

    texts: dict[str, str] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=dict)
    repeated: int = 0
    known: dict[str, str] = field(default_factory=dict)

    def add(self, text: str, given: str | None = None) -> str:
        """The id of a query, which is kept unless its words are known.

        Raises:
            RowError: another query has its id.
        """
        words = same_query(text)
        if words in self.known:
            self.repeated += 1
            kept = self.known[words]
            if given is not None and given != kept and given not in self.own:
                if given in self.texts:
                    raise RowError(f"the id {given!r} stands above, with another text")
                self.own[given] = kept
            return kept
        name = query_id(text) if given is None else given
        if name in self.texts or name in self.own:
            raise RowError(f"the id {name!r} stands above, with another text")
        self.texts[name], self.known[words] = text, name
        return name

    def keep(self, name: str, text: str) -> None:
        """Take a query as it is, also where another one has its words: those of a collection stay as they are."""
        self.texts[name] = text
        self.known.setdefault(same_query(text), name)

    def find(self, name: str) -> str | None:
        """The id under which the query with this id is kept; None where there is none."""
        return name if name in self.texts else self.own.get(name)

    def rows(self) -> Iterator[Query]:
        """The queries in their order."""
        return (Query(*one) for one in self.texts.items())


@dataclass(frozen=True)
class QueryFile:
    """A file of queries.

    Args:
        path: JSON lines, CSV, TSV or Parquet; any other file has a text a line.
        given: names of `PARTS` -> the column that was named.
        encoding: where it is no UTF-8; None: found.
    """

    path: Path
    given: Mapping[str, str | None]
    encoding: str | None = None

    @property
    def kind(self) -> str | None:
        """The kind of table; None for a text a line."""
        return kinds.of_file(self.path)

    def table(self) -> Table | None:
        """The table that the file holds."""
        return kinds.open_table(self.path, self.kind, self._encoding()) if self.kind else None

    def _encoding(self) -> str | None:
        """Of a text or a CSV file."""
        if self.kind not in (None, "csv"):
            return None
        found = decoding.inspect(self.path).encoding
        return found if self.encoding is None or found.startswith(decoding.UTF_8) else self.encoding

    def read(self, queries: Queries, bad: BadRows) -> str | None:
        """Add the queries of the file; gives a note on what was guessed.

        Raises:
            ConfigError: a column is missing or cannot be guessed.
            DataError: the file cannot be read.
        """
        table = self.table()
        if table is None:
            self._read_lines(queries, bad)
            return None
        chosen = guessing.choose(str(self.path), table.columns, PARTS, self.given)
        text, known = chosen.needed("query-text"), chosen["query-id"]
        for row in table.rows([text, *([known] if known else [])], bad):
            try:
                name = values.identifier(row.values.get(known), f"id {known!r}") if known else None
                _add(queries, row.values.get(text), repr(text), name)
            except RowError as error:
                bad.add(row.path, row.line, str(error))
        return chosen.note(str(self.path))

    def _read_lines(self, queries: Queries, bad: BadRows) -> None:
        with decoding.text_lines(self.path, self._encoding() or decoding.UTF_8) as stream:
            for number, line in enumerate(stream, start=1):
                if not line.strip():
                    continue
                try:
                    _add(queries, line, "the line", None)
                except RowError as error:
                    bad.add(self.path, number, str(error))


def _add(queries: Queries, value: object, name: str, given: str | None) -> None:
    text = values.string(value, name).strip()
    if not text:
        raise RowError(f"{name} is empty")
    queries.add(text, given)
