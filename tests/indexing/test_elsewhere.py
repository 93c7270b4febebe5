"""An index whose documents workers in other processes encoded is the one that this process builds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import flips
from rankdistill import data, executors
from rankdistill.errors import ConfigError, DamagedError
from rankdistill.indexing import build, encoding
from tests.executors.pickling import PicklingExecutor
from tests.indexing.fakes import HashEncoder
from tests.indexing.test_building import tree


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three blocks of the tiny collection's 40 documents."""
    monkeypatch.setattr(encoding, "ENCODED_AT_ONCE", 16)


@pytest.mark.parametrize("shard_size", [None, 25])
def test_the_index_is_the_same_byte_for_byte_and_nothing_else_is_left(
    tiny_beir: Path, tiny_encoder: str, tmp_path: Path, shard_size: int | None
) -> None:
    dataset = data.load(tiny_beir)
    build(dataset, tiny_encoder, tmp_path / "here", "HNSW8", shard_size, backend="torch")
    done: list[int] = []
    elsewhere, executor = tmp_path / "elsewhere", PicklingExecutor()
    options = {"backend": "torch", "executor": executor, "progress": done.append}
    assert build(dataset, tiny_encoder, elsewhere, "HNSW8", shard_size, **options)
    assert tree(elsewhere) == tree(tmp_path / "here")
    assert sum(done) == executor.made == 40
    assert not build(dataset, tiny_encoder, elsewhere, "HNSW8", shard_size, **options)


def test_blocks_that_a_killed_run_encoded_are_taken_up(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    dataset = data.load(tiny_beir)
    build(dataset, tiny_encoder, tmp_path / "here", backend="torch")
    for options in ({"fail_after": 1}, {"fail_after": 2}):
        with pytest.raises(KeyboardInterrupt):
            build(dataset, tiny_encoder, tmp_path / "cut", backend="torch", executor=PicklingExecutor(**options))
    last = PicklingExecutor()
    build(dataset, tiny_encoder, tmp_path / "cut", backend="torch", executor=last)
    assert last.made == 16
    assert tree(tmp_path / "cut") == tree(tmp_path / "here")


def test_finished_shards_are_not_encoded_again(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    dataset = data.load(tiny_beir)
    build(dataset, tiny_encoder, tmp_path / "index", shard_size=15, backend="torch")
    (tmp_path / "index" / "manifest.json").unlink()
    (tmp_path / "index" / "shard-00001" / "manifest.json").unlink()
    executor, done = PicklingExecutor(), []
    options = {"backend": "torch", "executor": executor, "progress": done.append}
    assert build(dataset, tiny_encoder, tmp_path / "index", shard_size=15, **options)
    assert executor.made == 15
    assert sum(done) == 40


def test_a_worker_that_loads_another_encoder_encodes_nothing(
    tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="on a worker"):
        build(
            data.load(tiny_beir),
            tiny_encoder,
            tmp_path / "index",
            backend="torch",
            encoder=HashEncoder(),
            executor=PicklingExecutor(),
        )
    assert not list(tmp_path.rglob("vectors-*"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_ray_encodes_the_same(
    tiny_beir: Path, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "local")
    dataset = data.load(tiny_beir)
    build(dataset, tiny_encoder, tmp_path / "here", backend="torch")
    build(dataset, tiny_encoder, tmp_path / "ray", backend="torch", executor=executors.create("ray", 2))
    assert tree(tmp_path / "ray") == tree(tmp_path / "here")


@pytest.mark.parametrize("damaged", ["vectors.npy", "texts.parquet", ".noted"])
def test_a_block_that_is_damaged_when_the_build_is_resumed_is_made_again(
    tiny_beir: Path, tiny_encoder: str, tmp_path: Path, damaged: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Also one whose hashes are lost: nothing tells whether it is what was written."""
    dataset = data.load(tiny_beir)
    build(dataset, tiny_encoder, tmp_path / "here", backend="torch")
    cut = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        build(dataset, tiny_encoder, cut, backend="torch", executor=PicklingExecutor(fail_after=2))
    whole, other = sorted(path.parent for path in cut.rglob("vectors.npy"))
    flips.flip(other / damaged, (other / damaged).stat().st_size // 2, 1)
    last = PicklingExecutor()
    with caplog.at_level("WARNING", "rankdistill"):
        build(dataset, tiny_encoder, cut, backend="torch", executor=last)
    assert tree(cut) == tree(tmp_path / "here")
    vectors_too = damaged != "texts.parquet"
    assert last.made == (16 + 8 if vectors_too else 16), "the block that was missing, and the damaged one"
    assert f"{other / damaged} was damaged" in caplog.text or damaged == ".noted"
    assert str(whole) not in caplog.text


def test_a_block_that_is_damaged_while_the_shard_is_written_is_refused(
    tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    class Flipping(PicklingExecutor):
        def run(self, *given: Any, **named: Any) -> int:
            done = super().run(*given, **named)
            flips.flip(min(tmp_path.rglob("vectors.npy")), 300, 1)
            return done

    with pytest.raises(DamagedError, match=r"vectors\.npy"):
        build(data.load(tiny_beir), tiny_encoder, tmp_path / "cut", backend="torch", executor=Flipping())
    last = PicklingExecutor()
    build(data.load(tiny_beir), tiny_encoder, tmp_path / "cut", backend="torch", executor=last)
    assert last.made == 16


def test_blocks_of_an_earlier_layout_are_told(
    tiny_beir: Path, tiny_encoder: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset, cut = data.load(tiny_beir), tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        build(dataset, tiny_encoder, cut, backend="torch", executor=PicklingExecutor(fail_after=1))
    (folder,) = (cut / "encoding").iterdir()
    (folder / "vectors-00000-00000.npy").write_bytes(b"of an earlier version")
    with caplog.at_level("WARNING", "rankdistill"):
        build(dataset, tiny_encoder, cut, backend="torch", executor=PicklingExecutor())
    assert "1 blocks of documents that an earlier version encoded are encoded again" in caplog.text
    assert not (cut / "encoding").exists()
