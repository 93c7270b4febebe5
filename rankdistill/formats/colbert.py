"""ColBERTv2's training examples: `[qid, [pid, score], ...]`, one JSON list a line.

Flat lines are read too: `[qid, pid, score, pid, score, ...]`, and `[qid, positive, negative, ...]` without scores. The
whole file is one or the other: a single number with a point or an exponent says that there are scores.
Which document is the positive is not kept where there are scores; written lines start with the positives.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rankdistill.data import json_lines, lines
from rankdistill.formats.content import Export
from rankdistill.formats.record_files import JSON_SUFFIXES, read_records, write_records
from rankdistill.formats.registry import Format
from rankdistill.formats.rows import Row, RowError, id_value, identifier, number, sequence
from rankdistill.formats.source import Source


def _read(source: Source) -> Iterator[Row]:
    has_scores = _flat_scores(source)
    return source.parse(read_records(source.path, source), lambda line, record: _parse(line, record, has_scores))


def _flat_scores(source: Source) -> bool:
    """Whether the flat lines of the file hold scores."""
    if source.path.suffix == ".parquet":
        return False
    for _, line in lines.numbered(source.path):
        if b"." in line or b"e" in line.lower():
            try:
                record = json_lines.parse(line)
            except RowError:
                continue
            if isinstance(record, list) and any(isinstance(entry, (float, list)) for entry in record[1:]):
                return not any(isinstance(entry, list) for entry in record[1:])
    return False


def _parse(line: int, record: Any, has_scores: bool) -> Iterator[Row]:
    if len(sequence(record, "the line")) < 2:
        raise RowError("a query id and at least one document are needed")
    query_id, entries = identifier(record[0]), record[1:]
    if any(isinstance(entry, list) for entry in entries):
        pairs = [_pair(entry) for entry in entries]
    elif has_scores:
        if len(entries) % 2:
            raise RowError(f"{len(entries)} entries after the query id: a score for each document makes them even")
        pairs = [(identifier(pid), number(score)) for pid, score in zip(entries[::2], entries[1::2], strict=True)]
    else:
        for place, entry in enumerate(entries):
            yield Row(line, query_id, identifier(entry), None, None if place else 1)
        return
    for doc_id, score in pairs:
        yield Row(line, query_id, doc_id, score)


def _pair(entry: Any) -> tuple[str, float]:
    if len(sequence(entry, "a document")) != 2:
        raise RowError(f"{entry!r:.80} is no [pid, score]")
    return identifier(entry[0]), number(entry[1])


def _write(out: Path, export: Export) -> None:
    write_records(
        out,
        (
            [
                id_value(group.query_id),
                *([id_value(one.doc_id), one.score] for one in [*group.positives, *group.negatives]),
            ]
            for group in export.groups()
        ),
    )


FORMAT = Format("colbert", _read, _write, JSON_SUFFIXES, needs_texts=False)
