"""Writing BEIR folders: same collection, same bytes, plain or gzip."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from rankdistill import files, locations, manifest
from rankdistill.data.beir import CORPUS, QRELS, QUERIES
from rankdistill.data.beir_rows import QRELS_HEADER
from rankdistill.data.meta import FILE_NAME as META
from rankdistill.data.meta import Meta
from rankdistill.data.metadata import METADATA
from rankdistill.errors import OutputError
from rankdistill.making import making
from rankdistill.records import Document, Query

ARTEFACT = "dataset"

SESSIONS = "sessions.jsonl"
"""What a collection of conversations has besides; see `rankdistill.sessions`."""

WORK = ".writing"
"""Below a folder that is being written: its files until all are whole. Where it is, files beside may be replaced."""

Judged = Mapping[str, Mapping[str, Mapping[str, int]]]
"""Split -> query_id -> doc_id -> label."""


class Described(NamedTuple):
    """A document with metadata: name -> JSON value."""

    document: Document
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class Collection:
    """What a BEIR folder holds.

    Args:
        documents: the corpus; read once and first, so it may be a stream.
        queries: the queries; likewise, after the documents. Without one there is no file of them.
        qrels: the judgements; or what gives them, called after both were read.
        meta: what goes into `meta.json`, or what gives it, called last; without anything to say there is no such file.
        sessions: gives the rows of `sessions.jsonl` of the judgements; None: there is no such file.
    """

    documents: Iterable[Document | Described]
    queries: Iterable[Query]
    qrels: Judged | Callable[[], Judged]
    meta: Meta | Callable[[], Meta] = field(default_factory=Meta)
    sessions: Callable[[Judged], Iterable[str]] | None = None


def write_beir(
    out: Path, collect: Callable[[], Collection], made_by: manifest.Manifest, compress: bool = False
) -> bool:
    """Write a collection as a BEIR folder, the manifest last; False if it is there already, and was left as it is.

    A kill at any instant leaves no corpus, or all that belongs to it; the same call then begins again.

    Args:
        out: the folder.
        collect: gives what to write, where it is not there.
        made_by: its provenance; the hashes of the files written are added.
        compress: write `.gz` files. Plain ones can be read by beir's own loader.

    Raises:
        OutputError: `out` cannot be written to, or holds BEIR files already (the user's own).
        StaleOutputError: it holds another collection.
    """
    with making(out, made_by, again=False) as made:
        if not made.current:
            made.wrote(_write(out, collect, compress))
    if locations.is_local(out):
        files.remove_folder(out / WORK)
    return not made.current


def _write(out: Path, collect: Callable[[], Collection], compress: bool) -> list[Path]:
    if not locations.is_local(out):  # an upload appears whole or not at all
        require_free(out)
        return _write_into(out, collect(), compress)
    work = out / WORK
    if work.is_dir():
        _clear(out)
    else:
        require_free(out)
    files.make_folder(work)
    try:
        written = _write_into(work, collect(), compress)
    except BaseException:
        files.remove_folder(work)
        raise
    placed = [out / path.relative_to(work) for path in written]
    with files.output_errors(out):
        for path, place in sorted(zip(written, placed, strict=True), key=lambda pair: _is_corpus(pair[1])):
            files.make_folder(place.parent)
            os.replace(path, place)
    return placed


def _is_corpus(path: Path) -> bool:
    """Whether it is the file by which a folder is known for a collection, and which is placed last."""
    return path.name.startswith(CORPUS)


def _clear(out: Path) -> None:
    """Remove what an interrupted writer left."""
    for name in _held(out):
        if (out / name).is_dir():
            files.remove_folder(out / name)
        else:
            (out / name).unlink()
    files.remove_folder(out / WORK)


def _write_into(out: Path, collection: Collection, compress: bool) -> list[Path]:
    suffix = ".gz" if compress else ""
    corpus, queries = out / f"{CORPUS}{suffix}", out / f"{QUERIES}{suffix}"
    write_lines(corpus, map(_document_line, collection.documents))
    written = [corpus]
    rows = iter(collection.queries)
    if (first := next(rows, None)) is not None:
        write_lines(queries, (_json(_id=row.query_id, text=row.text) for row in chain([first], rows)))
        written.append(queries)
    qrels = collection.qrels() if callable(collection.qrels) else collection.qrels
    for split, judged in sorted(qrels.items()):
        path = out / QRELS / f"{split}.tsv"
        write_qrels(path, judged)
        written.append(path)
    if collection.sessions is not None:
        written.append(out / f"{SESSIONS}{suffix}")
        write_lines(written[-1], collection.sessions(qrels))
    meta = collection.meta() if callable(collection.meta) else collection.meta
    if meta != Meta():
        files.write_text(out / META, meta.text)
        written.append(out / META)
    return written


def _document_line(row: Document | Described) -> str:
    document, metadata = row if isinstance(row, Described) else (row, {})
    more = {METADATA: dict(metadata)} if metadata else {}
    return _json(_id=document.doc_id, title=document.title, text=document.text, **more)


def write_qrels(path: Path, judged: Mapping[str, Mapping[str, int]]) -> None:
    """Write one split's judgements (query_id -> doc_id -> label) as a BEIR qrels file with its header."""
    write_lines(path, _qrels_lines(judged))


def write_lines(path: Path, rows: Iterable[str]) -> None:
    """Write each row and a line end to `path` (UTF-8; gzip if it ends in `.gz`), atomically."""
    with files.atomic_path(path) as temporary, _open(temporary, path.suffix == ".gz") as stream:
        for row in rows:
            stream.write(f"{row}\n".encode())


def require_free(out: Path) -> None:
    """Raise OutputError where `out` holds files of a collection already."""
    if held := _held(out):
        raise OutputError(
            expected=f"a folder without a collection: {out}",
            got=f"{', '.join(held)} without a manifest",
            consequence="nothing was written: they may be all there is of some other collection",
            remedy="choose another output, or remove them if an interrupted run left them",
        )


def _held(out: Path) -> list[str]:
    """The files of a collection that are in a folder."""
    packed = [f"{name}.gz" for name in (CORPUS, QUERIES, SESSIONS)]
    return [name for name in (CORPUS, QUERIES, SESSIONS, *packed, QRELS, META) if (out / name).exists()]


@contextmanager
def _open(path: Path, compress: bool) -> Iterator[BinaryIO]:
    """A binary file to write; the gzip header gets no time and no name, so that bytes depend on the content only."""
    with path.open("wb") as raw:
        if not compress:
            yield raw
            return
        with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as stream:
            yield stream  # type: ignore[misc]


def _qrels_lines(judged: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    yield "\t".join(QRELS_HEADER)
    for query_id, labels in judged.items():
        for doc_id, label in labels.items():
            yield f"{query_id}\t{doc_id}\t{label}"


def _json(**fields: Any) -> str:
    return json.dumps(fields, ensure_ascii=False)
