"""The run that lies in the folder of an evaluation: a TREC file, or Parquet where an id holds white space."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from rankdistill import tables
from rankdistill.data import score_tables, trec
from rankdistill.evaluation.measures import Run, best_first

TREC_FILE, PARQUET_FILE = "run.trec", "run.parquet"
NAMES = (TREC_FILE, PARQUET_FILE)
"""What the run of an evaluation may be called; it is in one of them."""

_SCHEMA = pl.Schema({"query_id": pl.String, "doc_id": pl.String, "rank": pl.Int32, "score": pl.Float64})


def write(folder: Path, run: Run, ids: Iterable[str]) -> Path:
    """Write `run` into `folder`: `run.trec`, or `run.parquet` if one of `ids` (the collection's) holds white space.

    Either has each query's documents best first, and scores that read back as the same floats. The other file, which an
    evaluation that was cut short may have left, is removed.

    Raises:
        DataError: a score is not finite.
    """
    if all(map(trec.is_writable, ids)):
        (folder / PARQUET_FILE).unlink(missing_ok=True)
        trec.write_run(folder / TREC_FILE, run, tag="rankdistill")
        return folder / TREC_FILE
    (folder / TREC_FILE).unlink(missing_ok=True)
    rows = [
        (query_id, doc_id, rank, float(score))
        for query_id, scores in run.items()
        for rank, (doc_id, score) in enumerate(best_first(scores), start=1)
    ]
    tables.write_parquet(folder / PARQUET_FILE, pl.DataFrame(rows, schema=_SCHEMA, orient="row").to_arrow())
    return folder / PARQUET_FILE


def find(folder: Path) -> Path:
    """The run in `folder`; where there is none, the path of the TREC file that is absent."""
    parquet = folder / PARQUET_FILE
    return parquet if parquet.is_file() else folder / TREC_FILE


def read(path: Path) -> dict[str, dict[str, float]]:
    """The run in a TREC file, or in a Parquet file with query_id, doc_id and score (its rank is not used).

    Raises:
        DataError: the file cannot be read, has bad rows, or none.
    """
    if path.suffix != ".parquet":
        return trec.read_run(path)[0]
    wanted = pl.Schema({name: _SCHEMA[name] for name in score_tables.SCHEMA})
    found: dict[str, dict[str, float]] = {}
    for query_id, doc_id, score in score_tables.read_parquet([path], path, wanted).iter_rows():
        found.setdefault(query_id, {})[doc_id] = score
    return found
