"""An index whose documents workers in other processes encoded is the one that this process builds."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankdistill import data, executors
from rankdistill.errors import ConfigError
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
