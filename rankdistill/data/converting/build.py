"""The conversion: whatever there is, as a BEIR folder. Documents are streamed; ids, queries and labels are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from rankdistill import manifest
from rankdistill.data.bad_rows import BadRows
from rankdistill.data.beir import load
from rankdistill.data.converting import documents, kinds, text_folder
from rankdistill.data.converting.beir_folder import BeirFolder
from rankdistill.data.converting.documents import Found, Rows
from rankdistill.data.converting.judgements import labels_of
from rankdistill.data.converting.labelling import Labelling, nothing
from rankdistill.data.converting.passages import NAMES, Cutter
from rankdistill.data.converting.request import Request, name_of_qrels, wrong
from rankdistill.data.converting.table import hash_of, hashes_of
from rankdistill.data.converting.telling import LONG, Counts, Source, told
from rankdistill.data.converting.text_folder import TextFolder
from rankdistill.data.meta import Meta
from rankdistill.data.writer import ARTEFACT, Collection, Described, Judged, write_beir
from rankdistill.errors import DataError
from rankdistill.progress import Reporter, reporter_of
from rankdistill.records import Document

MOST_REPORTS = 20
"""Rows left out that `meta.json` names."""

LIBRARIES = ("charset-normalizer", "lxml", "markdown-it-py", "tokenizers")
"""Whose versions the manifest names."""

_LINES = 1 << 40
"""More lines than a file has."""


Sessions = Callable[[Judged, BadRows, Callable[[str | None], None]], Iterable[str]]
"""Judgements, what takes bad rows, and what takes a note -> the rows of `sessions.jsonl`."""


def convert(
    out: Path,
    request: Request,
    compress: bool,
    reporter: Reporter,
    command: str = "",
    sessions: Sessions | None = None,
    besides: Mapping[str, Any] | None = None,
) -> bool:
    """Write what `request` names as a BEIR folder; False if `out` holds exactly that already.

    Args:
        out: the folder.
        request: what is converted.
        compress: write `.gz` files.
        reporter: told of the documents.
        command: what the manifest names as the command.
        sessions: gives the conversations that the queries are turns of; None: they are none.
        besides: parameters of the manifest that say what `sessions` does.

    Raises:
        ConfigError: a wrong setting; a column that is not there, or cannot be guessed.
        DataError: nothing usable is there, or (unless lenient) rows or files are bad.
        MissingDependencyError: a library that reads this kind is not installed.
        OutputError, StaleOutputError: `out` cannot be written to, or holds something else.
    """
    request.check()
    conversion = _Conversion(out, request, reporter, sessions)
    parameters = conversion.parameters(compress) | dict(besides or {})
    wanted = manifest.Manifest(ARTEFACT, conversion.inputs(), parameters, manifest.versions_of(*LIBRARIES), command)
    return write_beir(out, conversion.collection, wanted, compress)


def judged_without_split(request: Request) -> int:
    """How many queries have judgements or clicks and no split by name; 0 where a split is named at all.

    Raises:
        ConfigError, DataError: as `convert`, for the files that were read.
    """
    request.check()
    labelling = _Conversion(Path(), request, reporter_of(False)).labelling
    if any(split is not None for split in labelling.labels):
        return 0
    clicked = {one for one, counts in labelling.clicks.items() if labels_of(counts, request.min_clicks)}
    return len(labelling.labels.get(None, {}).keys() | clicked)


class _Conversion:
    """One conversion, from what is opened to what is counted."""

    def __init__(self, out: Path, request: Request, reporter: Reporter, sessions: Sessions | None = None) -> None:
        self.out, self.request, self.reporter, self.sessions = out, request, reporter, sessions
        self.kind = request.kind or kinds.find(request.place, beside=request.beside)
        self.source = self._opened()
        self.bad = BadRows("lenient" if request.lenient else "strict", MOST_REPORTS)
        self.counts = Counts()
        self.notes: list[str] = []

    def inputs(self) -> dict[str, str]:
        """Name -> hash of everything that is read."""
        request = self.request
        found = {"documents": self.source.digest if not isinstance(self.source, Rows) else self.source.table.digest}
        for name, path in (("queries", request.queries), ("clicks", request.clicks)):
            if path is not None:
                found[name] = hash_of([path])
        found |= hashes_of((name_of_qrels(split), path) for split, path in request.qrels)
        if self.cutter is not None:
            found["tokenizer"] = self.cutter.digest
        return found

    def parameters(self, compress: bool) -> dict[str, Any]:
        """Every setting that changes the result."""
        found: dict[str, Any] = {"source": self.request.place.resolve().name, "from": self.kind, "compress": compress}
        if isinstance(self.source, Rows):
            found["columns"] = {name: one for name, one in self.source.chosen.columns.items() if one is not None}
        return found | self.request.decisive()

    @cached_property
    def cutter(self) -> Cutter | None:
        """What cuts documents into passages; None: nothing does."""
        request = self.request
        if request.passage_tokens is None or request.tokenizer is None:
            return None
        return Cutter(request.tokenizer, request.passage_tokens, request.overlap)

    def _opened(self) -> Source:
        request, kind = self.request, self.kind
        named = any(one is not None for one in request.columns.values())
        if kind in (kinds.FILES, kinds.BEIR) and (named or request.keep or request.number_rows):
            raise wrong("columns of a table (csv, jsonl, parquet, datasets)", f"them with --from {kind}")
        if kind == kinds.BEIR:
            return BeirFolder(load(request.place, "lenient" if request.lenient else "strict"))
        if kind == kinds.FILES:
            found = TextFolder(request.place, request.encoding, self.out, request.beside)
            if not found.paths:
                raise _empty(request.place, text_folder.told(found.others))
            return found
        table = kinds.open_table(request.place, kind, request.encoding, request.separator, request.beside)
        return documents.open_rows(str(request.place), table, request.columns, request.keep, request.number_rows)

    @cached_property
    def labelling(self) -> Labelling:
        """Queries and labels, which are read when this is first asked for."""
        dataset = self.source.dataset if isinstance(self.source, BeirFolder) else None
        for report in dataset.reports if dataset is not None else ():
            self.bad.take(report)
        id_column = None
        if isinstance(self.source, Rows):
            id_column = self.source.chosen["id"]
            self._note(self.source.chosen.note(str(self.request.place)))
        return Labelling(self.request, dataset, id_column, self.bad, self._note)

    def collection(self) -> Collection:
        """The collection, as a stream."""
        sessions = None if self.sessions is None else self._sessions
        return Collection(self._documents(), self.labelling.queries.rows(), self._qrels, self._meta, sessions)

    def _documents(self) -> Iterator[Document | Described]:
        wanted, counts = self.labelling.wanted, self.counts
        first: dict[str, int] = {}  # place of the file and line, in one number: a tuple a document is much memory
        paths: list[Path] = []
        with self.reporter.stage("convert", "documents") as done:
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
                    self.labelling.passages[doc_id] = count
                counts.documents += 1
                counts.passages += count
                counts.long += len(found.document.text) > LONG
                done(1)
        self.bad.finish(f"{self.request.place} and what comes with it, without bad rows or files")
        if not first:
            raise nothing(f"documents in {self.request.place}", self.bad)
        self.labelling.require_known()

    def _cut(self, found: Found) -> Iterator[Document | Described]:
        if self.cutter is None:
            yield Described(found.document, found.metadata) if found.metadata else found.document
            return
        if clash := sorted(found.metadata.keys() & set(NAMES)):
            raise wrong(f"no metadata called {', '.join(NAMES)} where documents are cut", repr(clash[0]))
        for document, metadata in self.cutter.cut(found.document, found.metadata):
            yield Described(document, metadata)

    def _qrels(self) -> dict[str, dict[str, dict[str, int]]]:
        return self.labelling.qrels(self.cutter is not None)

    def _sessions(self, judged: Judged) -> Iterable[str]:
        assert self.sessions is not None
        rows = self.sessions(judged, self.bad, self._note)
        self.bad.finish(f"conversations in {self.request.place}")
        return rows

    def _meta(self) -> Meta:
        cut = self.cutter is not None
        found = told(self.source, self.kind, self.request.encoding, self.counts, cut, self._note)
        if cut and self.labelling.passages:
            self._note("every passage of a judged document has the document's label")
        rule = self.source.dataset.ignore_identical_ids if isinstance(self.source, BeirFolder) else None
        left = {"left_out": self.bad.count, "reports": [*map(self.request.short, self.bad.reports)]}
        return Meta(rule, found | left | {"notes": [*map(self.request.short, self.notes)]})

    def _note(self, text: str | None) -> None:
        if text is not None:
            self.notes.append(text)


def _empty(place: Path, others: str) -> DataError:
    return DataError(
        expected=f"text files ({', '.join(text_folder.READERS)}) in {place}",
        got=others or "an empty folder",
        consequence="nothing was written",
        remedy="give the folder with the documents",
    )
