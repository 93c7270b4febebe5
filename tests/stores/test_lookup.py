"""Texts of a store are those of its file, and are read once, into memory that does not grow with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl
import pytest

from rankdistill import tables
from rankdistill.data.text_store import Texts
from rankdistill.stores import lookup, repairing
from rankdistill.stores.layout import Layout
from rankdistill.stores.lookup import StoredTexts
from rankdistill.stores.texts import add_texts, read_texts
from rankdistill.stores.writer import ScoreWriter
from rankdistill.verbs.verify import verify
from tests.stores.conftest import HashTeacher


@pytest.mark.parametrize(
    "texts", [{}, {"only": "one"}, {"b": "2", "a": "1", "10": "", "é": "ß", "Z": "z", "z\U0001f600": "x"}]
)
def test_texts_are_those_of_the_file(tmp_path: Path, texts: dict[str, str]) -> None:
    path = tmp_path / "documents.parquet"
    add_texts(path, "doc_id", set(texts), texts)
    stored = StoredTexts(Layout(tmp_path)).documents
    assert dict(stored) == read_texts(path) == texts
    assert len(stored) == len(texts)
    assert {name: stored[name] for name in texts} == texts
    for unknown in ("", "0", "zz"):
        with pytest.raises(KeyError):
            stored[unknown]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files of texts that were read, one a reading."""
    found: list[str] = []

    def reading(path: Path) -> Mapping[str, str]:
        found.append(path.name)
        texts = read_texts(path)
        assert isinstance(texts, Texts), "which lie on disk where they are many"
        return texts

    monkeypatch.setattr(lookup, "read_texts", reading)
    return found


def test_a_repair_reads_the_texts_once(
    writer: Callable[..., ScoreWriter], candidates: Path, tmp_path: Path, read: list[str]
) -> None:
    """Of two teachers, each with two tables of candidates."""
    half = tmp_path / "half.parquet"
    rows = pl.read_parquet(candidates).with_columns(rank=pl.col("rank") + 1)
    tables.write_parquet(half, rows.filter(pl.col("query_id") < "q010").to_arrow().cast(tables.CANDIDATES))
    for name in ("hash", "other"):
        for table in (half, candidates):
            writer(HashTeacher(name), table=table).run()
    assert not read
    for name in ("hash", "other"):
        for number, path in enumerate(Layout(tmp_path / "store").shards(f"{name}-0")):
            if number != 1:
                path.unlink()
    done = repairing.repair(tmp_path / "store", lambda teacher_id, _: HashTeacher(teacher_id.removesuffix("-0")))
    assert [(one.shards > 1, one.scored > 200, one.left) for one in done] == [(True, True, ())] * 2
    assert verify(str(tmp_path / "store")).is_whole
    assert sorted(read) == ["documents.parquet", "queries.parquet"]


def test_a_run_beside_lost_shards_reads_the_texts_once(
    writer: Callable[..., ScoreWriter], tmp_path: Path, candidates: Path, read: list[str]
) -> None:
    for name in ("hash", "other", "third"):
        writer(HashTeacher(name)).run()
    for name in ("other", "third"):
        Layout(tmp_path / "store").shards(f"{name}-0")[0].unlink()
    assert not read
    few = tmp_path / "few.parquet"
    rows = pl.read_parquet(candidates).with_columns(rank=pl.col("rank") + 1)
    tables.write_parquet(few, rows.to_arrow().cast(tables.CANDIDATES))
    writer(HashTeacher(), table=few).run()
    assert sorted(read) == ["documents.parquet", "queries.parquet"]
