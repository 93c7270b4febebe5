"""Shards tell what they hold from their footers; what is no whole shard of scores is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rankdistill import tables
from rankdistill.errors import DataError, StoreError
from rankdistill.stores.shards import Shard, inspect
from rankdistill.stores.writer import ScoreWriter
from tests.stores.conftest import HashTeacher


def scores(query_ids: Sequence[str]) -> pa.Table:
    rows = [[*query_ids], ["d"] * len(query_ids), ["t"] * len(query_ids), [1.0] * len(query_ids)]
    return pa.table([*rows, [b"k" * 16] * len(query_ids)], schema=tables.SCORES)


def test_the_queries_of_a_shard_come_from_its_footer(tmp_path: Path) -> None:
    pq.write_table(scores(["a", "b", "z", "é\U0001f600"]), tmp_path / "several.parquet", row_group_size=2)
    pq.write_table(scores(["a"]), tmp_path / "silent.parquet", write_statistics=False)
    pq.write_table(scores([]), tmp_path / "empty.parquet")
    paths = [tmp_path / f"{name}.parquet" for name in ("several", "silent", "empty")]
    assert inspect(paths) == [
        Shard(paths[0], 4, "a", "é\U0001f600"),
        Shard(paths[1], 1, None, None),
        Shard(paths[2], 0, None, None),
    ]
    assert inspect([]) == []


@pytest.mark.parametrize(
    ("low", "high", "held"),
    [("a", "b", False), ("a", "c", True), ("d", "d", True), ("f", "z", True), ("g", "z", False), ("a", "z", True)],
)
def test_a_shard_is_left_out_only_where_its_queries_are_others(low: str, high: str, held: bool) -> None:
    assert Shard(Path("shard"), 9, "c", "f").may_hold(low, high) == held
    assert Shard(Path("shard"), 9, None, None).may_hold(low, high)


@pytest.mark.parametrize("keep", [0, 3, 100, -9, -1])
def test_a_shard_cut_anywhere_is_refused(tmp_path: Path, keep: int) -> None:
    tables.write_parquet(tmp_path / "part", scores(["a"]))
    (tmp_path / "part").write_bytes((tmp_path / "part").read_bytes()[:keep])
    with pytest.raises(StoreError, match="whole Parquet file") as caught:
        inspect([tmp_path / "part"])
    assert "remove that file" in caught.value.remedy


@pytest.mark.parametrize(
    ("kind", "fits", "exact"),
    [
        (pa.string(), True, True),
        (pa.large_string(), True, False),
        (pa.string_view(), True, False),
        (pa.int64(), False, False),
        (pa.binary(), False, False),
        (pa.null(), False, False),
    ],
)
def test_types_may_have_another_width_unless_they_must_be_the_same(kind: pa.DataType, fits: bool, exact: bool) -> None:
    wanted = pa.schema([pa.field("id", pa.string(), nullable=False)])
    for strict, right in ((False, fits), (True, exact)):
        if right:
            tables.check_columns(Path("table"), pa.schema([("id", kind), ("more", pa.int8())]), wanted, strict)
        else:
            with pytest.raises(DataError, match="id is"):
                tables.check_columns(Path("table"), pa.schema([("id", kind)]), wanted, strict)


def test_a_column_without_a_value_fits_where_values_may_be_missing(tmp_path: Path) -> None:
    rows = {"query_id": ["q"], "doc_id": ["d"], "source": ["s"], "rank": [1], "source_score": [1.5], "label": [None]}
    pl.DataFrame(rows).write_parquet(tmp_path / "candidates.parquet")
    tables.check_schema(tmp_path / "candidates.parquet", tables.CANDIDATES)


def test_planning_reads_only_the_shards_with_the_same_queries(
    writer: Callable[..., ScoreWriter], candidates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer(HashTeacher()).run()
    one = tmp_path / "one.parquet"
    pq.write_table(pq.read_table(candidates).filter(pa.compute.field("query_id") == "q029"), one)
    read: list[Path] = []
    scan = tables.scan_parquet
    monkeypatch.setattr(tables, "scan_parquet", lambda paths: scan([read.append(path) or path for path in paths]))
    assert writer(HashTeacher(), table=one).plan().missing == 0
    assert [path.name.split("-")[1] for path in read] == ["000004"]
