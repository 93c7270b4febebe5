"""What a person reads of a run: each query's text, its first hits and the documents that it was to find.

They lie in `hits.parquet` beside the run, so that a comparison shows texts without the collection.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import polars as pl

from rankdistill import integrity, tables
from rankdistill.data import Dataset
from rankdistill.evaluation.measures import Qrels, Run, best_first

HITS_FILE = "hits.parquet"

FIRST = 10
"""Hits of a query, and relevant documents besides, at most."""

CHARACTERS = 300
"""Of a text, at most."""

SCHEMA = pl.Schema(
    {
        "query_id": pl.String,
        "query": pl.String,
        "rank": pl.Int32,
        "doc_id": pl.String,
        "label": pl.Int32,
        "text": pl.String,
    }
)
"""A document of a query a row; `rank` is null where the run does not have it, `label` where it is not judged. A query
without any has one row without a document."""


def write(folder: Path, run: Run, queries: Mapping[str, str], qrels: Qrels, dataset: Dataset) -> None:
    """Write the first hits of each query of `qrels`, and its other relevant documents, into `folder`.

    Args:
        folder: of the evaluation.
        run: the system's.
        queries: query id -> text.
        qrels: of these queries.
        dataset: has the texts; it is read through once.
    """
    found = {query_id: _shown(run.get(query_id, {}), labels) for query_id, labels in sorted(qrels.items())}
    texts = _texts(dataset, {doc_id for shown in found.values() for doc_id in shown})
    rows: list[tuple[str, str, int | None, str | None, int | None, str | None]] = [
        (query_id, shortened(queries[query_id]), rank, doc_id, qrels[query_id].get(doc_id), texts.get(doc_id))
        for query_id, shown in found.items()
        for doc_id, rank in shown.items()
    ]
    rows += [(one, shortened(queries[one]), None, None, None, None) for one, shown in found.items() if not shown]
    table = pl.DataFrame(rows, schema=SCHEMA, orient="row").sort("query_id", "rank", "doc_id", nulls_last=True)
    tables.write_parquet(folder / HITS_FILE, table.to_arrow())


def read(folder: Path, query_ids: Collection[str]) -> pl.DataFrame:
    """What `write` wrote of some queries; no row where an older evaluation has no such file."""
    path = folder / HITS_FILE
    if not integrity.is_there(path):
        return pl.DataFrame(schema=SCHEMA)
    tables.check_schema(path, pl.DataFrame(schema=SCHEMA).to_arrow().schema)
    wanted = pl.Series("query_id", sorted(query_ids), dtype=pl.String).implode()
    return tables.scan_parquet([path]).filter(pl.col("query_id").is_in(wanted)).collect()


def shortened(text: str, most: int = CHARACTERS) -> str:
    """How a text begins, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most].rstrip()} ..."


def _shown(scores: Mapping[str, float], labels: Mapping[str, int]) -> dict[str, int | None]:
    """Document id -> rank from 1, of the first hits and of the relevant documents with the highest labels."""
    ranks = {doc_id: rank for rank, (doc_id, _) in enumerate(best_first(scores), start=1)}
    relevant = sorted((doc_id for doc_id, label in labels.items() if label > 0), key=lambda one: (-labels[one], one))
    first = [doc_id for doc_id, rank in ranks.items() if rank <= FIRST]
    return {doc_id: ranks.get(doc_id) for doc_id in dict.fromkeys([*first, *relevant[:FIRST]])}


def _texts(dataset: Dataset, wanted: Collection[str]) -> dict[str, str]:
    if "contents" in vars(dataset):  # in memory already
        return {doc_id: shortened(dataset.contents[doc_id]) for doc_id in wanted if doc_id in dataset.contents}
    return {one.doc_id: shortened(one.contents) for one in dataset.documents() if one.doc_id in wanted}
