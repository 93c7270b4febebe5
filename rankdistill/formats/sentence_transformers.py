"""What sentence-transformers' trainers take: text columns by position and one column of scores.

The columns are `query|anchor, positive, negative` or `negative_1 .. negative_n`, and exactly one of `label`, `labels`,
`score` or `scores`. It holds one margin (three texts), one score (two texts), n + 1 scores (positive first) or n
margins.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rankdistill.formats.content import Export
from rankdistill.formats.groups import margin
from rankdistill.formats.record_files import JSON_SUFFIXES, PARQUET_SUFFIXES, read_records, write_records
from rankdistill.formats.registry import Format
from rankdistill.formats.rows import Row, RowError, number, same_length, text
from rankdistill.formats.source import Source

SCORE_COLUMNS = ("label", "labels", "score", "scores")

NEGATIVES = 4
"""Negatives a row where the user does not say."""


def _read(source: Source) -> Iterator[Row]:
    def parse(line: int, record: Any) -> Iterator[Row]:
        texts, scores = _columns(record)
        query_id = source.ids.query(text(texts[0], "the query"))
        doc_ids = [source.ids.document(text(value, "a document")) for value in texts[1:]]
        return assign(line, query_id, doc_ids, scores, is_positive="positive" in record)

    return source.parse(read_records(source.path, source), parse)


def assign(line: int, query_id: str, doc_ids: list[str], scores: Any, is_positive: bool = True) -> Iterator[Row]:
    """The rows of one training example, with scores or margins by how many numbers there are.

    Args:
        line: where it stands.
        query_id: of the query.
        doc_ids: the positive first.
        scores: a number or a list of numbers.
        is_positive: the first document is labelled relevant.

    Raises:
        RowError: the numbers fit neither as scores nor as margins.
    """
    positive_id, *negative_ids = doc_ids
    label = 1 if is_positive else None
    single = not isinstance(scores, list)
    numbers = [number(value) for value in ([scores] if single else scores)]
    if len(numbers) == len(doc_ids):
        yield Row(line, query_id, positive_id, numbers[0], label)
        for doc_id, score in zip(negative_ids, numbers[1:], strict=True):
            yield Row(line, query_id, doc_id, score)
        return
    same_length(numbers, negative_ids, f"{len(doc_ids)} documents take as many scores, or margins of the negatives")
    for doc_id, difference in zip(negative_ids, numbers, strict=True):
        yield Row(line, query_id, doc_id, difference, positive_id=positive_id)


def _columns(record: Any) -> tuple[list[Any], Any]:
    """The texts in order, and the scores."""
    if not isinstance(record, dict):
        raise RowError(f"a JSON {type(record).__name__}, not an object")
    named = [name for name in record if name in SCORE_COLUMNS]
    if len(named) != 1:
        raise RowError(f"one of the columns {', '.join(SCORE_COLUMNS)} is needed, got {named or 'none'}")
    names = [name for name in record if name not in SCORE_COLUMNS]
    if ids := [name for name in names if name == "id" or name.endswith("_id")]:
        raise RowError(f"the columns {ids} would be trained on as text; every column but the scores is one")
    if len(names) < 2:
        raise RowError(f"the texts {names}: a query and a document are needed")
    return [record[name] for name in names], record[named[0]]


def _write(out: Path, export: Export) -> None:
    write_records(out, _records(export))


def _records(export: Export) -> Iterator[dict[str, Any]]:
    for query_id, positive, negatives in export.rows(NEGATIVES):
        one = len(negatives) == 1
        record: dict[str, Any] = {"query": export.texts.query(query_id)}
        record["positive"] = export.texts.document(positive.doc_id).contents
        for place, negative in enumerate(negatives, start=1):
            record["negative" if one else f"negative_{place}"] = export.texts.document(negative.doc_id).contents
        if export.choice.margins:
            margins = [margin(positive, negative) for negative in negatives]
            record["label"] = margins[0] if one else margins
        else:
            record["label"] = [positive.score, *(negative.score for negative in negatives)]
        yield record


FORMAT = Format("sentence-transformers", _read, _write, JSON_SUFFIXES + PARQUET_SUFFIXES, needs_texts=True)
