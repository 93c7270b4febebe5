"""What the terms of a vocabulary are called in Lucene."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from rankdistill import tables

TERMS_FILE = "terms.parquet"

LONGEST = 255
"""Characters of a term; Lucene's whitespace tokeniser cuts longer ones in two."""


def lucene_terms(vocabulary: Sequence[str], dimension: int) -> list[str]:
    """The term of each dimension: its token, or `[7]` where dimension 7 has none that Lucene keeps in one piece."""
    if not vocabulary:
        return [f"[{row}]" for row in range(dimension)]
    terms = [token if _is_one_word(token) else f"[{row}]" for row, token in enumerate(vocabulary)]
    return terms if len(set(terms)) == len(terms) else [f"[{row}]" for row in range(dimension)]


def write_terms(folder: Path, terms: Sequence[str]) -> None:
    """Write the terms in the order of the dimensions."""
    tables.write_parquet(folder / TERMS_FILE, pa.table({"term": pa.array(terms, pa.string())}))


def read_terms(folder: Path) -> list[str]:
    """What `write_terms` wrote; raises DataError where the file is absent or another."""
    tables.check_schema(folder / TERMS_FILE, pa.schema([pa.field("term", pa.string())]))
    terms: list[str] = tables.read_parquet(folder / TERMS_FILE).column("term").to_pylist()
    return terms


def _is_one_word(token: str) -> bool:
    return token.split() == [token] and len(token) <= LONGEST
