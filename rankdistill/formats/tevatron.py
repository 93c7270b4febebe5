"""Tevatron's training data: `query_id, query, positive_passages, negative_passages`, a passage `{docid, title, text}`.

A passage's `score`, which Tevatron's distillation reads, is read and written; without it a line gives candidates only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rankdistill.data.values import string
from rankdistill.formats.content import Export
from rankdistill.formats.groups import Scored
from rankdistill.formats.record_files import JSON_SUFFIXES, PARQUET_SUFFIXES, read_records, write_records
from rankdistill.formats.registry import Format
from rankdistill.formats.rows import Row, get, identifier, number, sequence, text
from rankdistill.formats.source import Source


def _read(source: Source) -> Iterator[Row]:
    def parse(line: int, record: Any) -> Iterator[Row]:
        query_id = identifier(get(record, "query_id"))
        source.ids.query(text(get(record, "query"), "the query"), query_id)
        for name, label in (("positive_passages", 1), ("negative_passages", None)):
            for passage in sequence(get(record, name), repr(name)):
                doc_id, body = identifier(get(passage, "docid")), get(passage, "text")
                title = "" if passage.get("title") is None else string(passage["title"], "'title'")
                source.ids.document(text(f"{title} {string(body, 'a passage')}", "a passage"), doc_id)
                score = passage.get("score")
                yield Row(line, query_id, doc_id, None if score is None else number(score), label)

    return source.parse(read_records(source.path, source), parse)


def _write(out: Path, export: Export) -> None:
    write_records(
        out,
        (
            {
                "query_id": group.query_id,
                "query": export.texts.query(group.query_id),
                "positive_passages": [_passage(export, one) for one in group.positives],
                "negative_passages": [_passage(export, one) for one in group.negatives],
            }
            for group in export.groups(labelled=True)
        ),
    )


def _passage(export: Export, scored: Scored) -> dict[str, Any]:
    document = export.texts.document(scored.doc_id)
    return {"docid": document.doc_id, "title": document.title, "text": document.text, "score": scored.score}


FORMAT = Format("tevatron", _read, _write, JSON_SUFFIXES + PARQUET_SUFFIXES, needs_texts=True)
