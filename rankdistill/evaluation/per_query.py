"""The measures of each query, as an evaluation's folder keeps them."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from rankdistill import tables

PER_QUERY_FILE = "per_query.parquet"


def read_per_query(folder: Path) -> pl.DataFrame:
    """`query_id` and one column a measure, as `evaluating.evaluate` wrote them."""
    path = folder / PER_QUERY_FILE
    tables.check_schema(path, pl.DataFrame(schema={"query_id": pl.String}).to_arrow().schema)
    return tables.scan_parquet([path]).collect()
