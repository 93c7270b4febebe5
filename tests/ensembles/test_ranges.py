"""Shards are read in ranges of whole queries, each row once, whatever the shards look like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from rankdistill.ensembles.ranges import Cursor, cuts, spans
from rankdistill.errors import StoreError
from tests.ensembles.stores import Pairs, as_dict, write_store
from tests.recorded import record_again


def random_scores(seed: int, queries: int = 12, share: float = 0.6) -> Pairs:
    generator = np.random.default_rng(seed)
    return {
        (f"q{query:02d}", f"d{doc:02d}"): float(np.float32(generator.normal()))
        for query in range(queries)
        for doc in range(15)
        if generator.random() < share
    }


@pytest.mark.parametrize("plans", [1, 3])
@pytest.mark.parametrize("shard_rows", [4, 7, 1000])
@pytest.mark.parametrize("rows", [1, 20, 10_000])
def test_ranges_hold_every_row_once_in_order_and_never_split_a_query(
    tmp_path: Path, plans: int, shard_rows: int, rows: int
) -> None:
    scores = random_scores(1)
    store = write_store(tmp_path, {"a": scores}, shard_rows=shard_rows, plans=plans)
    member = spans(store.shards("a"))
    cursor = Cursor("a", member)
    pieces = [cursor.take(below) for below in cuts([member], rows)]
    whole = pl.concat(pieces)
    assert as_dict(whole) == scores
    assert whole.equals(whole.sort("query_id", "doc_id"))
    assert sum(piece["query_id"].n_unique() for piece in pieces) == whole["query_id"].n_unique()
    if plans == 1 and rows == 20 and shard_rows == 7:
        assert max(piece.height for piece in pieces) < 45


def test_several_row_groups_of_one_file_are_read_as_they_are_needed(tmp_path: Path) -> None:
    scores = random_scores(2)
    store = write_store(tmp_path, {"a": scores}, shard_rows=1000)
    (shard,) = store.shards("a")
    pq.write_table(pq.read_table(shard), shard, row_group_size=5)
    record_again(tmp_path)
    member = spans([shard])
    assert len(member) == -(-len(scores) // 5)
    cursor = Cursor("a", member)
    assert as_dict(pl.concat([cursor.take(below) for below in cuts([member], 10)])) == scores


def test_shards_without_statistics_are_looked_into(tmp_path: Path) -> None:
    store = write_store(tmp_path, {"a": random_scores(3)}, shard_rows=9)
    known = spans(store.shards("a"))
    for shard in store.shards("a"):
        pq.write_table(pq.read_table(shard), shard, write_statistics=False)
    record_again(tmp_path)
    assert spans(store.shards("a")) == known


def test_a_pair_with_two_scores_is_refused(tmp_path: Path) -> None:
    store = write_store(tmp_path, {"a": random_scores(4)}, shard_rows=1000)
    (shard,) = store.shards("a")
    rows = pq.read_table(shard).slice(0, 3)
    pq.write_table(rows, shard.with_name("part-000009-9.parquet"))
    with pytest.raises(StoreError, match="several for 'q00', 'd0"):
        Cursor("a", spans(sorted(shard.parent.iterdir()))).take(None)


def test_a_score_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    store = write_store(tmp_path, {"a": {("q", "d"): 1.0, ("q", "e"): float("nan")}})
    with pytest.raises(StoreError, match="nan for query 'q', document 'e'"):
        Cursor("a", spans(store.shards("a"))).take(None)


def test_a_teacher_without_shards_is_empty() -> None:
    assert Cursor("a", []).take(None).height == 0
    assert list(cuts([[]])) == [None]


def test_a_shard_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    store = write_store(tmp_path, {"a": random_scores(4)}, shard_rows=1000)
    (shard,) = store.shards("a")
    shard.write_bytes(shard.read_bytes()[:-10])
    with pytest.raises(StoreError, match="part-000000-0"):
        spans(store.shards("a"))
