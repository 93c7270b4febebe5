"""Margin-MSE training triples of ids: `pos_score neg_score query_id pos_id neg_id`, tabs, no header."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rankdistill.data.writer import write_lines
from rankdistill.formats.content import Export
from rankdistill.formats.record_files import TEXT_SUFFIXES, read_columns
from rankdistill.formats.registry import Format
from rankdistill.formats.rows import Row, identifier, number
from rankdistill.formats.source import Source
from rankdistill.formats.words import word


def _read(source: Source) -> Iterator[Row]:
    return source.parse(read_columns(source, 5, "pos_score neg_score query_id pos_id neg_id"), _parse)


def _parse(line: int, columns: list[str]) -> Iterator[Row]:
    positive_score, negative_score = number(columns[0]), number(columns[1])
    query_id, positive_id, negative_id = map(identifier, columns[2:])
    yield Row(line, query_id, positive_id, positive_score, 1)
    yield Row(line, query_id, negative_id, negative_score)


def _write(out: Path, export: Export) -> None:
    write_lines(
        out,
        (
            f"{positive.score!r}\t{negative.score!r}\t{word(query_id)}\t{word(positive.doc_id)}\t{word(negative.doc_id)}"
            for query_id, positive, negatives in export.rows()
            for negative in negatives
        ),
    )


FORMAT = Format("hofstatter", _read, _write, TEXT_SUFFIXES, needs_texts=False)
