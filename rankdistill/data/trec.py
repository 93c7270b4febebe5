"""TREC runs (`qid Q0 did rank score tag`) and qrels (`qid 0 did rel`), plain or `.gz`, read and written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from rankdistill.data import lines, values
from rankdistill.data.bad_rows import BadRows, Mode
from rankdistill.data.columns import split
from rankdistill.data.values import RowError, identifier
from rankdistill.data.writer import write_lines
from rankdistill.errors import DataError

Run = dict[str, dict[str, float]]
"""query_id -> doc_id -> score."""

Qrels = dict[str, dict[str, int]]
"""query_id -> doc_id -> label."""

Number = TypeVar("Number", int, float)


def read_run(path: Path, mode: Mode = "strict") -> tuple[Run, list[str]]:
    """A run, and the reports of the rows left out (none if strict). The rank column must be an integer but is not used.

    Raises:
        DataError: the file cannot be read, holds no usable row, or (strict) has bad rows.
    """
    return _read(path, mode, "a TREC run: `qid Q0 did rank score tag`", parse_run_row)


def read_qrels(path: Path, mode: Mode = "strict") -> tuple[Qrels, list[str]]:
    """Headerless qrels, and the reports of the rows left out (none if strict).

    Raises:
        DataError: the file cannot be read, holds no usable row, or (strict) has bad rows.
    """
    return _read(path, mode, "TREC qrels: `qid 0 did rel`", parse_qrels_row)


def write_run(path: Path, run: Mapping[str, Mapping[str, float]], tag: str) -> None:
    """Write a run, each query's documents by falling score, equal scores by falling document id, as trec_eval ranks.

    Scores are written so that reading gives the same float.

    Raises:
        DataError: an id or the tag holds white space, or a score is not finite.
    """
    write_lines(path, _run_lines(run, _one_word(tag)))


def write_qrels(path: Path, qrels: Mapping[str, Mapping[str, int]]) -> None:
    """Write headerless qrels in the given order.

    Raises:
        DataError: an id holds white space.
    """
    write_lines(
        path,
        (
            f"{_one_word(query_id)} 0 {_one_word(doc_id)} {label}"
            for query_id, labels in qrels.items()
            for doc_id, label in labels.items()
        ),
    )


def is_writable(identifier: str) -> bool:
    """Whether this id could stand in a run or in qrels: it holds no white space."""
    return values.is_word(identifier)


def _read(
    path: Path, mode: Mode, expected: str, parse: Callable[[list[str]], tuple[str, str, Number]]
) -> tuple[dict[str, dict[str, Number]], list[str]]:
    bad: BadRows = BadRows(mode)
    found: dict[str, dict[str, Number]] = {}
    for number, line in lines.numbered(path):
        if not line.strip():
            continue
        try:
            query_id, doc_id, value = parse(split(line))
        except RowError as error:
            bad.add(path, number, str(error))
            continue
        if doc_id in found.setdefault(query_id, {}):
            bad.add(path, number, f"query {query_id!r} and document {doc_id!r} stand above already")
            continue
        found[query_id][doc_id] = value
    bad.finish(f"{expected} at {path}")
    if not found:
        raise DataError(
            expected=f"{expected} at {path}",
            got="; ".join(["no usable row", *bad.reports[:1]]),
            consequence="nothing was used",
            remedy="give the right file",
        )
    return found, bad.reports


def parse_run_row(columns: list[str]) -> tuple[str, str, float]:
    """(query id, document id, score) of a run's row; RowError if it is none, or its score is not finite."""
    if len(columns) != 6:
        raise RowError(f"{len(columns)} columns, not 6 (qid Q0 did rank score tag)")
    query_id, _, doc_id, rank, score, _ = columns
    values.whole(rank, "rank")
    return identifier(query_id), identifier(doc_id), values.number(score)


def parse_qrels_row(columns: list[str]) -> tuple[str, str, int]:
    """(query id, document id, label) of a qrels row, a label below 0 as it is; RowError if it is none."""
    if len(columns) != 4:
        raise RowError(f"{len(columns)} columns, not 4 (qid 0 did rel)")
    query_id, _, doc_id, label = columns
    return identifier(query_id), identifier(doc_id), values.label(label)


def _run_lines(run: Mapping[str, Mapping[str, float]], tag: str) -> Iterator[str]:
    for query_id, scores in run.items():
        ranked = sorted(scores.items(), key=lambda item: (item[1], item[0]), reverse=True)
        for rank, (doc_id, score) in enumerate(ranked, start=1):
            if not math.isfinite(score):
                raise _unwritable(f"a finite score for query {query_id!r}, document {doc_id!r}", repr(score))
            yield f"{_one_word(query_id)} Q0 {_one_word(doc_id)} {rank} {float(score)!r} {tag}"


def _one_word(text: str) -> str:
    if not is_writable(text):
        raise _unwritable("an id or tag without white space, which separates the columns", repr(text))
    return text


def _unwritable(expected: str, got: str) -> DataError:
    return DataError(
        expected=expected,
        got=got,
        consequence="no TREC file was written",
        remedy="change it in the data, then run the command again",
    )
