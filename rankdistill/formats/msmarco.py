"""The layout of `sentence-transformers/msmarco`: tables of ids beside `queries` and `corpus`.

The training rows are (query_id, positive_id, negative_id, score) with the margin as the score, or (query_id,
passage_id, score). Writing gives the former, which loses the level of the scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rankdistill.formats import folders
from rankdistill.formats.content import Export
from rankdistill.formats.groups import margin
from rankdistill.formats.record_files import read_records, write_records
from rankdistill.formats.registry import Format
from rankdistill.formats.rows import Row, get, identifier, number
from rankdistill.formats.source import Source

QUERIES = ("query_id", "query")
PASSAGES = ("passage_id", "passage")


def _parts(source: Source) -> list[Path]:
    return folders.register_texts(source, QUERIES, PASSAGES)


def _read(source: Source) -> Iterator[Row]:
    return source.parse(read_records(source.path, source), _parse)


def _parse(line: int, record: Any) -> Iterator[Row]:
    query_id, value = identifier(get(record, "query_id")), number(get(record, "score"))
    if "passage_id" in record:
        yield Row(line, query_id, identifier(get(record, "passage_id")), value)
        return
    positive_id, negative_id = identifier(get(record, "positive_id")), identifier(get(record, "negative_id"))
    yield Row(line, query_id, negative_id, value, positive_id=positive_id)


def _write(out: Path, export: Export) -> None:
    rows = (
        {
            "query_id": query_id,
            "positive_id": positive.doc_id,
            "negative_id": negative.doc_id,
            "score": margin(positive, negative),
        }
        for query_id, positive, negatives in export.rows()
        for negative in negatives
    )
    write_records(out / "triplets.parquet", rows)
    folders.write_texts(out, export, QUERIES, PASSAGES, "corpus")


FORMAT = Format("sentence-transformers/msmarco", _read, _write, (), needs_texts=True, parts=_parts)
