"""DiSCo's distillation file: `{qid: {did: score}}`, one JSON object for all queries, or several with one a line.

An object that spans lines is held in memory whole. Labels are not kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rankdistill.data import json_lines, lines
from rankdistill.data.writer import write_lines
from rankdistill.formats.content import Export
from rankdistill.formats.record_files import JSON_SUFFIXES, read_records
from rankdistill.formats.registry import Format
from rankdistill.formats.rows import Row, RowError, identifier, number
from rankdistill.formats.source import Source


def _read(source: Source) -> Iterator[Row]:
    first = next((line for _, line in lines.numbered(source.path) if line.strip()), b"{}")
    records = _whole(source) if first.strip() == b"{" else read_records(source.path, source)
    return source.parse(records, parse_nested)


def parse_nested(line: int, record: Any) -> Iterator[Row]:
    """The rows of `{query id: {document id: score}}`."""
    if not isinstance(record, dict):
        raise RowError(f"a {type(record).__name__}, not an object {{query id: {{document id: score}}}}")
    for query_id, scores in record.items():
        if not isinstance(scores, dict):
            raise RowError(f"query {query_id!r} holds a {type(scores).__name__}, not an object {{document id: score}}")
        for doc_id, score in scores.items():
            yield Row(line, identifier(query_id), identifier(doc_id), number(score))


def _whole(source: Source) -> Iterator[tuple[int, Any]]:
    """The one object of a file that spans several lines."""
    try:
        yield 1, json_lines.parse(b"".join(line for _, line in lines.numbered(source.path)))
    except RowError as error:
        broken = error.__cause__
        source.reject(broken.lineno if isinstance(broken, json.JSONDecodeError) else 1, str(error))


def _write(out: Path, export: Export) -> None:
    write_lines(out, _lines(export))


def _lines(export: Export) -> Iterator[str]:
    """An object with one query a line."""
    yield "{"
    held = None
    for group in export.groups():
        if held is not None:
            yield f"{held},"
        scores = {document.doc_id: document.score for document in group.ranked}
        held = f"{json.dumps(group.query_id, ensure_ascii=False)}: {json.dumps(scores, ensure_ascii=False)}"
    if held is not None:
        yield held
    yield "}"


FORMAT = Format("disco", _read, _write, JSON_SUFFIXES, needs_texts=False)
