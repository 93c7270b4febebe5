"""From rows as they were read to a score table and its candidates: each pair once, with one score and one label."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from rankdistill import tables
from rankdistill.formats.margins import solve
from rankdistill.formats.spool import Spool

PAIR = ["query_id", "doc_id"]

SCORES = pa.schema([pa.field(name, kind, nullable=False) for name, kind in (
    ("query_id", pa.string()), ("doc_id", pa.string()), ("score", pa.float32()),
)])  # fmt: skip

Reject = Callable[[int, str], None]
"""Called with the place and the problem of a row that cannot be used."""


@dataclass
class Merged:
    """The tables, and what is in them.

    Args:
        scores: Parquet file of `SCORES`, sorted by query_id, doc_id; empty where only candidates were asked for.
        candidates: Parquet file of `tables.CANDIDATES`, sorted.
    """

    scores: Path
    candidates: Path
    pairs: int = 0
    queries: int = 0
    content: str = ""


def merge(
    spool: Spool,
    folder: Path,
    name: str,
    labels: Mapping[str, Mapping[str, int]],
    reject: Reject,
    with_scores: bool = True,
) -> Merged:
    """Write the two tables into `folder`, range by range.

    The score of a pair is its first; another one for the same pair is rejected. A pair's label is that of `labels`,
    else the highest in the rows. The rank of a candidate counts by falling score, equal scores in the order of the
    rows; without scores, in the order of the rows.

    Args:
        spool: the rows.
        folder: for the tables.
        name: source of candidates where the rows name none.
        labels: query_id -> doc_id -> label.
        reject: takes the rows that cannot be used.
        with_scores: write scores; rows without one are rejected.
    """
    merged = Merged(folder / "scores.parquet", folder / "candidates.parquet")
    digest = _Digest()
    with ExitStack() as stack:
        scores = stack.enter_context(pq.ParquetWriter(merged.scores, SCORES, compression="lz4"))
        candidates = stack.enter_context(pq.ParquetWriter(merged.candidates, tables.CANDIDATES, **tables.WRITTEN))
        for rows in spool.ranges():
            usable = _with_scores(rows, reject) if with_scores else rows
            usable = usable.with_columns(pl.col("value").cast(pl.Float32))
            usable = _without_contradictions(usable, "value", "score", reject)
            usable = _without_contradictions(usable, "label", "label", reject)
            pairs = usable.group_by(PAIR, maintain_order=True).agg(pl.col("value").first(), pl.col("label").max())
            pairs = _label(pairs, labels)
            merged.pairs += pairs.height
            merged.queries += pairs["query_id"].n_unique()
            if with_scores:
                digest.update(pairs)
                scores.write_table(pairs.select(*PAIR, score="value").to_arrow().cast(SCORES))
            candidates.write_table(_candidates(usable, pairs, name).to_arrow().cast(tables.CANDIDATES))
    merged.content = digest.hexdigest()
    return merged


def _with_scores(rows: pl.DataFrame, reject: Reject) -> pl.DataFrame:
    """The rows with a score, margins turned into scores."""
    for place in rows.filter(pl.col("value").is_null())["place"]:
        reject(place, "no score; --as candidates takes rows without one, to be scored here")
    rows = rows.drop_nulls("value")
    are_margins = rows["positive_id"].is_not_null()
    if not are_margins.any():
        return rows
    for place in rows.filter(~are_margins)["place"]:
        reject(place, "a score among margins; nothing says how they compare")
    return solve(rows.filter(are_margins), reject)


def _without_contradictions(rows: pl.DataFrame, column: str, what: str, reject: Reject) -> pl.DataFrame:
    """The rows without those that say another thing of their pair in `column` than the first that says anything."""
    kept = pl.col(column).drop_nulls().first().over(PAIR)
    differs = (pl.col(column) != kept).fill_null(False)
    contradicting = rows.with_columns(kept=kept).filter(differs).select("place", *PAIR, column, "kept")
    for place, query_id, doc_id, value, other in contradicting.iter_rows():
        reject(place, f"query {query_id!r} and document {doc_id!r} have the {what} {value:g}, and {other:g} elsewhere")
    return rows.filter(~differs)


def _label(pairs: pl.DataFrame, labels: Mapping[str, Mapping[str, int]]) -> pl.DataFrame:
    judged: Iterator[tuple[str, str, int]] = (
        (query_id, doc_id, label)
        for query_id in pairs["query_id"].unique()
        for doc_id, label in labels.get(query_id, {}).items()
    )
    schema = {"query_id": pl.String, "doc_id": pl.String, "judged": pl.Int32}
    found = pl.DataFrame(list(judged), schema=schema, orient="row")
    joined = pairs.join(found, on=PAIR, how="left", maintain_order="left")
    return joined.with_columns(label=pl.coalesce("judged", "label")).drop("judged")


def _candidates(rows: pl.DataFrame, pairs: pl.DataFrame, name: str) -> pl.DataFrame:
    """One row a (query, document, source), ranked within query and source."""
    proposed = rows.with_columns(pl.col("source").fill_null(name))
    proposed = proposed.group_by(*PAIR, "source").agg(pl.col("order").min(), pl.col("value").first())
    order = ("query_id", "source", "value", "order", "doc_id")
    proposed = proposed.sort(*order, descending=[name == "value" for name in order], nulls_last=True)
    ranked = proposed.join(pairs.select(*PAIR, "label"), on=PAIR, maintain_order="left").with_columns(
        is_given=(pl.col("label") > 0).fill_null(False) & pl.col("value").is_null()
    )
    rank = (~pl.col("is_given")).cast(pl.Int32).cum_sum().over("query_id", "source")
    ranked = ranked.with_columns(rank=pl.when(~pl.col("is_given")).then(rank), source_score="value")
    return ranked.select(tables.CANDIDATES.names).sort("query_id", "source", "rank", "doc_id", nulls_last=True)


class _Digest:
    """SHA-256 of the rows (query_id, doc_id, score), however they are cut into tables."""

    def __init__(self) -> None:
        self.ids, self.scores = hashlib.sha256(), hashlib.sha256()

    def update(self, pairs: pl.DataFrame) -> None:
        for part in pairs.iter_slices(65_536):
            lines = part.select(pl.concat_str(*PAIR, separator="\0")).to_series()
            self.ids.update("".join(f"{line}\n" for line in lines).encode())
            self.scores.update(part["value"].to_numpy().astype("<f4").tobytes())

    def hexdigest(self) -> str:
        return hashlib.sha256(self.ids.digest() + self.scores.digest()).hexdigest()
