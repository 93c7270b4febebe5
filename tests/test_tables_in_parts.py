"""A table that is written part by part has the bytes of one that is written whole."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from rankdistill import tables


@pytest.mark.parametrize("sizes", [[0], [70_000], [1, 65_535, 65_536, 3], [8192] * 20])
def test_parts_give_the_bytes_of_the_whole(tmp_path: Path, sizes: list[int]) -> None:
    rows = sum(sizes)
    texts = [f"text {number % 1000} of {number}" for number in range(rows)]
    table = pa.table({"doc_id": pa.array(texts, pa.string()), "row": pa.array(range(rows), pa.int64())})
    ends = [sum(sizes[: place + 1]) for place in range(len(sizes))]
    tables.write_parquet(tmp_path / "whole", table)
    parts = (table.slice(end - size, size) for end, size in zip(ends, sizes, strict=True))
    tables.write_parquet_parts(tmp_path / "parts", table.schema, parts)
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()
