"""`data`: making and checking collections."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill.data import Dataset, converting, load, meta, sources
from rankdistill.data import pydocs as docs
from rankdistill.data.bad_rows import MOST_SHOWN
from rankdistill.data.beir import QUERIES
from rankdistill.data.converting import kinds
from rankdistill.data.trec import read_qrels
from rankdistill.data.writer import write_qrels
from rankdistill.display import Shown
from rankdistill.errors import ConfigError
from rankdistill.locations import is_local
from rankdistill.notes import note, note_reports
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.sessions import Sessions
from rankdistill.verbs import conversations
from rankdistill.verbs.arguments import Model, Place, listed, place_of, reference_of
from rankdistill.verbs.contract import verb

if TYPE_CHECKING:
    import polars as pl


@verb
def pydocs(
    out: Place,
    *,
    packages: str | Sequence[str] | None = None,
    limit: int | None = None,
    gzip: bool = False,
    command: str = "",
) -> Dataset:
    """Build a collection from the docstrings of installed packages: summary line -> the rest.

    Args:
        out: folder to write; one that holds exactly this collection is left as it is.
        packages: installed packages to read; common ones unless given.
        limit: keep so many documents, chosen by hash.
        gzip: write `.gz` files.
        command: the command line, for the manifest.

    Raises:
        ConfigError: a package is not installed, or a limit below 1.
        DataError: the packages have too few docstrings.
        StaleOutputError, OutputError: `out` holds something else.
    """
    docs.build(place_of(out), listed(packages) or None, limit, gzip, command)
    return _finished(place_of(out))


@verb
def fetch(name: str, out: Place, *, gzip: bool = False, command: str = "") -> Dataset:
    """Fetch a collection by name from MTEB, the Hugging Face hub or ir_datasets.

    Args:
        name: `mteb:SciFact`, `hf:BeIR/scifact` or `ir_datasets:beir/scifact`.
        out: folder to write; one that holds exactly this collection is left as it is.
        gzip: write `.gz` files.
        command: the command line, for the manifest.

    Raises:
        ConfigError: an unknown prefix.
        DataError: the name is unknown, or the network or hub could not be reached.
        MissingDependencyError: the source's library is not installed.
        StaleOutputError, OutputError: `out` holds something else.
    """
    sources.fetch(name, place_of(out), gzip, command)
    return _finished(place_of(out))


@verb
def convert(
    input: Place,
    out: Place,
    *,
    from_: str | None = None,
    id: str | None = None,
    title: str | None = None,
    text: str | None = None,
    keep: str | Sequence[str] = (),
    number_rows: bool = False,
    encoding: str | None = None,
    delimiter: str | None = None,
    queries: Place | None = None,
    query_id: str | None = None,
    query_text: str | None = None,
    qrels: Place | Sequence[Place] = (),
    qrels_columns: str | Sequence[str] = (),
    clicks: Place | None = None,
    clicks_columns: str | Sequence[str] = (),
    min_clicks: int = 1,
    dev: float = 0.1,
    test: float = 0.2,
    passage_tokens: int | None = None,
    overlap: int = 0,
    tokenizer: Model | None = None,
    gzip: bool = False,
    lenient: bool = False,
    progress: ProgressLike = False,
    command: str = "",
) -> Dataset | Sessions:
    """Make a collection of files as they are: text files, a table, what `datasets` saved; with queries and labels.

    Conversations become sessions: those of a BEIR folder whose queries have a history lie in the collection; published
    ones have no documents, and take `qrels`, `qrels_columns`, `dev`, `test`, `gzip` and `lenient` alone.

    Args:
        input: a folder of text, Markdown and HTML files, a CSV, TSV, JSONL or Parquet file (or a folder of such), a
            folder saved by `datasets`, or a BEIR folder; or conversations, a file or a folder.
        out: folder to write; one that holds exactly this collection is left as it is.
        from_: `files`, `csv`, `jsonl`, `parquet`, `datasets` or `beir`, found unless given; or the layout of
            conversations, `qrecc`, `canard`, `topiocqa`, `cast`, `ikat` or `mtrag`.
        id: column of the documents' ids; found by its name unless given, as the next two.
        title: column of their titles; there may be none.
        text: column of their texts.
        keep: further columns, which become metadata, as NAME or NAME:integer, NAME:number; `*` for all.
        number_rows: let ids be the rows' numbers, from 1.
        encoding: of text files and of CSV; found unless given.
        delimiter: between the columns of CSV; found unless given.
        queries: a file of queries: JSON lines, CSV, TSV, Parquet, or a text a line.
        query_id: column of its ids, which may be missing; found by its name unless given.
        query_text: column of its texts; likewise.
        qrels: judgements: TREC, or a table as BEIR's; `SPLIT=FILE`, or FILE, whose queries are split by hash.
        qrels_columns: of query, document and label, where they are not found by their names; a text has commas.
        clicks: a table of query (id or text), document and perhaps a count; see docs/data.md for the labels.
        clicks_columns: of query, document and count, likewise.
        min_clicks: clicks of a pair that count at all.
        dev: share of judged queries for the split dev, by hash of their words.
        test: share for the split test.
        passage_tokens: cut documents into passages of so many tokens at most.
        overlap: tokens that a passage has in common with the one before, at most.
        tokenizer: model whose tokens these are.
        gzip: write `.gz` files.
        lenient: leave bad rows and files out, and tell of them, instead of stopping.
        progress: who is told of the documents.
        command: the command line, for the manifest.

    Returns:
        The collection; or its sessions, where it holds conversations.

    Raises:
        ConfigError: a wrong setting; a column that is not there or cannot be guessed, with those there are.
        DataError: nothing usable is there, or (unless lenient) rows or files are bad.
        MissingDependencyError: a library that reads such files is not installed.
        StaleOutputError, OutputError: `out` holds something else, or cannot be written to.
    """
    layout = conversations.layout_of(local(input), from_)
    request = requested(
        local(input),
        kind=from_ if layout is None else kinds.BEIR,
        id=id,
        title=title,
        text=text,
        keep=keep,
        encoding=encoding,
        delimiter=delimiter,
        queries=queries,
        query_id=query_id,
        query_text=query_text,
        qrels=qrels,
        qrels_columns=qrels_columns,
        clicks=clicks,
        clicks_columns=clicks_columns,
        tokenizer=tokenizer,
        number_rows=number_rows,
        min_clicks=min_clicks,
        dev=dev,
        test=test,
        passage_tokens=passage_tokens,
        overlap=overlap,
        lenient=lenient,
    )
    reporter = reporter_of(progress)
    if layout is None:
        converting.convert(place_of(out), request, gzip, reporter, command)
    else:
        conversations.convert(place_of(out), layout, request, gzip, reporter, command)
    note_conversion(meta.read(place_of(out)).conversion or {})
    return _finished(place_of(out)) if layout is None else conversations.opened(place_of(out))


def requested(
    place: Path,
    *,
    kind: str | None,
    id: str | None,
    title: str | None,
    text: str | None,
    keep: str | Sequence[str],
    encoding: str | None,
    delimiter: str | None,
    queries: Place | None,
    query_id: str | None,
    query_text: str | None,
    qrels: Place | Sequence[Place],
    qrels_columns: str | Sequence[str],
    clicks: Place | None,
    clicks_columns: str | Sequence[str],
    tokenizer: Model | None,
    **plain: Any,
) -> converting.Request:
    """What a user asks for in the words of `convert`; `plain` are settings that `Request` takes as they are.

    Raises:
        ConfigError: files that are not on this machine.
    """
    return converting.Request(
        place=place,
        kind=kind,
        columns={"id": id, "title": title, "text": text},
        keep=tuple(listed(keep)),
        encoding=encoding,
        separator=delimiter,
        queries=None if queries is None else local(queries),
        query_columns={"query-id": query_id, "query-text": query_text},
        qrels=tuple(_split_and_file(one) for one in listed(qrels)),
        qrels_columns=_columns(qrels_columns),
        clicks=None if clicks is None else local(clicks),
        clicks_columns=_columns(clicks_columns),
        tokenizer=None if tokenizer is None else reference_of(tokenizer),
        **plain,
    )


def local(given: Place) -> Path:
    """A path on this machine; ConfigError for one in an object store."""
    found = place_of(given)
    if not is_local(found):
        raise ConfigError(
            expected="files on this machine",
            got=str(found),
            consequence="nothing was read",
            remedy="copy them here first",
        )
    return found


def _split_and_file(given: Place) -> tuple[str | None, Path]:
    """`SPLIT=FILE` or FILE."""
    words = os.fspath(given)
    split, equals, name = words.partition("=")
    return (split, local(name)) if equals and not local(words).exists() else (None, local(words))


def _columns(given: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(one.strip() for one in given.split(",") if one.strip()) if isinstance(given, str) else tuple(given)


def note_conversion(said: Mapping[str, Any]) -> None:
    """What a user must know of a conversion, also where it was made before."""
    for line in said.get("notes", ()):
        note(line)
    if left := said.get("left_out", 0):
        reports = said["reports"][:MOST_SHOWN]
        more = [f"and {left - len(reports):,} more"] if left > len(reports) else []
        note("\n  ".join([f"left out {left:,} bad rows or files:", *reports, *more]))


@verb
def check(folder: Place, *, show: int = 20) -> Dataset:
    """Open a collection and say what is wrong with it; `Dataset.reports` lists its bad rows.

    Args:
        folder: in BEIR layout.
        show: bad rows to note.

    Raises:
        DataError: a file is missing or unreadable, or nothing usable is in it.
    """
    dataset = load(place_of(folder), "lenient")
    note_reports(dataset.reports, show)
    return _noted(dataset)


@dataclass(frozen=True)
class Judgements(Shown):
    """Judgements that were written as a BEIR qrels file.

    Args:
        path: the file.
        judgements: how many.
        queries: how many queries they have.
    """

    path: Path
    judgements: int
    queries: int

    def lines(self) -> list[str]:
        """The counts."""
        return [f"{self.path}: {self.judgements:,} judgements of {self.queries:,} queries"]

    def to_polars(self) -> pl.DataFrame:
        """One row with the counts."""
        import polars as pl

        return pl.DataFrame([self.to_json()])

    def to_json(self) -> dict[str, Any]:
        """Path and counts."""
        return {"path": str(self.path), "judgements": self.judgements, "queries": self.queries}


@verb
def trec_qrels(file: Place, out: Place, *, lenient: bool = False) -> Judgements:
    """Convert TREC qrels to a BEIR qrels file.

    Args:
        file: headerless: `qid 0 did rel`.
        out: file to write, for example `DIR/qrels/test.tsv`.
        lenient: leave bad rows out instead of stopping.

    Raises:
        DataError: the file is missing, or has bad rows.
        OutputError: `out` cannot be written.
    """
    qrels, reports = read_qrels(place_of(file), "lenient" if lenient else "strict")
    note_reports(reports)
    write_qrels(place_of(out), qrels)
    return Judgements(place_of(out), sum(map(len, qrels.values())), len(qrels))


def _finished(out: Path) -> Dataset:
    dataset = load(out, "lenient")
    note_reports(dataset.reports)
    return _noted(dataset)


def _noted(dataset: Dataset) -> Dataset:
    if not dataset.query_texts:
        note(f"documents alone: without {QUERIES} there is nothing to mine, train on scores of or evaluate")
    for split in dataset.splits:
        for line in dataset.notes(split):
            note(line)
    return dataset
