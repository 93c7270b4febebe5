"""FlagEmbedding's training data: `{query, pos: [...], neg: [...], pos_scores: [...], neg_scores: [...]}`, texts only.

Without the two lists of scores a line gives candidates only. Other fields (`prompt`, `type`, ...) are not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rankdistill.formats.content import Export
from rankdistill.formats.record_files import JSON_SUFFIXES, PARQUET_SUFFIXES, read_records, write_records
from rankdistill.formats.registry import Format
from rankdistill.formats.rows import Row, RowError, get, number, same_length, sequence, text
from rankdistill.formats.source import Source


def _read(source: Source) -> Iterator[Row]:
    def parse(line: int, record: Any) -> Iterator[Row]:
        query_id = source.ids.query(text(get(record, "query"), "the query"))
        for name, label in (("pos", 1), ("neg", None)):
            documents = [text(value, f"an entry of {name!r}") for value in sequence(get(record, name), repr(name))]
            for document, score in zip(documents, _scores(record, name, documents), strict=True):
                yield Row(line, query_id, source.ids.document(document), score, label)

    return source.parse(read_records(source.path, source), parse)


def _scores(record: Any, name: str, documents: list[str]) -> list[float | None]:
    field = f"{name}_scores"
    if record.get("pos_scores") is None and record.get("neg_scores") is None:
        return [None] * len(documents)
    if record.get(field) is None:
        raise RowError(f"missing {field!r}, while the other scores are there")
    scores = sequence(record[field], repr(field))
    same_length(documents, scores, f"{name!r} and {field!r}")
    return [number(score) for score in scores]


def _write(out: Path, export: Export) -> None:
    write_records(
        out,
        (
            {
                "query": export.texts.query(group.query_id),
                "pos": [export.texts.document(one.doc_id).contents for one in group.positives],
                "neg": [export.texts.document(one.doc_id).contents for one in group.negatives],
                "pos_scores": [one.score for one in group.positives],
                "neg_scores": [one.score for one in group.negatives],
            }
            for group in export.groups(labelled=True)
        ),
    )


FORMAT = Format("flagembedding", _read, _write, JSON_SUFFIXES + PARQUET_SUFFIXES, needs_texts=True)
