"""msmarco-hard-negatives: `{qid, pos: [...], neg: {system: [...]}}`, one query a line.

An entry is an id, or an object `{pid, ce-score}` as in the older files; without scores the file gives candidates only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rankdistill.formats.content import Export
from rankdistill.formats.groups import Group, Scored
from rankdistill.formats.record_files import JSON_SUFFIXES, read_records, write_records
from rankdistill.formats.registry import Format
from rankdistill.formats.rows import Row, RowError, get, id_value, identifier, number, sequence
from rankdistill.formats.source import Source


def _read(source: Source) -> Iterator[Row]:
    return source.parse(read_records(source.path, source), _parse)


def _parse(line: int, record: Any) -> Iterator[Row]:
    query_id, negatives = identifier(get(record, "qid")), get(record, "neg")
    if not isinstance(negatives, dict):
        raise RowError(f"'neg' is a {type(negatives).__name__}, not an object of systems")
    for entry in sequence(get(record, "pos"), "'pos'"):
        yield Row(line, query_id, *_entry(entry), label=1)
    for system, entries in negatives.items():
        for entry in sequence(entries, f"the negatives of {system!r}"):
            yield Row(line, query_id, *_entry(entry), source=identifier(system))


def _entry(entry: Any) -> tuple[str, float | None]:
    """(document id, score)."""
    if not isinstance(entry, dict):
        return identifier(entry), None
    score = entry.get("ce-score")
    return identifier(get(entry, "pid")), None if score is None else number(score)


def _write(out: Path, export: Export) -> None:
    write_records(
        out,
        (
            {
                "qid": id_value(group.query_id),
                "pos": [_object(document) for document in group.positives],
                "neg": _by_system(group),
            }
            for group in export.groups(labelled=True)
        ),
    )


def _by_system(group: Group) -> dict[str, list[dict[str, Any]]]:
    systems = sorted({system for document in group.negatives for system in document.sources})
    return {
        system: [_object(document) for document in group.negatives if system in document.sources] for system in systems
    }


def _object(document: Scored) -> dict[str, Any]:
    return {"pid": id_value(document.doc_id), "ce-score": document.score}


FORMAT = Format("msmarco-hard-negatives", _read, _write, JSON_SUFFIXES, needs_texts=False)
