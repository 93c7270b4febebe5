"""Which pairs are still to score: candidates minus what is stored, cut into work units.

The candidates are read in sorted pieces and each piece is compared only with the stored scores of the same queries, so
memory does not grow with the store. The same candidates over the same store give the same units. For a teacher whose
scores depend on the other pairs of a query, units are cut between queries only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from rankdistill import files, locations, tables
from rankdistill.errors import DataError, StaleOutputError
from rankdistill.stores.broken import remove_broken
from rankdistill.stores.keys import pair_key
from rankdistill.stores.layout import Layout
from rankdistill.stores.plan import Plan, discard_plan, regroup, take_up, write_note, write_units
from rankdistill.stores.shards import inspect

PAIRS = pa.schema([pa.field(name, kind, nullable=False) for name, kind in (
    ("query_id", pa.string()), ("doc_id", pa.string()), ("key", pa.binary(16)),
)])  # fmt: skip

CHUNK_ROWS = 32_768


def make_plan(
    layout: Layout,
    candidates: Path,
    teacher_id: str,
    hash_of: tuple[Callable[[str], bytes], Callable[[str], bytes]],
    asked_size: int | None,
    unit_size: int,
    whole_queries: bool = False,
) -> Plan:
    """Take up the unfinished plan for the same candidates, or make a new one over what is missing now.

    Call it while holding the store's lock.

    Args:
        layout: the store.
        candidates: a candidate table inside the store; its name is its content hash.
        teacher_id: whose scores are wanted.
        hash_of: query id -> text hash, and document id -> text hash.
        asked_size: pairs a work unit, as they were asked for; None: as many as take some time.
        unit_size: pairs a work unit of a new plan.
        whole_queries: never cut a unit inside a query; one with more pairs than `unit_size` is a unit by itself.

    Raises:
        DataError: the candidate table is not sorted by query.
        StaleOutputError: `whole_queries`, and some pairs of a query have a score already, others not.
        LockedError: another process works on a plan for other candidates or units.
    """
    folder, asked = layout.plan(teacher_id), asked_for(candidates, asked_size)
    if (earlier := take_up(folder, asked)) is not None:
        return earlier
    remove_broken(layout.root, layout.shards(teacher_id), folder)
    pairs = _MissingPairs(layout, candidates, teacher_id, hash_of, whole_queries)
    cut = _cut_between_queries if whole_queries else regroup
    sizes, digests = write_units(folder, cut(pairs.chunks(), unit_size), PAIRS)
    return write_note(folder, asked, pairs.wanted, pairs.missing, unit_size, sizes, digests)


def first_missing(
    layout: Layout,
    candidates: Path,
    teacher_id: str,
    hash_of: tuple[Callable[[str], bytes], Callable[[str], bytes]],
    count: int,
) -> pa.Table:
    """Pairs without a stored score: all of them, or those of the first pieces that have more than `count`."""
    found = [PAIRS.empty_table()]
    for chunk in _MissingPairs(layout, candidates, teacher_id, hash_of, whole_queries=False).chunks():
        found.append(chunk)
        if sum(map(len, found)) > count:
            break
    return pa.concat_tables(found)


def asked_for(candidates: Path, asked_size: int | None) -> dict[str, Any]:
    """What a plan is for; see `make_plan`."""
    return {"candidates": candidates.name, "unit_size": asked_size}


def forget_plan(layout: Layout, teacher_id: str) -> None:
    """Remove a teacher's plan, and the folder of plans if it was the last."""
    folder = layout.plan(teacher_id)
    discard_plan(folder)
    if locations.is_local(folder) and folder.parent.is_dir() and not any(folder.parent.iterdir()):
        with files.output_errors(folder):
            folder.parent.rmdir()


def count_missing(
    layout: Layout,
    candidates: Path,
    teacher_id: str,
    hash_of: tuple[Callable[[str], bytes], Callable[[str], bytes]],
    whole_queries: bool = False,
) -> tuple[int, int]:
    """(unique pairs wanted, pairs without a stored score), without writing anything; raises as `make_plan`."""
    pairs = _MissingPairs(layout, candidates, teacher_id, hash_of, whole_queries)
    for _ in pairs.chunks():
        pass
    return pairs.wanted, pairs.missing


class _MissingPairs:
    """Streams the candidate pairs that have no stored score, and counts them."""

    def __init__(
        self,
        layout: Layout,
        candidates: Path,
        teacher_id: str,
        hash_of: tuple[Callable[[str], bytes], Callable[[str], bytes]],
        whole_queries: bool,
    ) -> None:
        self.candidates, self.teacher_id, self.whole_queries = candidates, teacher_id, whole_queries
        self.query_hash, self.document_hash = hash_of
        self.shards = inspect(layout.shards(teacher_id))
        self.wanted = self.missing = 0

    def chunks(self) -> Iterator[pa.Table]:
        """Tables of query_id, doc_id, key, sorted by query_id, doc_id over all chunks."""
        for pairs in _unique_pairs(self.candidates):
            keys = [
                pair_key(self.query_hash(query_id), self.document_hash(doc_id), self.teacher_id)
                for query_id, doc_id in zip(pairs["query_id"].to_list(), pairs["doc_id"].to_list(), strict=True)
            ]
            chunk = pairs.with_columns(pl.Series("key", keys, dtype=pl.Binary))
            self.wanted += len(chunk)
            low, high = chunk["query_id"][0], chunk["query_id"][-1]
            if near := [shard.path for shard in self.shards if shard.may_hold(low, high)]:
                stored = tables.scan_parquet(near).filter(pl.col("query_id").is_between(pl.lit(low), pl.lit(high)))
                keys_stored = stored.select("key").collect()
                if self.whole_queries:
                    self._refuse_split_queries(chunk, keys_stored)
                chunk = chunk.join(keys_stored, on="key", how="anti", maintain_order="left")
            self.missing += len(chunk)
            if len(chunk):
                yield chunk.to_arrow().cast(PAIRS)

    def _refuse_split_queries(self, chunk: pl.DataFrame, stored: pl.DataFrame) -> None:
        """Raise if only some pairs of a query are stored: they were scored among other documents."""
        share = pl.col("key").is_in(stored["key"].implode()).mean().alias("share")
        split = (
            chunk.group_by("query_id", maintain_order=True).agg(share).filter(pl.col("share").is_between(0, 1, "none"))
        )
        if len(split):
            raise StaleOutputError(
                expected=f"queries whose candidates {self.teacher_id} has ranked all, or not at all",
                got=f"{len(split)} of which it has ranked some, as {split['query_id'][0]!r}",
                consequence="nothing was scored: ranks among different documents cannot be compared",
                remedy="score these candidates into a new store",
            )


def _unique_pairs(candidates: Path) -> Iterator[pl.DataFrame]:
    """Unique (query_id, doc_id) in sorted order, in pieces that never split a query."""
    held: pl.DataFrame | None = None
    with tables.open_parquet(candidates) as source:
        for batch in source.iter_batches(CHUNK_ROWS, columns=["query_id", "doc_id"]):
            rows = pl.DataFrame(pl.from_arrow(batch))
            held = rows if held is None else pl.concat([held, rows])
            if not held["query_id"].is_sorted():
                raise DataError(
                    expected="a candidate table sorted by query_id",
                    got=f"{candidates} is not",
                    consequence="nothing was scored",
                    remedy="make the candidates with `rankdistill mine`, or sort the table by query_id",
                )
            last = held["query_id"][-1]
            ready, held = held.filter(pl.col("query_id") != last), held.filter(pl.col("query_id") == last)
            if len(ready):
                yield ready.unique().sort("query_id", "doc_id")
    if held is not None and len(held):
        yield held.unique().sort("query_id", "doc_id")


def _cut_between_queries(chunks: Iterator[pa.Table], size: int) -> Iterator[pa.Table]:
    """The same rows in tables of whole queries with at most `size` rows, or of one longer query.

    Args:
        chunks: tables sorted by query, none of which splits one.
        size: rows of a table.
    """
    held: list[pa.Table] = []
    for chunk in chunks:
        lengths = pl.Series(pl.from_arrow(chunk["query_id"])).rle().struct.field("len").to_list()
        start = 0
        for length in lengths:
            if held and sum(map(len, held)) + length > size:
                yield pa.concat_tables(held).combine_chunks()
                held = []
            held.append(chunk.slice(start, length))
            start += length
    if held:
        yield pa.concat_tables(held).combine_chunks()
