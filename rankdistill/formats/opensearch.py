"""OpenSearch's sparse training data: `{query, docs: [...], scores: [...]}`, texts without ids; labels are not kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rankdistill.formats.content import Export
from rankdistill.formats.record_files import JSON_SUFFIXES, PARQUET_SUFFIXES, read_records, write_records
from rankdistill.formats.registry import Format
from rankdistill.formats.rows import Row, get, number, same_length, sequence, text
from rankdistill.formats.source import Source


def _read(source: Source) -> Iterator[Row]:
    def parse(line: int, record: Any) -> Iterator[Row]:
        query_id = source.ids.query(text(get(record, "query"), "the query"))
        documents, scores = sequence(get(record, "docs"), "'docs'"), sequence(get(record, "scores"), "'scores'")
        same_length(documents, scores, "'docs' and 'scores'")
        for document, score in zip(documents, scores, strict=True):
            yield Row(line, query_id, source.ids.document(text(document, "a document")), number(score))

    return source.parse(read_records(source.path, source), parse)


def _write(out: Path, export: Export) -> None:
    write_records(
        out,
        (
            {
                "query": export.texts.query(group.query_id),
                "docs": [export.texts.document(document.doc_id).contents for document in documents],
                "scores": [document.score for document in documents],
            }
            for group in export.groups()
            for documents in [[*group.positives, *group.negatives]]
        ),
    )


FORMAT = Format("opensearch", _read, _write, JSON_SUFFIXES + PARQUET_SUFFIXES, needs_texts=True)
