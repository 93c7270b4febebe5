"""Content hashes of tables."""

from __future__ import annotations

import hashlib

import polars as pl


def hash_rows(table: pl.DataFrame) -> str:
    """SHA-256 (hex) of the rows as they are ordered; how they lie in memory or in files does not matter."""
    digest = hashlib.sha256()
    for part in table.iter_slices(100_000):
        digest.update(part.write_csv(include_header=False).encode())
    return digest.hexdigest()
