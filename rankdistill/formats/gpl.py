"""GPL pseudo-labels: `qid pos neg margin`, tabs, no header; margins only.

Reading gives scores up to a shift a query (`margins.solve`). Writing loses the level of the scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rankdistill.data.writer import write_lines
from rankdistill.formats.content import Export
from rankdistill.formats.groups import margin
from rankdistill.formats.record_files import TEXT_SUFFIXES, read_columns
from rankdistill.formats.registry import Format
from rankdistill.formats.rows import Row, identifier, number
from rankdistill.formats.source import Source
from rankdistill.formats.words import word


def _read(source: Source) -> Iterator[Row]:
    return source.parse(read_columns(source, 4, "qid pos neg margin"), _parse)


def _parse(line: int, columns: list[str]) -> Iterator[Row]:
    query_id, positive_id, negative_id = map(identifier, columns[:3])
    yield Row(line, query_id, negative_id, number(columns[3]), positive_id=positive_id)


def _write(out: Path, export: Export) -> None:
    write_lines(
        out,
        (
            f"{word(query_id)}\t{word(positive.doc_id)}\t{word(negative.doc_id)}\t{margin(positive, negative)!r}"
            for query_id, positive, negatives in export.rows()
            for negative in negatives
        ),
    )


FORMAT = Format("gpl", _read, _write, TEXT_SUFFIXES, needs_texts=False)
