"""TREC runs: `qid Q0 did rank score tag`; the rank must be an integer but is not used, as in trec_eval."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rankdistill.data.trec import parse_run_row
from rankdistill.data.writer import write_lines
from rankdistill.formats.content import Export
from rankdistill.formats.record_files import TEXT_SUFFIXES, read_columns
from rankdistill.formats.registry import Format
from rankdistill.formats.rows import Row
from rankdistill.formats.source import Source
from rankdistill.formats.words import word

COLUMNS = "qid Q0 did rank score tag"


def read_run(source: Source) -> Iterator[Row]:
    """The rows of a run."""
    return source.parse(read_columns(source, 6, COLUMNS, separator=None), _parse)


def write_run(out: Path, export: Export) -> None:
    """Each query's documents by falling score, equal scores by id, with the teacher's name as the tag."""
    tag = "_".join(export.name.split())
    write_lines(
        out,
        (
            f"{word(group.query_id)} Q0 {word(document.doc_id)} {rank} {document.score!r} {tag}"
            for group in export.groups()
            for rank, document in enumerate(group.ranked, start=1)
        ),
    )


def _parse(line: int, columns: list[str]) -> Iterator[Row]:
    yield Row(line, *parse_run_row(columns))


FORMAT = Format("trec-run", read_run, write_run, TEXT_SUFFIXES, needs_texts=False)
