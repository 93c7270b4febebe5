"""The conversion: whatever there is, as a BEIR folder. Documents are streamed; ids, queries and labels are kept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rankdistill import manifest
from rankdistill.data import columns
from rankdistill.data.bad_rows import BadRows
from rankdistill.data.beir import UNJUDGED, load
from rankdistill.data.converting import decoding, documents, kinds, text_folder
from rankdistill.data.converting.beir_folder import BeirFolder
from rankdistill.data.converting.csv_table import CsvTable
from rankdistill.data.converting.documents import Found, Rows
from rankdistill.data.converting.judgements import ClicksFile, Labels, QrelsFile, labels_of
from rankdistill.data.converting.passages import NAMES, Cutter, passage_id
from rankdistill.data.converting.queries import Queries, QueryFile
from rankdistill.data.converting.splitting import DEV, TEST, TRAIN, split_of
from rankdistill.data.converting.table import hash_of
from rankdistill.data.converting.text_folder import TextFolder
from rankdistill.data.meta import Meta
from rankdistill.data.values import RowError
from rankdistill.data.writer import ARTEFACT, Collection, Described, write_beir
from rankdistill.errors import ConfigError, DataError
from rankdistill.progress import Reporter
from rankdistill.records import Document

LONG = 5000
"""Letters of a document from which a note says that models do not read it whole."""

MOST_REPORTS = 20
"""Rows left out that `meta.json` names."""

_DECISIVE = (
    *("keep", "number_rows", "encoding", "separator", "query_columns", "qrels_columns", "clicks_columns"),
    *("min_clicks", "dev", "test", "passage_tokens", "overlap", "lenient"),
)
"""Settings that stand in the manifest where they are not at their default."""

_LINES = 1 << 40
"""More lines than a file has."""

_SPLIT = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Request:
    """What is converted, and how; see the verb `rankdistill.verbs.data.convert`, whose arguments these are."""

    place: Path
    kind: str | None = None
    columns: Mapping[str, str | None] = field(default_factory=dict)
    keep: Sequence[str] = ()
    number_rows: bool = False
    encoding: str | None = None
    separator: str | None = None
    queries: Path | None = None
    query_columns: Mapping[str, str | None] = field(default_factory=dict)
    qrels: Sequence[tuple[str | None, Path]] = ()
    qrels_columns: Sequence[str] = ()
    clicks: Path | None = None
    clicks_columns: Sequence[str] = ()
    min_clicks: int = 1
    dev: float = 0.1
    test: float = 0.2
    passage_tokens: int | None = None
    overlap: int = 0
    tokenizer: str | None = None
    lenient: bool = False

    def check(self) -> None:
        """Raise ConfigError or DataError for what cannot be, before anything is read."""
        kinds.require_kind(self.kind)
        decoding.require_known(self.encoding)
        if not (self.dev >= 0 and self.test >= 0 and self.dev + self.test <= 1):
            raise _wrong("shares dev and test from 0 to 1, together 1 at most", f"dev {self.dev}, test {self.test}")
        if self.separator is not None and (len(self.separator) != 1 or self.separator in "\r\n\"'"):
            raise _wrong("one letter as --delimiter", repr(self.separator))
        if self.min_clicks < 1:
            raise _wrong("--min-clicks of at least 1", str(self.min_clicks))
        if (self.passage_tokens is None) != (self.tokenizer is None):
            raise _wrong("--passage-tokens together with --tokenizer MODEL, whose tokens they are", "one of them")
        if self.overlap and self.passage_tokens is None:
            raise _wrong("--overlap together with --passage-tokens", f"--overlap {self.overlap} alone")
        for names, flag in ((self.qrels_columns, "--qrels-columns"), (self.clicks_columns, "--clicks-columns")):
            if names and not (len(names) == 3 or (flag == "--clicks-columns" and len(names) == 2)):
                last = "COUNT (which may be left out)" if flag == "--clicks-columns" else "LABEL"
                raise _wrong(f"{flag} QUERY,DOCUMENT,{last}", ",".join(names))
        splits = [split for split, _ in self.qrels]
        for split in splits:
            if split is not None and (not _SPLIT.fullmatch(split) or split == UNJUDGED or splits.count(split) > 1):
                raise _wrong("--qrels FILE, or SPLIT=FILE with a new name each", f"the split {split!r}")
        for path in filter(None, (self.queries, self.clicks, *(path for _, path in self.qrels))):
            if not path.is_file():
                raise DataError(
                    expected="a file of queries, judgements or clicks",
                    got=f"{path}: {'a folder' if path.is_dir() else 'no such file'}",
                    consequence="nothing was written",
                    remedy="check the path",
                )


def convert(out: Path, request: Request, compress: bool, reporter: Reporter, command: str = "") -> bool:
    """Write what `request` names as a BEIR folder; False if `out` holds exactly that already.

    Args:
        out: the folder.
        request: what is converted.
        compress: write `.gz` files.
        reporter: told of the documents.
        command: what the manifest names as the command.

    Raises:
        ConfigError: a wrong setting; a column that is not there, or cannot be guessed.
        DataError: nothing usable is there, or (unless lenient) rows or files are bad.
        MissingDependencyError: a library that reads this kind is not installed.
        OutputError, StaleOutputError: `out` cannot be written to, or holds something else.
    """
    request.check()
    conversion = _Conversion(out, request, reporter)
    libraries = ("charset-normalizer", "lxml", "markdown-it-py", "tokenizers")
    wanted = manifest.Manifest(
        ARTEFACT, conversion.inputs(), conversion.parameters(compress), manifest.versions_of(*libraries), command
    )
    return write_beir(out, conversion.collection, wanted, compress)


class _Conversion:
    """One conversion, from what is opened to what is counted."""

    def __init__(self, out: Path, request: Request, reporter: Reporter) -> None:
        self.out, self.request, self.reporter = out, request, reporter
        self.kind = request.kind or kinds.find(request.place)
        self.notes: list[str] = []
        self.bad = BadRows("lenient" if request.lenient else "strict", MOST_REPORTS)
        self.queries = Queries()
        self.labels: dict[str | None, Labels] = {}
        self.clicks: dict[str, dict[str, int]] = {}
        self.passages: dict[str, int] = {}
        self.counts = {"documents": 0, "long": 0, "passages": 0}
        self.source = self._opened()

    # What decides the result

    def inputs(self) -> dict[str, str]:
        """Name -> hash of everything that is read."""
        request = self.request
        found = {"documents": self.source.digest if not isinstance(self.source, Rows) else self.source.table.digest}
        for name, path in (("queries", request.queries), ("clicks", request.clicks)):
            if path is not None:
                found[name] = hash_of([path])
        for split, path in request.qrels:
            found[f"qrels {split}" if split else "qrels"] = hash_of([path])
        if self.cutter is not None:
            found["tokenizer"] = self.cutter.digest
        return found

    def parameters(self, compress: bool) -> dict[str, Any]:
        """Every setting that changes the result; those at their default are left out."""
        request, default = self.request, Request(self.request.place)
        found: dict[str, Any] = {"source": request.place.resolve().name, "from": self.kind, "compress": compress}
        if isinstance(self.source, Rows):
            found["columns"] = {name: one for name, one in self.source.chosen.columns.items() if one is not None}
        for name in _DECISIVE:
            value = getattr(request, name)
            value = {key: one for key, one in value.items() if one is not None} if isinstance(value, Mapping) else value
            if value != getattr(default, name):
                found[name] = list(value) if isinstance(value, tuple | list) else value
        return found

    @cached_property
    def cutter(self) -> Cutter | None:
        """What cuts documents into passages; None: nothing does."""
        request = self.request
        if request.passage_tokens is None or request.tokenizer is None:
            return None
        return Cutter(request.tokenizer, request.passage_tokens, request.overlap)

    def _opened(self) -> Rows | TextFolder | BeirFolder:
        request, kind = self.request, self.kind
        named = any(one is not None for one in request.columns.values())
        if kind in (kinds.FILES, kinds.BEIR) and (named or request.keep or request.number_rows):
            raise _wrong("columns of a table (csv, jsonl, parquet, datasets)", f"them with --from {kind}")
        if kind == kinds.BEIR:
            return BeirFolder(load(request.place, "lenient" if request.lenient else "strict"))
        if kind == kinds.FILES:
            found = TextFolder(request.place, request.encoding, self.out)
            if not found.paths:
                raise _empty(request.place, text_folder.told(found.others))
            return found
        table = kinds.open_table(request.place, kind, request.encoding, request.separator)
        return documents.open_rows(str(request.place), table, request.columns, request.keep, request.number_rows)

    @property
    def id_column(self) -> str | None:
        """What the column of the documents' ids is called."""
        return self.source.chosen["id"] if isinstance(self.source, Rows) else None

    # What is written

    def collection(self) -> Collection:
        """The collection, as a stream; reads queries, judgements and clicks first."""
        self._take_queries()
        self._take_judgements()
        return Collection(self._documents(), self.queries.rows(), self._qrels, self._meta)

    def _take_queries(self) -> None:
        if isinstance(self.source, BeirFolder):
            for query_id, text in self.source.dataset.query_texts.items():
                self.queries.keep(query_id, text)
            for report in self.source.dataset.reports:
                self.bad.take(report)
        if self.request.queries is not None:
            file = QueryFile(self.request.queries, self.request.query_columns, self.request.encoding)
            self._note(file.read(self.queries, self.bad))
            if not self.queries.texts:
                self._stop()
                raise _nothing(f"queries in {self.request.queries}")
            if self.queries.repeated:
                self._note(f"{self.queries.repeated:,} queries came again, with the same words: each is kept once")

    def _take_judgements(self) -> None:
        request = self.request
        if isinstance(self.source, BeirFolder):
            dataset = self.source.dataset
            self.labels |= {split: dataset.qrels(split) for split in dataset.splits}
        own = {query_id for labels in self.labels.values() for query_id in labels}
        if request.qrels and not self.queries.texts:
            raise _wrong("--queries with --qrels: judgements name queries by their ids", "--qrels alone")
        for split, path in request.qrels:
            found, note = QrelsFile(path, split, request.qrels_columns, self.id_column).read(self.queries, self.bad)
            self._note(note)
            if not found:
                self._stop()
                raise _nothing(f"judgements in {path}")
            for query_id in [one for one in found if one in own]:
                self.bad.add(path, 1, f"query {query_id!r} is judged elsewhere already")
                del found[query_id]
            own |= found.keys()
            self.labels.setdefault(split, {}).update(found)
        if request.clicks is not None:
            self._take_clicks(request.clicks, own)

    def _take_clicks(self, path: Path, judged: set[str]) -> None:
        """Clicks by query id. A query that is judged by hand takes nothing from them."""
        raw, note = ClicksFile(path, self.request.clicks_columns, self.id_column).read(self.bad)
        self._note(note)
        if not raw:
            self._stop()
            raise _nothing(f"clicks in {path}")
        known = sum(self.queries.find(name) is not None for name in raw)
        by_id = 2 * known >= len(raw)
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
            self._note(f"{path}: {skipped:,} queries are judged already; their clicks were not used")

    def _documents(self) -> Iterator[Document | Described]:
        wanted = {doc_id for labels in self.labels.values() for one in labels.values() for doc_id in one}
        wanted |= {doc_id for one in self.clicks.values() for doc_id in one}
        first: dict[str, int] = {}  # place of the file and line, in one number: a tuple a document is much memory
        paths: list[Path] = []
        with self.reporter.stage("convert", "documents") as told:
            for found in self.source.documents(self.bad):
                doc_id = found.document.doc_id
                if not paths or paths[-1] != found.path:
                    paths.append(found.path)
                if doc_id in first:
                    place, line = divmod(first[doc_id], _LINES)
                    self.bad.add(found.path, found.line, f"duplicate id {doc_id!r}, first in {paths[place]}:{line}")
                    continue
                first[doc_id] = (len(paths) - 1) * _LINES + found.line
                count = 0
                for row in self._cut(found):
                    count += 1
                    yield row
                if doc_id in wanted:
                    self.passages[doc_id] = count
                self.counts["documents"] += 1
                self.counts["passages"] += count
                self.counts["long"] += len(found.document.text) > LONG
                told(1)
        self._stop()
        if not first:
            raise _nothing(f"documents in {self.request.place}", self.bad)
        self._require_known(wanted)

    def _cut(self, found: Found) -> Iterator[Document | Described]:
        if self.cutter is None:
            yield Described(found.document, found.metadata) if found.metadata else found.document
            return
        if clash := sorted(found.metadata.keys() & set(NAMES)):
            raise _wrong(f"no metadata called {', '.join(NAMES)} where documents are cut", repr(clash[0]))
        for document, metadata in self.cutter.cut(found.document, found.metadata):
            yield Described(document, metadata)

    def _stop(self) -> None:
        """Raise DataError if anything is bad, unless lenient."""
        self.bad.finish(f"{self.request.place} and what comes with it, without bad rows or files")

    def _require_known(self, wanted: set[str]) -> None:
        """Raise DataError where no document that is judged or clicked is there: its ids are others."""
        if wanted and not self.passages:
            raise DataError(
                expected="judgements or clicks of documents that are there",
                got=f"none of {len(wanted):,}, as {min(wanted)!r}, is the id of a document",
                consequence="nothing was written",
                remedy="name the column with the ids that the judgements use (--id); ids of files are their paths",
            )

    def _qrels(self) -> dict[str, Labels]:
        """Split -> labels of documents, or of their passages."""
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
            self._note(f"clicks: {unknown:,} of {total:,} pairs name documents that are not there; they were left out")
        for query_id, labels in hashed.items():
            split = split_of(self.queries.texts[query_id], self.request.dev, self.request.test)
            found.setdefault(TRAIN if split in by_hand else split, {})[query_id] = labels
        for split, share in ((DEV, self.request.dev), (TEST, self.request.test)):
            if hashed and share and split not in found:
                self._note(
                    f"none of {len(hashed):,} judged queries falls into {split!r}; a larger --{split} takes some"
                )
        for judged in found.values():
            self._refuse_quotes(judged)
        self._stop()
        return {split: self._of_passages(judged) for split, judged in found.items() if judged}

    def _refuse_quotes(self, labels: Labels) -> None:
        """Take ids in quotes that no document has for bad rows: whoever reads the folder would."""
        for query_id, one in labels.items():
            for doc_id in [name for name in one if name not in self.passages]:
                try:
                    columns.refuse_quotes(doc_id)
                except RowError as error:
                    self.bad.add(self.out, 1, f"a judgement of query {query_id!r}: {error}")
                    del one[doc_id]

    def _of_passages(self, labels: Labels) -> Labels:
        """The labels of documents as those of all their passages."""
        if self.cutter is None:
            return labels
        return {
            query_id: {name: label for doc_id, label in one.items() for name in self._names(doc_id)}
            for query_id, one in labels.items()
        }

    def _names(self, doc_id: str) -> Iterator[str]:
        if doc_id not in self.passages:
            yield doc_id
        for number in range(1, self.passages.get(doc_id, 0) + 1):
            yield passage_id(doc_id, number)

    # What is told

    def _note(self, text: str | None) -> None:
        if text is not None:
            self.notes.append(text)

    def _meta(self) -> Meta:
        """What was found, counted and left out."""
        source, rule = self.source, None
        found: dict[str, Any] = {"from": self.kind, "documents": self.counts["documents"]}
        encodings = source.table.encodings if isinstance(source, Rows) else source.encodings
        if isinstance(source, Rows):
            found["columns"] = dict(source.chosen.columns)
            self._note(source.chosen.note(str(self.request.place.name)))
            self._note_columns(source)
        if isinstance(source, TextFolder) and source.others:
            self._note(f"left out {source.others.total():,} files that are no text: {text_folder.told(source.others)}")
        if isinstance(source, BeirFolder):
            rule = source.dataset.ignore_identical_ids
        if encodings:
            counted = {name: list(encodings).count(name) for name in sorted(set(encodings))}
            found["encodings"] = counted
            if others := set(counted) - {"utf-8", "utf-8-sig"}:
                names = source.found if isinstance(source, TextFolder) else {}
                shown = [f"{one}{_counted(names.get(one, []), counted[one])}" for one in sorted(others)]
                self._note(f"read in other encodings than UTF-8: {'; '.join(shown)}; --encoding says another")
        if self.cutter is not None:
            found["passages"] = self.counts["passages"]
            if self.passages:
                self._note("every passage of a judged document has the document's label")
        elif self.counts["long"]:
            self._note(
                f"{self.counts['long']:,} of {self.counts['documents']:,} documents have more than {LONG:,} letters, "
                "of which models read the beginning: --passage-tokens N --tokenizer MODEL cuts them into passages"
            )
        found |= {"left_out": self.bad.count, "reports": [*map(self._short, self.bad.reports)]}
        return Meta(rule, found | {"notes": [*map(self._short, self.notes)]})

    def _note_columns(self, source: Rows) -> None:
        taken = {*source.chosen.columns.values(), *source.keep}
        if left := [one.name for one in source.table.columns if one.name not in taken]:
            self._note(f"columns left out: {', '.join(map(repr, left[:20]))}; --keep COLUMN keeps one as metadata")
        if isinstance(source.table, CsvTable):
            unusual = {one.separator for one in source.table.dialects} - {",", "\t"}
            if unusual and len(source.table.columns) > 1:
                self._note(f"columns are separated by {' or '.join(map(repr, sorted(unusual)))}")

    def _short(self, text: str) -> str:
        """A text without the folders of the files that it names, which are this machine's."""
        request = self.request
        root = request.place if request.place.is_dir() else request.place.parent
        for path in (root, *(one.parent for one in (request.queries, request.clicks) if one is not None)):
            text = text.replace(f"{path}/", "") if str(path) != "." else text
        for _, path in request.qrels:
            text = text.replace(f"{path.parent}/", "") if str(path.parent) != "." else text
        return text


def _counted(names: Sequence[str], count: int) -> str:
    """How many files, and some of them; nothing of one that has no name."""
    return f" ({count:,} files, as {', '.join(names[:3])})" if names else f" ({count:,} files)" if count > 1 else ""


def _wrong(expected: str, got: str) -> ConfigError:
    return ConfigError(
        expected=expected,
        got=got,
        consequence="nothing was written",
        remedy="see `rankdistill data convert --help-all`",
    )


def _empty(place: Path, others: str) -> DataError:
    return DataError(
        expected=f"text files ({', '.join(text_folder.READERS)}) in {place}",
        got=others or "an empty folder",
        consequence="nothing was written",
        remedy="give the folder with the documents",
    )


def _nothing(expected: str, bad: BadRows | None = None) -> DataError:
    first = f": {bad.reports[0]}" if bad is not None and bad.reports else ""
    return DataError(
        expected=expected,
        got=f"none that can be used{first}",
        consequence="nothing was written",
        remedy="give the right file",
    )
