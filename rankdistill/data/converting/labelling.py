"""Queries and labels of a conversion: read before the documents, finished when it is known which there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from rankdistill.data import columns
from rankdistill.data.bad_rows import BadRows
from rankdistill.data.beir import Dataset
from rankdistill.data.converting import guessing
from rankdistill.data.converting.judgements import OF_IDS, ClicksFile, Labels, QrelsFile, labels_of
from rankdistill.data.converting.passages import passage_id
from rankdistill.data.converting.queries import Queries, QueryFile
from rankdistill.data.converting.request import Request, wrong
from rankdistill.data.converting.splitting import DEV, TEST, TRAIN, split_of, words_of
from rankdistill.data.values import RowError
from rankdistill.errors import DataError


class Labelling:
    """What comes with the documents.

    Args:
        request: names the files.
        dataset: the collection that is converted, if it is one; its queries and splits stay as they are.
        id_column: what the documents' table calls their ids.
        bad: takes rows that cannot be used.
        note: takes what a user must know.
    """

    def __init__(
        self,
        request: Request,
        dataset: Dataset | None,
        id_column: str | None,
        bad: BadRows,
        note: Callable[[str | None], None],
    ) -> None:
        self.request, self.id_column, self.bad, self.note = request, id_column, bad, note
        self.queries = Queries()
        self.labels: dict[str | None, Labels] = {}
        self.clicks: dict[str, dict[str, int]] = {}
        self.passages: dict[str, int] = {}
        if dataset is not None:
            for query_id, text in dataset.query_texts.items():
                self.queries.keep(query_id, text)
            self.labels |= {split: dataset.qrels(split) for split in dataset.splits}
        self._take_queries()
        self._take_judgements()

    @property
    def wanted(self) -> set[str]:
        """The documents that are judged or clicked."""
        judged = {doc_id for labels in self.labels.values() for one in labels.values() for doc_id in one}
        return judged | {doc_id for one in self.clicks.values() for doc_id in one}

    def require_usable(self, found: object, what: str) -> None:
        """Raise DataError where nothing was found: for the rows that are bad, if any is, else for there being none."""
        if not found:
            self.bad.finish(what)
            raise nothing(what, self.bad)

    def _take_queries(self) -> None:
        request = self.request
        if request.queries is None:
            return
        self.note(QueryFile(request.queries, request.query_columns, request.encoding).read(self.queries, self.bad))
        self.require_usable(self.queries.texts, f"queries in {request.queries}")
        if self.queries.repeated:
            self.note(f"{self.queries.repeated:,} queries came again, with the same words: each is kept once")

    def _take_judgements(self) -> None:
        request = self.request
        own = {query_id for labels in self.labels.values() for query_id in labels}
        if request.qrels and not self.queries.texts:
            raise wrong("--queries with --qrels: judgements name queries by their ids", "--qrels alone")
        for split, path in request.qrels:
            found, note = QrelsFile(path, split, request.qrels_columns, self.id_column).read(self.queries, self.bad)
            self.note(note)
            self.require_usable(found, f"judgements in {path}")
            for query_id in [one for one in found if one in own]:
                self.bad.add(path, 1, f"query {query_id!r} is judged elsewhere already")
                del found[query_id]
            own |= found.keys()
            self.labels.setdefault(split, {}).update(found)
        if request.clicks is not None:
            self._take_clicks(request.clicks, own)

    def _take_clicks(self, path: Path, judged: set[str]) -> None:
        """Clicks by query id. A query that is judged by hand takes nothing from them.

        The column's name says that it has ids, or half of what it has are; else they are texts.
        """
        raw, column, note = ClicksFile(path, self.request.clicks_columns, self.id_column).read(self.bad)
        self.note(note)
        self.require_usable(raw, f"clicks in {path}")
        known = sum(self.queries.find(name) is not None for name in raw)
        named = guessing.plain(column) in OF_IDS
        if named and not self.queries.texts:
            raise wrong(f"--queries with --clicks whose column {column!r} has ids of queries", "--clicks alone")
        by_id = named or (known > 0 and 2 * known >= len(raw))
        if known and not by_id:
            self.note(
                f"{path}: {known:,} of the {len(raw):,} queries in {column!r} are ids of queries too; all were taken "
                "for the queries' words (a column called query_id is taken for ids)"
            )
        skipped = 0
        for name, counts in raw.items():
            query_id = self.queries.find(name) if by_id else self.queries.add(name)
            if query_id is None:
                self.bad.add(path, 1, f"unknown query {name!r}; others are ids of queries")
            elif query_id in judged:
                skipped += 1
            else:
                one = self.clicks.setdefault(query_id, {})
                for doc_id, count in counts.items():
                    one[doc_id] = one.get(doc_id, 0) + count
        if skipped:
            self.note(f"{path}: {skipped:,} queries are judged already; their clicks were not used")

    def require_known(self) -> None:
        """Raise DataError where no document that is judged or clicked is there: its ids are others."""
        wanted = self.wanted
        if wanted and not self.passages:
            raise DataError(
                expected="judgements or clicks of documents that are there",
                got=f"none of {len(wanted):,}, as {min(wanted)!r}, is the id of a document",
                consequence="nothing was written",
                remedy="name the column with the ids that the judgements use (--id); ids of files are their paths",
            )

    def qrels(self, cut: bool) -> dict[str, Labels]:
        """Split -> labels of documents; where they were cut, of their passages."""
        by_hand = {split for split in self.labels if split is not None}
        found: dict[str, Labels] = {split: dict(labels) for split, labels in self.labels.items() if split is not None}
        hashed = dict(self.labels.get(None, {}))
        unknown = 0
        for query_id, counts in self.clicks.items():
            there = {doc_id: count for doc_id, count in counts.items() if doc_id in self.passages}
            unknown += len(counts) - len(there)
            if labels := labels_of(there, self.request.min_clicks):
                hashed[query_id] = labels
        if unknown:
            total = sum(map(len, self.clicks.values()))
            self.note(f"clicks: {unknown:,} of {total:,} pairs name documents that are not there; they were left out")
        texts = self.queries.texts
        by_name = {one for judged in found.values() for one in judged if one in texts} if hashed else set()
        taken = {words_of(texts[one]) for one in by_name}
        again = 0
        for query_id, labels in hashed.items():
            if words_of(self.queries.texts[query_id]) in taken:
                again += 1
                continue
            split = split_of(self.queries.texts[query_id], self.request.dev, self.request.test)
            found.setdefault(TRAIN if split in by_hand else split, {})[query_id] = labels
        if again:
            self.note(
                f"{again:,} queries have the words of one that a split has by name; they were left out of the others"
            )
        for split, share in ((DEV, self.request.dev), (TEST, self.request.test)):
            if hashed and share and split not in found:
                self.note(f"none of {len(hashed):,} judged queries falls into {split!r}; a larger --{split} takes some")
        for judged in found.values():
            self._refuse_quotes(judged)
        self.bad.finish(f"judgements of {self.request.place} without bad rows")
        return {split: self._of_passages(judged) if cut else judged for split, judged in found.items() if judged}

    def _refuse_quotes(self, labels: Labels) -> None:
        """Take ids in quotes that no document has for bad rows: whoever reads the folder would."""
        for query_id, one in labels.items():
            for doc_id in [name for name in one if name not in self.passages]:
                try:
                    columns.refuse_quotes(doc_id)
                except RowError as error:
                    self.bad.add(self.request.place, 1, f"a judgement of query {query_id!r}: {error}")
                    del one[doc_id]

    def _of_passages(self, labels: Labels) -> Labels:
        """The labels of documents as those of all their passages."""
        return {
            query_id: {name: label for doc_id, label in one.items() for name in self._names(doc_id)}
            for query_id, one in labels.items()
        }

    def _names(self, doc_id: str) -> Iterator[str]:
        if doc_id not in self.passages:
            yield doc_id
        for number in range(1, self.passages.get(doc_id, 0) + 1):
            yield passage_id(doc_id, number)


def nothing(expected: str, bad: BadRows) -> DataError:
    """Nothing that can be used."""
    first = f": {bad.reports[0]}" if bad.reports else ""
    return DataError(
        expected=expected,
        got=f"none that can be used{first}",
        consequence="nothing was written",
        remedy="give the right file",
    )
