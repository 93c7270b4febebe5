"""Runs of four columns, `qid did rank score`, without a header; the rank must be an integer but is not used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rankdistill.data.values import whole
from rankdistill.data.writer import write_lines
from rankdistill.formats.content import Export
from rankdistill.formats.record_files import TEXT_SUFFIXES, read_columns
from rankdistill.formats.registry import Format
from rankdistill.formats.rows import Row, identifier, number
from rankdistill.formats.source import Source
from rankdistill.formats.words import word


def _read(source: Source) -> Iterator[Row]:
    return source.parse(read_columns(source, 4, "qid did rank score", separator=None), _parse)


def _parse(line: int, columns: list[str]) -> Iterator[Row]:
    query_id, doc_id, rank, score = columns
    whole(rank, "rank")
    yield Row(line, identifier(query_id), identifier(doc_id), number(score))


def _write(out: Path, export: Export) -> None:
    write_lines(
        out,
        (
            f"{word(group.query_id)}\t{word(document.doc_id)}\t{rank}\t{document.score!r}"
            for group in export.groups()
            for rank, document in enumerate(group.ranked, start=1)
        ),
    )


FORMAT = Format("run-tsv", _read, _write, TEXT_SUFFIXES, needs_texts=False)
