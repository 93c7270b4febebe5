"""Which texts are still to embed: those gathered minus those with a vector, cut into work units."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rankdistill import files, integrity, tables
from rankdistill.data.digests import Digests
from rankdistill.stores.broken import remove_broken, written_anew
from rankdistill.stores.embeddings import shards
from rankdistill.stores.embeddings.gathering import WRITTEN_AT_ONCE, Gathered
from rankdistill.stores.embeddings.identity import alike_hash, hashes_of_ids, vector_keys
from rankdistill.stores.embeddings.layout import HELD_OUT, TEXTS, UNITS, Layout
from rankdistill.stores.plan import Plan, regroup, take_up, write_note, write_units


def make_plan(layout: Layout, gathered: Gathered, teacher_id: str, asked_size: int | None, unit_size: int) -> Plan:
    """Take up the unfinished plan for the same texts, or make a new one over what has no vector now.

    Beside the plan lie the texts that the store will have. Call it while holding the store's lock.

    Args:
        layout: the store.
        gathered: the texts.
        teacher_id: whose vectors are wanted.
        asked_size: texts a work unit, as they were asked for; None: as many as take some time.
        unit_size: texts a work unit of a new plan.

    Raises:
        LockedError: another process works on a plan for other texts or units.
    """
    asked = asked_for(gathered, asked_size)
    if (earlier := take_up(layout.plan, asked, beside := [layout.planned_texts.name])) is not None:
        return earlier
    remove_broken(layout.root, layout.shards(), layout.plan)
    write_planned_texts(layout, gathered)
    missing = _Missing(layout, gathered, teacher_id)
    sizes, digests = write_units(layout.plan, regroup(missing.chunks(), unit_size), UNITS)
    return write_note(layout.plan, asked, missing.wanted, missing.missing, unit_size, sizes, digests, beside)


def asked_for(gathered: Gathered, asked_size: int | None) -> dict[str, Any]:
    """What a plan is for; see `make_plan`."""
    return {"texts": gathered.identity, "unit_size": asked_size}


def count_missing(layout: Layout, gathered: Gathered, teacher_id: str) -> tuple[int, int]:
    """(texts wanted, texts without a vector), without writing anything."""
    missing = _Missing(layout, gathered, teacher_id)
    for _ in missing.chunks():
        pass
    return missing.wanted, missing.missing


def first_missing(layout: Layout, gathered: Gathered, teacher_id: str, count: int) -> pa.Table:
    """Texts without a vector: all of them, or those of the first pieces that have more than `count`."""
    found = [UNITS.empty_table()]
    for chunk in _Missing(layout, gathered, teacher_id).chunks():
        found.append(chunk)
        if sum(map(len, found)) > count:
            break
    return pa.concat_tables(found)


def write_planned_texts(layout: Layout, gathered: Gathered) -> None:
    """Write the store's texts with those of `gathered` that it lacks behind them, and what must not get in.

    A text that has become a test query by what is gathered now goes; one that the store keeps out stays out.
    """
    held_out = keep_held_out(layout, gathered)
    with (
        files.atomic_path(layout.planned_texts) as temporary,
        pq.ParquetWriter(temporary, TEXTS, **tables.WRITTEN) as writer,
    ):
        for block in regroup(_united(layout, gathered, held_out), WRITTEN_AT_ONCE):
            writer.write_table(block)


def keep_held_out(layout: Layout, gathered: Gathered) -> frozenset[bytes]:
    """Put what must not get in into the store; idempotent. What the store kept out until now."""
    held_out = read_held_out(layout)
    if gathered.held_out - held_out:
        column = pa.array(sorted(gathered.held_out | held_out), pa.binary(16))
        tables.write_parquet(layout.held_out, pa.table([column], schema=HELD_OUT), layout.root)
    return held_out


def _united(layout: Layout, gathered: Gathered, held_out: frozenset[bytes]) -> Iterator[pa.Table]:
    """The store's texts, then the gathered ones that it lacks; `held_out` is what the store kept out until now."""

    def kept() -> Iterator[pa.Table]:
        return (without(chunk, gathered.held_out) for chunk in stored_texts(layout))

    yield from kept()
    there = [layout.texts] if integrity.is_there(layout.texts, layout.root) else []
    count = tables.count_rows(there)
    known = Digests((hashes_of_ids(chunk["text_id"]) for chunk in kept()), count)
    for chunk in gathered.chunks():
        allowed = without(chunk, held_out - gathered.held_out)
        yield allowed.filter(pa.array(~known.holds(hashes_of_ids(allowed["text_id"]))))


def stored_texts(layout: Layout) -> Iterator[pa.Table]:
    """The texts that the store has, some thousands at a time; none if it has not been finished yet."""
    if integrity.is_there(layout.texts, layout.root):
        with tables.open_parquet(layout.texts) as file:
            for batch in file.iter_batches(WRITTEN_AT_ONCE):
                yield pa.Table.from_batches([batch])


def read_held_out(layout: Layout) -> frozenset[bytes]:
    """The `alike_hash` of every text that must not get into the store."""
    if not integrity.is_there(layout.held_out, layout.root):
        return frozenset()
    with written_anew(layout.root, layout.held_out), tables.open_parquet(layout.held_out) as file:
        return frozenset(file.read().column("hash").to_pylist())


def without(texts: pa.Table, held_out: frozenset[bytes]) -> pa.Table:
    """The texts that are not held out."""
    if not held_out:
        return texts
    return texts.filter(pa.array([alike_hash(text) not in held_out for text in texts["text"].to_pylist()], pa.bool_()))


class _Missing:
    """Streams the gathered texts without a vector, and counts them."""

    def __init__(self, layout: Layout, gathered: Gathered, teacher_id: str) -> None:
        self.gathered, self.teacher_id = gathered, teacher_id
        self.held_out = read_held_out(layout) - gathered.held_out
        self.stored = shards.stored_keys(layout.shards())
        self.wanted = self.missing = 0

    def chunks(self) -> Iterator[pa.Table]:
        """Tables with the columns of `layout.UNITS`, in the order of the gathered texts."""
        for chunk in self.gathered.chunks():
            chunk = without(chunk, self.held_out)
            self.wanted += len(chunk)
            keys = vector_keys(chunk["text_id"], self.teacher_id)
            column = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(keys), [None, pa.py_buffer(keys)])
            rows = chunk.append_column(UNITS.field("key"), column).cast(UNITS)
            missing = rows.filter(pa.array(~self.stored.holds(keys)))
            self.missing += len(missing)
            if len(missing):
                yield missing
