"""Which pairs are still to score: candidates minus what is stored, cut into work units.

The candidates are read in sorted pieces and each piece is compared only with the stored scores of the same queries, so
memory does not grow with the store. Unit `u` is row group `u` of `plan.parquet`: the same candidates over the same
store give the same units, and a resumed run continues the units of the interrupted one. For a teacher whose scores
depend on the other pairs of a query, units are cut between queries only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from rankdistill import files, locations, tables
from rankdistill.errors import DataError, LockedError, StaleOutputError
from rankdistill.stores.keys import pair_key, unit_digest
from rankdistill.stores.layout import Layout
from rankdistill.stores.shards import inspect
from rankdistill.stores.shares import living_shares, lock_folder

PAIRS = pa.schema([pa.field(name, kind, nullable=False) for name, kind in (
    ("query_id", pa.string()), ("doc_id", pa.string()), ("key", pa.binary(16)),
)])  # fmt: skip

CHUNK_ROWS = 32_768


@dataclass(frozen=True)
class Plan:
    """The pairs that one teacher still has to score.

    Args:
        path: `plan.parquet`; row group `u` is work unit `u`, sorted by query_id, doc_id.
        wanted: unique (query, document) pairs among the candidates.
        missing: pairs without a stored score when the plan was made.
        unit_size: pairs of a unit that were asked for.
        sizes: pairs of each unit.
        digests: one a unit, from the keys in it; its shard is named by it.
    """

    path: Path
    wanted: int
    missing: int
    unit_size: int
    sizes: tuple[int, ...]
    digests: tuple[str, ...]

    @property
    def units(self) -> int:
        """Number of work units."""
        return len(self.digests)

    def unit(self, number: int) -> pa.Table:
        """The pairs of one work unit: query_id, doc_id, key."""
        with tables.open_parquet(self.path) as plan:
            return plan.read_row_group(number)

    def pairs(self, units: Iterable[int]) -> int:
        """How many pairs these units have."""
        return sum(self.sizes[number] for number in units)

    def shard(self, layout: Layout, teacher_id: str, number: int) -> Path:
        """Where the scores of one unit lie once they are complete."""
        return layout.scores(teacher_id) / f"part-{number:06d}-{self.digests[number]}.parquet"

    def left(self, layout: Layout, teacher_id: str) -> list[int]:
        """The units without a shard."""
        made = set(layout.shards(teacher_id))
        return [number for number in range(self.units) if self.shard(layout, teacher_id, number) not in made]


def read_plan(layout: Layout, teacher_id: str) -> Plan | None:
    """The teacher's unfinished plan, or None."""
    return _read(layout.plan(teacher_id))[1]


def _read(folder: Path) -> tuple[dict[str, Any], Plan | None]:
    """What the plan in `folder` was asked for, and the plan."""
    try:
        note = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        counts = {name: note[name] for name in ("wanted", "missing")}
        unit_size, sizes, digests = note["asked"]["unit_size"], tuple(note["sizes"]), tuple(note["digests"])
    except (FileNotFoundError, ValueError, KeyError):
        return {}, None
    return note["asked"], Plan(folder / "plan.parquet", **counts, unit_size=unit_size, sizes=sizes, digests=digests)


def make_plan(
    layout: Layout,
    candidates: Path,
    teacher_id: str,
    hash_of: tuple[Callable[[str], bytes], Callable[[str], bytes]],
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
        unit_size: pairs a work unit.
        whole_queries: never cut a unit inside a query; one with more pairs than `unit_size` is a unit by itself.

    Raises:
        DataError: the candidate table is not sorted by query.
        StaleOutputError: `whole_queries`, and some pairs of a query have a score already, others not.
        LockedError: another process works on a plan for other candidates or units.
    """
    folder = layout.plan(teacher_id)
    asked = {"candidates": candidates.name, "unit_size": unit_size}
    earlier = _read(folder)
    if earlier[1] is not None and earlier[0] == asked:
        return earlier[1]
    if living := living_shares(layout, teacher_id):
        raise LockedError(
            expected=f"to be the only one who scores with {teacher_id} into {layout.root}",
            got=f"another process scores share {living[0]} of other candidates, or with another unit size",
            consequence="nothing was written",
            remedy="wait for it to end, or give it the same candidates and unit size"
            + files.if_holder_is_dead(lock_folder(layout, teacher_id, living[0])),
        )
    discard_plan(layout, teacher_id)
    missing = _MissingPairs(layout, candidates, teacher_id, hash_of, whole_queries)
    cut = _cut_between_queries if whole_queries else _regroup
    sizes, digests = [], []
    with files.atomic_path(folder / "plan.parquet") as temporary, pq.ParquetWriter(temporary, PAIRS) as writer:
        for unit in cut(missing.chunks(), unit_size):
            writer.write_table(unit, row_group_size=len(unit))
            sizes.append(len(unit))
            digests.append(unit_digest(unit.column("key").to_pylist()))
    counts = {"wanted": missing.wanted, "missing": missing.missing}
    files.write_text(folder / "plan.json", json.dumps({"asked": asked, **counts, "sizes": sizes, "digests": digests}))
    path = folder / "plan.parquet"
    return Plan(path, **counts, unit_size=unit_size, sizes=tuple(sizes), digests=tuple(digests))


def discard_plan(layout: Layout, teacher_id: str) -> None:
    """Remove a plan; its note goes first, so a kill in between leaves no plan rather than half of one."""
    folder = layout.plan(teacher_id)
    with files.output_errors(folder):
        (folder / "plan.json").unlink(missing_ok=True)
        files.remove_folder(folder)
        if locations.is_local(folder) and folder.parent.is_dir() and not any(folder.parent.iterdir()):
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


def _regroup(chunks: Iterator[pa.Table], size: int) -> Iterator[pa.Table]:
    """The same rows in tables of exactly `size` rows, the last one shorter."""
    held = PAIRS.empty_table()
    for chunk in chunks:
        held = pa.concat_tables([held, chunk])
        whole = len(held) - len(held) % size
        for start in range(0, whole, size):
            yield held.slice(start, size)
        held = held.slice(whole).combine_chunks()
    if len(held):
        yield held


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
