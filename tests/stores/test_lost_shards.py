"""Shards that were lost or damaged: made again with other bytes they are taken, not made again they stay missed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rankdistill import integrity, manifest, tables
from rankdistill.errors import DamagedError, DataError, StaleOutputError, StoreError
from rankdistill.progress import Progress
from rankdistill.stores.embeddings import EmbeddingStore
from rankdistill.stores.embeddings.gathering import Gathered, gather
from rankdistill.stores.embeddings.sources import Sources
from rankdistill.stores.embeddings.text_files import TextFile
from rankdistill.stores.embeddings.writer import EmbeddingWriter
from rankdistill.stores.importing import ScoreTable, add_table
from rankdistill.stores.reader import ScoreStore
from rankdistill.stores.writer import ScoreWriter
from rankdistill.teachers.base import Role
from rankdistill.verbs.verify import verify
from tests.stores.conftest import DOCUMENTS, QUERIES, HashTeacher
from tests.stores.embeddings.conftest import HashEmbedder

MakeWriter = Callable[..., ScoreWriter]


class ElsewhereTeacher(HashTeacher):
    """The same teacher on another processor: its scores differ in the last bits."""

    def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> np.ndarray:
        return super().score(pairs, progress) * np.float32(1 + 2e-7)


class ElsewhereEmbedder(HashEmbedder):
    """The same teacher on another processor: its vectors differ in the last bits."""

    def embed(self, texts: Sequence[str], role: Role, progress: Progress | None = None) -> np.ndarray:
        return super().embed(texts, role, progress) * np.float32(1 + 2e-7)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANKDISTILL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def texts(tmp_path: Path) -> Callable[[str, int, int], Gathered]:
    """Gathers the texts numbered `first` up to `end`."""

    def make(name: str, first: int, end: int) -> Gathered:
        path = tmp_path / f"{name}.txt"
        path.write_text("".join(f"text number {number}\n" for number in range(first, end)))
        return gather(Sources(files=[TextFile(path, "query")]), tmp_path / f"{name}.parquet")

    return make


def _embed(root: Path, gathered: Gathered, teacher: HashEmbedder | None = None) -> int:
    return EmbeddingWriter(root, gathered, teacher or HashEmbedder(), unit_size=16, lock_wait=0.0).run().embedded


def _shards(root: Path, below: str) -> list[Path]:
    return sorted((root / below).glob("part-*"))


def _flip(path: Path, byte: int = 200) -> None:
    content = bytearray(path.read_bytes())
    content[byte] ^= 1
    path.write_bytes(bytes(content))


def test_vectors_that_a_rerun_does_not_bring_back_stay_missing(
    tmp_path: Path, texts: Callable[[str, int, int], Gathered]
) -> None:
    root, old = tmp_path / "store", texts("old", 0, 40)
    _embed(root, old)
    lost = _shards(root, "vectors")[1]
    lost.unlink()
    assert _embed(root, texts("new", 40, 60)) == 20
    (found,) = verify(str(root))
    assert found.names("missing") == [f"vectors/{lost.name}"]
    with pytest.raises(StoreError, match=re.escape(lost.name)):
        EmbeddingStore(root).vectors()
    assert _embed(root, texts("half", 16, 24)) == 8
    assert verify(str(root)).artefacts[0].names("missing") == [f"vectors/{lost.name}"]
    assert _embed(root, old) == 8  # the other half of what was lost
    assert verify(str(root)).is_whole
    assert EmbeddingStore(root).vectors().shape == (60, 8)


def test_vectors_made_again_elsewhere_are_taken_and_told(
    tmp_path: Path, texts: Callable[[str, int, int], Gathered], caplog: pytest.LogCaptureFixture
) -> None:
    root, old = tmp_path / "store", texts("old", 0, 40)
    _embed(root, old)
    before, shards = np.array(EmbeddingStore(root).vectors()), _shards(root, "vectors")
    _flip(shards[0])
    with pytest.raises(DamagedError, match="remove that file and run the same"):
        _embed(root, old)
    shards[0].unlink()
    shards[2].unlink()
    caplog.clear()
    assert _embed(root, old, ElsewhereEmbedder()) == 24
    assert verify(str(root)).is_whole
    told = [message for message in caplog.messages if "made again with other bytes" in message]
    assert len(told) == 1
    assert shards[0].name in told[0]
    assert shards[1].name not in told[0]
    after = EmbeddingStore(root).vectors()
    assert np.array_equal(after[16:32], before[16:32])
    assert not np.array_equal(after[:16], before[:16])
    assert np.allclose(after, before, atol=1e-5)
    assert (root / integrity.NOTED).exists() is False
    caplog.clear()
    assert _embed(root, old) == 0
    assert not [message for message in caplog.messages if "other bytes" in message]


def test_the_same_bytes_made_again_are_not_told(
    tmp_path: Path, texts: Callable[[str, int, int], Gathered], caplog: pytest.LogCaptureFixture
) -> None:
    root, old = tmp_path / "store", texts("old", 0, 40)
    _embed(root, old)
    before = manifest.read(root)
    _shards(root, "vectors")[0].unlink()
    _embed(root, old)
    assert manifest.read(root) == before
    assert "other bytes" not in caplog.text


@pytest.mark.parametrize("lost", [(0,), (0, 2)])
def test_scores_made_again_elsewhere_are_taken_and_told(
    writer: MakeWriter, tmp_path: Path, caplog: pytest.LogCaptureFixture, lost: tuple[int, ...]
) -> None:
    root = tmp_path / "store"
    writer(HashTeacher()).run()
    before, shards = ScoreStore(root).scores(), _shards(root, "scores/hash-0")
    for number in lost:
        shards[number].unlink()
    assert writer(ElsewhereTeacher()).run().scored == 64 * len(lost)
    assert verify(str(root)).is_whole
    (told,) = [message for message in caplog.messages if "made again with other bytes" in message]
    assert shards[0].name in told
    assert shards[1].name not in told
    after = ScoreStore(root).scores()
    assert not after.equals(before)
    assert np.allclose(after["score"], before["score"], atol=1e-4)
    assert writer(HashTeacher()).run().scored == 0


def test_a_killed_run_that_made_a_lost_shard_again_elsewhere_is_taken_up(writer: MakeWriter, tmp_path: Path) -> None:
    """Its manifest has the old hash still."""
    root = tmp_path / "store"
    writer(HashTeacher()).run()
    shards = _shards(root, "scores/hash-0")
    for number in (0, 1):
        shards[number].unlink()
    killed = ElsewhereTeacher(fail_after=64)
    with pytest.raises(KeyboardInterrupt):
        writer(killed).run()
    assert shards[0].is_file()
    assert not shards[1].is_file()
    assert writer(ElsewhereTeacher()).run().scored == 64
    assert verify(str(root)).is_whole
    assert ScoreStore(root).scores().height == 300


def test_what_is_damaged_after_it_was_made_again_is_refused(writer: MakeWriter, tmp_path: Path) -> None:
    root = tmp_path / "store"
    writer(HashTeacher()).run()
    shards = _shards(root, "scores/hash-0")
    for number in (0, 1):
        shards[number].unlink()
    with pytest.raises(KeyboardInterrupt):
        writer(ElsewhereTeacher(fail_after=64)).run()
    before = manifest.read(root)
    _flip(shards[0], 60)
    with pytest.raises(DataError, match=re.escape(shards[0].name)):
        writer(ElsewhereTeacher()).run()
    assert manifest.read(root) == before
    assert not verify(str(root)).is_whole


def test_a_damaged_shard_that_nothing_made_again_is_refused_still(writer: MakeWriter, tmp_path: Path) -> None:
    """One beside it was lost, so that there is something to score."""
    root = tmp_path / "store"
    writer(HashTeacher()).run()
    shards = _shards(root, "scores/hash-0")
    shards[0].unlink()
    _flip(shards[3], 60)
    with pytest.raises(DamagedError, match=re.escape(shards[3].name)):
        writer(ElsewhereTeacher()).run()


def test_what_one_teacher_lost_is_missed_though_another_was_scored_meanwhile(
    writer: MakeWriter, candidates: Path, tmp_path: Path
) -> None:
    root, few = tmp_path / "store", tmp_path / "few.parquet"
    rows = pl.read_parquet(candidates).filter(pl.col("query_id") < "q010")
    tables.write_parquet(few, rows.with_columns(rank=pl.col("rank") + 1).to_arrow().cast(tables.CANDIDATES))
    writer(HashTeacher()).run()
    lost = _shards(root, "scores/hash-0")[-1]
    lost.unlink()
    _shards(root, "scores/hash-0")[0].unlink()
    with pytest.raises(KeyboardInterrupt):
        writer(HashTeacher(fail_after=0), table=few).run()
    writer(HashTeacher("other"), table=few).run()
    writer(ElsewhereTeacher(), table=few).run()
    assert verify(str(root)).artefacts[0].names("missing") == [f"scores/hash-0/{lost.name}"]
    with pytest.raises(StoreError, match=re.escape(lost.name)):
        ScoreStore(root).scores("hash-0")
    writer(HashTeacher()).run()
    assert verify(str(root)).is_whole
    assert not (root / integrity.NOTED).exists()


@pytest.fixture
def table(tmp_path: Path, candidates: Path) -> ScoreTable:
    """Scores that others made, of all candidates."""
    pairs = pl.read_parquet(candidates).select("query_id", "doc_id").unique().sort("query_id", "doc_id")
    scored = pairs.with_columns(score=(pl.int_range(pl.len()) % 7).cast(pl.Float32))
    schema = pa.schema([(name, tables.SCORES.field(name).type) for name in ("query_id", "doc_id", "score")])
    tables.write_parquet(tmp_path / "scores.parquet", scored.to_arrow().cast(schema))
    return ScoreTable("mine", {"content": "x"}, tmp_path / "scores.parquet", candidates, (QUERIES, DOCUMENTS), {})


@pytest.mark.parametrize("damage", ["flipped", "lost"])
def test_an_import_with_another_parquet_library_writes_a_damaged_shard_anew(
    table: ScoreTable, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "store"
    add_table(root, table)
    before, (shard,) = ScoreStore(root).scores(), list((root / "scores").rglob("part-*"))
    _flip(shard, 100) if damage == "flipped" else shard.unlink()
    monkeypatch.setattr(tables, "WRITTEN", {**tables.WRITTEN, "compression_level": 9})
    again = replace(table, candidates=tmp_path / "again.parquet")
    tables.write_parquet(again.candidates, pq.read_table(table.candidates))
    assert again.candidates.read_bytes() != table.candidates.read_bytes()
    assert add_table(root, again)
    assert verify(str(root)).is_whole
    assert ScoreStore(root).scores().equals(before)
    assert len(list((root / "candidates").iterdir())) == 1
    assert f"made again with other bytes than before: {shard.relative_to(root)}" in caplog.text
    assert not add_table(root, table)
    assert not add_table(root, again)
    rows = pl.read_parquet(table.candidates).with_columns(rank=pl.col("rank") + 1).to_arrow()
    tables.write_parquet(again.candidates, rows.cast(tables.CANDIDATES))
    with pytest.raises(StaleOutputError, match="another table of candidates"):
        add_table(root, again)


@pytest.mark.parametrize("name", ["texts.parquet", "vectors"])
def test_the_remedy_of_an_embedding_store_can_be_followed(
    tmp_path: Path, texts: Callable[[str, int, int], Gathered], name: str
) -> None:
    """Vectors are made again; the texts cannot be: their rows belong to vectors."""
    root = tmp_path / "store"
    _embed(root, texts("old", 0, 40))
    path = root / name if name.endswith("parquet") else _shards(root, name)[0]
    path.unlink()
    error = next(one for one in [integrity.recorded(path)] if one is not None).error("missing")
    assert ("remove that file" in error.remedy) is (name == "vectors")
    assert ("remove the folder" in error.remedy) is (name == "texts.parquet")


def test_the_remedy_of_a_score_store_can_be_followed(writer: MakeWriter, tmp_path: Path) -> None:
    root = tmp_path / "store"
    writer(HashTeacher()).run()
    _flip(root / "queries.parquet", 40)
    with pytest.raises(DamagedError, match=r"queries\.parquet") as told:
        writer(HashTeacher()).run()
    assert "--repair` scores" not in told.value.remedy
    assert "remove the folder" in told.value.remedy
