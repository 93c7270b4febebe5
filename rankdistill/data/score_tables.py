"""Scores of (query, document) ids from files: TREC runs, columns of text, Parquet."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl

from rankdistill import integrity, locations
from rankdistill.data import lines
from rankdistill.data.bad_rows import BadRows
from rankdistill.data.columns import split
from rankdistill.data.trec import parse_run_row
from rankdistill.data.values import RowError, identifier, whole
from rankdistill.data.values import number as finite
from rankdistill.errors import DataError

SCHEMA = pl.Schema({"query_id": pl.String(), "doc_id": pl.String(), "score": pl.Float32()})

_TEXT_FORMS = "`qid Q0 did rank score tag`, `qid did rank score` or `qid did score`"
_HASHED_ROWS = 1 << 20


def read(path: Path) -> pl.DataFrame:
    """The scores in a file, or in the Parquet files of a folder: `SCHEMA`, sorted by ids, each pair once, all finite.

    A text file (plain or `.gz`) has white space between its columns and no header; how many columns its first row has
    says which they are. A Parquet file has columns query_id, doc_id and score; more are left out.

    Raises:
        DataError: the file cannot be read or is empty, rows are bad, a pair is doubled, or a score is not finite.
    """
    if path.is_dir():
        return read_parquet(locations.listing(path, "*.parquet"), path)
    if path.suffix == ".parquet":
        return read_parquet([path], path)
    return _checked(_read_text(path), path)


def read_parquet(shards: Sequence[Path], named: Path, schema: pl.Schema = SCHEMA) -> pl.DataFrame:
    """As `read`, from Parquet files; `named` is what messages call them, `schema` has the width of the scores.

    Raises:
        DataError: as `read`.
    """
    if not shards:
        raise _unusable(named, "no Parquet file there")
    try:
        frame = pl.scan_parquet([integrity.require(shard, whole=True) for shard in shards])
        _check_columns(frame.collect_schema(), named)
        rows = frame.select(pl.col(name).cast(kind) for name, kind in schema.items()).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unusable(named, str(error)) from error
    return _checked(rows, named)


def content_hash(table: pl.DataFrame) -> str:
    """SHA-256 (hex) of what a table of `read` says, whatever file it came from."""
    digest = hashlib.sha256()
    for part in table.iter_slices(_HASHED_ROWS):
        for name in ("query_id", "doc_id"):
            digest.update("\n".join(part[name].to_list()).encode() + b"\0")
        digest.update(part["score"].to_numpy().astype("<f4").tobytes())
    return digest.hexdigest()


def _read_text(path: Path) -> pl.DataFrame:
    bad = BadRows()
    rows: list[tuple[str, str, float]] = []
    parse: Callable[[list[str]], tuple[str, str, float]] | None = None
    for number, columns in _columns(path, bad):
        try:
            parse = parse or _parser(len(columns))
            rows.append(parse(columns))
        except RowError as error:
            bad.add(path, number, str(error))
    bad.finish(f"rows of {_TEXT_FORMS} in {path}")
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _columns(path: Path, bad: BadRows) -> Iterator[tuple[int, list[str]]]:
    for number, line in lines.numbered(path):
        try:
            columns = split(line)
        except RowError as error:
            bad.add(path, number, str(error))
            continue
        if columns:
            yield number, columns


def _parser(columns: int) -> Callable[[list[str]], tuple[str, str, float]]:
    if columns == 6:
        return parse_run_row
    if columns not in (3, 4):
        raise RowError(f"{columns} columns, not those of {_TEXT_FORMS}")

    def parse(row: list[str]) -> tuple[str, str, float]:
        if len(row) != columns:
            raise RowError(f"{len(row)} columns, not {columns} as above")
        if columns == 4:
            whole(row[2], "rank")
        return identifier(row[0]), identifier(row[1]), finite(row[-1])

    return parse


def _check_columns(found: pl.Schema, named: Path) -> None:
    if missing := [name for name in SCHEMA if name not in found]:
        raise _unusable(named, f"no column {', '.join(missing)}")
    for name in ("query_id", "doc_id"):
        if not (found[name] in (pl.String, pl.Categorical, pl.Enum) or found[name].is_integer()):
            raise _unusable(named, f"the column {name} holds {found[name]}, and ids are texts or whole numbers")
    if not found["score"].is_numeric():
        raise _unusable(named, f"the column score holds {found['score']}, not numbers")


def _checked(table: pl.DataFrame, path: Path) -> pl.DataFrame:
    if not len(table):
        raise _unusable(path, "no row")
    for problem, rows in (
        ("an empty id or score", table.filter(pl.any_horizontal(pl.all().is_null()))),
        ("a score that is not finite", table.filter(~pl.col("score").is_finite())),
        ("an id that is unfit (empty, blanks at its ends, control characters)", table.filter(_unfit())),
        ("a pair that stands there twice", table.filter(table.select("query_id", "doc_id").is_duplicated())),
    ):
        if len(rows):
            first = rows.row(0)
            raise _unusable(path, f"{len(rows)} rows with {problem}, as query {first[0]!r}, document {first[1]!r}")
    return table.sort("query_id", "doc_id")


def _unfit() -> pl.Expr:
    """Whether one of the ids is none by `values.identifier`."""
    ids = pl.col("query_id", "doc_id")
    return pl.any_horizontal(
        (ids == "") | (ids != ids.str.strip_chars()) | ids.str.contains(r"[\x00-\x1f\x7f-\x9f\x{2028}\x{2029}\x{feff}]")
    )


def _unusable(path: Path, got: str) -> DataError:
    return DataError(
        expected=f"scores of pairs: {_TEXT_FORMS}, or Parquet with {', '.join(SCHEMA)}",
        got=f"{path}: {got}",
        consequence="nothing was used",
        remedy="give the right file, or repair its rows",
    )
