"""Writing BEIR folders: same collection, same bytes, plain or gzip."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from rankdistill import files, manifest
from rankdistill.data.beir import CORPUS, QRELS, QUERIES
from rankdistill.data.beir_rows import QRELS_HEADER
from rankdistill.data.meta import FILE_NAME as META
from rankdistill.data.meta import Meta
from rankdistill.errors import OutputError
from rankdistill.making import making
from rankdistill.records import Document, Query

ARTEFACT = "dataset"


@dataclass(frozen=True)
class Collection:
    """What a BEIR folder holds.

    Args:
        documents: the corpus; read once, so it may be a stream.
        queries: the queries; likewise.
        qrels: split -> query_id -> doc_id -> label.
        meta: what goes into `meta.json`; without anything to say there is no such file.
    """

    documents: Iterable[Document]
    queries: Iterable[Query]
    qrels: Mapping[str, Mapping[str, Mapping[str, int]]]
    meta: Meta = field(default_factory=Meta)


def write_beir(
    out: Path, collect: Callable[[], Collection], made_by: manifest.Manifest, compress: bool = False
) -> bool:
    """Write a collection as a BEIR folder, the manifest last; False if it is there already, and was left as it is.

    Args:
        out: the folder.
        collect: gives what to write, where it is not there.
        made_by: its provenance; the hashes of the files written are added.
        compress: write `.gz` files. Plain ones can be read by beir's own loader.

    Raises:
        OutputError: `out` cannot be written to, or holds BEIR files already (the user's own, or an unfinished run's).
        StaleOutputError: it holds another collection.
    """
    with making(out, made_by) as made:
        if not made.current:
            made.wrote(_write(out, collect(), compress))
    return not made.current


def _write(out: Path, collection: Collection, compress: bool) -> list[Path]:
    require_free(out)
    suffix = ".gz" if compress else ""
    corpus, queries = out / f"{CORPUS}{suffix}", out / f"{QUERIES}{suffix}"
    write_lines(corpus, (_json(_id=row.doc_id, title=row.title, text=row.text) for row in collection.documents))
    write_lines(queries, (_json(_id=row.query_id, text=row.text) for row in collection.queries))
    written = [corpus, queries]
    for split, judged in sorted(collection.qrels.items()):
        path = out / QRELS / f"{split}.tsv"
        write_qrels(path, judged)
        written.append(path)
    if collection.meta != Meta():
        files.write_text(out / META, collection.meta.text)
        written.append(out / META)
    return written


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
    held = [name for name in (CORPUS, f"{CORPUS}.gz", QUERIES, f"{QUERIES}.gz", QRELS, META) if (out / name).exists()]
    if held:
        raise OutputError(
            expected=f"a folder without a collection: {out}",
            got=f"{', '.join(held)} without a manifest",
            consequence="nothing was written: they may be all there is of some other collection",
            remedy="choose another output, or remove them if an interrupted run left them",
        )


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
