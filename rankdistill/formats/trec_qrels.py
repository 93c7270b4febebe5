"""TREC qrels, `qid 0 did rel`: labels without scores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rankdistill.data.trec import parse_qrels_row
from rankdistill.data.writer import write_lines
from rankdistill.formats.content import Export
from rankdistill.formats.record_files import TEXT_SUFFIXES, read_columns
from rankdistill.formats.registry import Format
from rankdistill.formats.rows import Row
from rankdistill.formats.source import Source
from rankdistill.formats.words import word


def _read(source: Source) -> Iterator[Row]:
    return source.parse(read_columns(source, 4, "qid 0 did rel", separator=None), _parse)


def _parse(line: int, columns: list[str]) -> Iterator[Row]:
    query_id, doc_id, label = parse_qrels_row(columns)
    yield Row(line, query_id, doc_id, None, max(0, label))


def _write(out: Path, export: Export) -> None:
    write_lines(
        out,
        (
            f"{word(group.query_id)} 0 {word(document.doc_id)} {document.label}"
            for group in export.groups()
            for document in sorted([*group.positives, *group.negatives])
            if document.label is not None
        ),
    )


FORMAT = Format("trec-qrels", _read, _write, (*TEXT_SUFFIXES, ".qrels"), needs_texts=False, has_scores=False)
