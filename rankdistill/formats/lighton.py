"""LightOn's and PyLate's knowledge distillation data: `train` (query_id, document_ids, scores), `queries`, `documents`.

The two lists may be strings that hold a list. Which document is the positive is not kept.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rankdistill import plain_json
from rankdistill.formats import folders
from rankdistill.formats.content import Export
from rankdistill.formats.record_files import read_records, write_records
from rankdistill.formats.registry import Format
from rankdistill.formats.rows import Row, RowError, get, identifier, number, same_length, sequence
from rankdistill.formats.source import Source

QUERIES = ("query_id", "text")
DOCUMENTS = ("document_id", "text")

_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_MISREAD = re.compile(r"[0-9]_[0-9]|0[xXoObB]|S\s*S")
"""What Python takes for another value than is meant: 5_5 for 55, 0x10 for 16, and two texts without a comma for one."""


def _parts(source: Source) -> list[Path]:
    return folders.register_texts(source, QUERIES, DOCUMENTS)


def _read(source: Source) -> Iterator[Row]:
    return source.parse(read_records(source.path, source), _parse)


def _parse(line: int, record: Any) -> Iterator[Row]:
    query_id = identifier(get(record, "query_id"))
    doc_ids, scores = _list(record, "document_ids"), _list(record, "scores")
    same_length(doc_ids, scores, "document_ids and scores")
    for doc_id, score in zip(doc_ids, scores, strict=True):
        yield Row(line, query_id, identifier(doc_id), number(score))


def _list(record: Any, name: str) -> list[Any]:
    """The list in a field; a string is read as JSON, else as Python's way to write a list of constants."""
    value = get(record, name)
    if isinstance(value, str):
        try:
            value = plain_json.loads(value)
        except ValueError:
            if _MISREAD.search(_QUOTED.sub("S", value)):
                raise RowError(f"{name} is {value[:40]!r}, with numbers that are not plain or without commas") from None
            try:
                value = ast.literal_eval(value)
            except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
                raise RowError(f"{name} is {value[:40]!r}, which holds no list") from error
    return sequence(value, name)


def _write(out: Path, export: Export) -> None:
    rows = (
        {
            "query_id": group.query_id,
            "document_ids": [document.doc_id for document in documents],
            "scores": [document.score for document in documents],
        }
        for group in export.groups()
        for documents in [[*group.positives, *group.negatives]]
    )
    write_records(out / "train.parquet", rows)
    folders.write_texts(out, export, QUERIES, DOCUMENTS, "documents")


FORMAT = Format("lighton", _read, _write, (), needs_texts=True, parts=_parts)
