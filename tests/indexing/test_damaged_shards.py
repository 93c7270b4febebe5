"""Shards of an index that were damaged, or that an earlier build left: made again, and never taken for this build's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import flips
from rankdistill import data, manifest
from rankdistill.data import Dataset
from rankdistill.errors import DataError, StaleOutputError
from rankdistill.indexing import build, load
from rankdistill.indexing.documents import SNIPPETS_FILE, read_snippets
from rankdistill.making import Making
from rankdistill.verbs.verify import verify
from tests.executors.pickling import PicklingExecutor
from tests.indexing.fakes import HashEncoder
from tests.indexing.test_building import tree

Write = Callable[[str, int], Dataset]


class Killed(BaseException):
    pass


@pytest.fixture
def corpus(tmp_path: Path) -> Write:
    """Writes a collection of `count` documents, whose texts begin with `word`."""

    def write(word: str, count: int = 40) -> Dataset:
        folder = tmp_path / "data"
        (folder / "qrels").mkdir(parents=True, exist_ok=True)
        rows = [{"_id": f"d{n:02d}", "title": "", "text": f"{word} {n} of {n % 7}", "n": n} for n in range(count)]
        (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / "queries.jsonl").write_text(json.dumps({"_id": "q1", "text": "of 3"}) + "\n")
        (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td03\t1\n")
        return data.load(folder)

    return write


def _build(
    dataset: Dataset, out: Path, factory: str = "exact", shard_size: int | None = 15, **settings: object
) -> bool:
    if factory == "bm25":
        return build(dataset, None, out, factory, **settings)  # type: ignore[arg-type]
    return build(dataset, "fake", out, factory, shard_size, encoder=HashEncoder(), **settings)  # type: ignore[arg-type]


def _kill_while_hashing(dataset: Dataset, out: Path, monkeypatch: pytest.MonkeyPatch, **settings: object) -> None:
    """Build until the first shard is there, without its manifest."""

    def wrote(making: Making, paths: object = None) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Making, "wrote", wrote)
        with pytest.raises(Killed):
            _build(dataset, out, **settings)  # type: ignore[arg-type]


def _spoil(path: Path) -> None:
    """Change a letter of a manifest's hashes, so that it is JSON still."""
    content = json.loads(path.read_text())
    content["inputs"]["documents"] = "0" * 64
    path.write_text(json.dumps(content))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _mixed(path: Path) -> None:
    """Put another shard's whole folder in its place."""
    shutil.rmtree(path.parent)
    shutil.copytree(path.parent.parent / "shard-00002", path.parent)


@pytest.mark.parametrize("factory", ["exact", "bm25"])
@pytest.mark.parametrize("damage", [_spoil, _cut])
def test_an_index_with_a_damaged_manifest_of_a_shard_is_made_again(
    corpus: Write, tmp_path: Path, factory: str, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    dataset, out = corpus("a"), tmp_path / "index"
    _build(dataset, out, factory)
    before = tree(out)
    damage(out / "shard-00000" / manifest.FILE_NAME)
    with pytest.raises(DataError, match=manifest.FILE_NAME):
        load(out)
    assert _build(dataset, out, factory)
    assert "is damaged: " in caplog.text
    assert tree(out) == before
    assert not _build(dataset, out, factory)


def test_an_index_with_a_shard_in_the_place_of_another_is_made_again(corpus: Write, tmp_path: Path) -> None:
    dataset, out = corpus("a"), tmp_path / "index"
    _build(dataset, out)
    before = tree(out)
    _mixed(out / "shard-00001" / manifest.FILE_NAME)
    assert _build(dataset, out)
    assert tree(out) == before


def test_an_unfinished_index_with_a_damaged_manifest_of_a_shard_is_made(corpus: Write, tmp_path: Path) -> None:
    dataset, out = corpus("a"), tmp_path / "index"
    _build(dataset, out)
    before = tree(out)
    (out / manifest.FILE_NAME).unlink()
    _cut(out / "shard-00001" / manifest.FILE_NAME)
    assert _build(dataset, out)
    assert tree(out) == before


def test_a_manifest_of_another_program_is_no_damaged_shard(corpus: Write, tmp_path: Path) -> None:
    path = tmp_path / "index" / "shard-00000" / manifest.FILE_NAME
    path.parent.mkdir(parents=True)
    path.write_text('{"name": "a web page"}')
    with pytest.raises(StaleOutputError, match="not of an index"):
        _build(corpus("a"), tmp_path / "index")
    assert path.read_text() == '{"name": "a web page"}'


@pytest.mark.parametrize("file", ["vectors.npy", "manifest.json"])
def test_what_is_damaged_is_encoded_again_by_workers_elsewhere(
    corpus: Write, tmp_path: Path, tiny_encoder: str, file: str
) -> None:
    dataset, out = corpus("a"), tmp_path / "index"
    executor = PicklingExecutor()
    settings = {"backend": "torch", "executor": executor}
    build(dataset, tiny_encoder, out, shard_size=15, **settings)  # type: ignore[arg-type]
    before = tree(out)
    path = out / "shard-00001" / file
    flips.flip(path, path.stat().st_size // 2, 1)
    assert build(dataset, tiny_encoder, out, shard_size=15, **settings)  # type: ignore[arg-type]
    assert tree(out) == before
    assert executor.made == 40 + 15


def test_an_earlier_build_leaves_no_snippets_to_this_one(
    corpus: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "index"
    _kill_while_hashing(corpus("old"), out, monkeypatch)
    assert (out / "shard-00000" / SNIPPETS_FILE).is_file()
    assert _build(corpus("new"), out, snippet_length=0)
    assert read_snippets(out / "shard-00000", ["d03"]) == {}
    assert load(out).snippets(["d03"]) == {}
    _build(corpus("new"), tmp_path / "fresh", snippet_length=0)
    assert tree(out) == tree(tmp_path / "fresh")


@pytest.mark.parametrize(("first", "then"), [("exact", "HNSW8"), ("HNSW8", "bm25"), ("bm25", "exact")])
def test_an_earlier_build_leaves_no_file_to_one_of_another_kind(
    corpus: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, then: str
) -> None:
    out = tmp_path / "index"
    _kill_while_hashing(corpus("old"), out, monkeypatch, factory=first, fields={"n": None})
    assert _build(corpus("new"), out, then)
    _build(corpus("new"), tmp_path / "fresh", then)
    assert tree(out) == tree(tmp_path / "fresh")


def test_shards_beyond_those_of_this_build_are_refused(
    corpus: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would be loaded as its last ones."""
    out = tmp_path / "index"
    _build(corpus("old"), out)
    flips.flip(out / "shard-00000" / "vectors.npy", 200, 1)
    _kill_while_hashing(corpus("old"), out, monkeypatch)
    with pytest.raises(StaleOutputError, match="shard-00001"):
        _build(corpus("new", 10), out)
    shutil.rmtree(out / "shard-00001")
    shutil.rmtree(out / "shard-00002")
    assert _build(corpus("new", 10), out)
    assert load(out).ids == [f"d{number:02d}" for number in range(10)]


def test_a_folder_of_somebody_else_is_not_cleared(corpus: Write, tmp_path: Path) -> None:
    out = tmp_path / "index"
    (out / "shard-00000").mkdir(parents=True)
    (out / "shard-00000" / "mine.txt").write_text("mine")
    with pytest.raises(StaleOutputError, match="not of an index"):
        _build(corpus("a"), out)
    assert [path.name for path in out.rglob("*") if path.is_file()] == ["mine.txt"]
    (out / "shard-00000" / "mine.txt").unlink()
    assert _build(corpus("a"), out)
    assert verify(str(out)).is_whole
