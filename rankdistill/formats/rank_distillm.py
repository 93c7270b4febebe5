"""Rank-DistiLLM: a run as Parquet (query_id, doc_id, rank, score), or as a TREC run.

Without a score column the score is -rank, of kind `rank`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rankdistill.formats import trec_run
from rankdistill.formats.content import Export
from rankdistill.formats.record_files import PARQUET_SUFFIXES, TEXT_SUFFIXES, read_records, write_records
from rankdistill.formats.registry import Format
from rankdistill.formats.rows import Row, get, identifier, number
from rankdistill.formats.source import Source


def _read(source: Source) -> Iterator[Row]:
    if source.path.suffix != ".parquet":
        return trec_run.read_run(source)
    return source.parse(read_records(source.path, source), _parse)


def _parse(line: int, record: Any) -> Iterator[Row]:
    query_id, doc_id = identifier(get(record, "query_id")), identifier(get(record, "doc_id"))
    yield Row(
        line, query_id, doc_id, number(get(record, "score")) if "score" in record else -number(get(record, "rank"))
    )


def _write(out: Path, export: Export) -> None:
    if out.suffix != ".parquet":
        trec_run.write_run(out, export)
        return
    write_records(
        out,
        (
            {"query_id": group.query_id, "doc_id": document.doc_id, "rank": rank, "score": document.score}
            for group in export.groups()
            for rank, document in enumerate(group.ranked, start=1)
        ),
    )


FORMAT = Format("rank-distillm", _read, _write, PARQUET_SUFFIXES + TEXT_SUFFIXES, needs_texts=False)
