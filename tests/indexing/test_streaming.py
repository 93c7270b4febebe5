"""An index is built block by block: the same bytes and hits as of one whose vectors are all in memory."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from rankdistill import tables
from rankdistill.data import Dataset, load
from rankdistill.evaluation.indexed import MemoryIndex
from rankdistill.indexing import building, encoding, exact
from rankdistill.indexing import load as load_index
from rankdistill.indexing.arrays import RowsFile, write_array
from rankdistill.indexing.building import build
from rankdistill.indexing.exact import ExactIndex
from rankdistill.indexing.kinds import DENSE
from tests.indexing.fakes import HashEncoder


class Counting(HashEncoder):
    """Tells how many texts it is given together."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[int] = []

    def encode_documents(self, texts: Sequence[str], progress: object = None) -> np.ndarray:
        self.given.append(len(texts))
        return super().encode_documents(texts, progress)  # type: ignore[arg-type]


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """70 documents, of which every third has an earlier one's text; they are encoded 16 at a time."""
    monkeypatch.setattr(encoding, "ENCODED_AT_ONCE", 16)
    folder = tmp_path / "data"
    folder.mkdir()
    texts = [f"text {number if number % 3 else number // 6}" for number in range(70)]
    rows = [f'{{"_id": "d{number}", "text": "{text}"}}\n' for number, text in enumerate(texts)]
    (folder / "corpus.jsonl").write_text("".join(rows))
    return load(folder)


def test_an_exact_index_has_the_bytes_of_one_made_in_memory(dataset: Dataset, tmp_path: Path) -> None:
    encoder, told = Counting(), []
    build(dataset, "fake", tmp_path / "index", encoder=encoder, snippet_length=5, progress=told.append)
    contents = dict(dataset.contents)
    whole = ExactIndex(encoder.space.dimension, encoder.space.similarity)
    whole.add(list(contents), DENSE.encode_each(HashEncoder(), list(contents.values()), lambda done: None))
    (tmp_path / "whole").mkdir()
    whole.save(tmp_path / "whole")
    columns = {"doc_id": list(contents), "snippet": [text[:5] for text in contents.values()]}
    tables.write_parquet(tmp_path / "whole" / "snippets.parquet", pa.table(columns))
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "index" / "shard-00000" / path.name).read_bytes() == path.read_bytes(), path.name
    assert sum(encoder.given) == len(set(contents.values())) < 70
    assert max(encoder.given) == 16


@pytest.mark.parametrize("factory", ["exact", "HNSW8", "IVF4,Flat"])
def test_an_index_in_memory_finds_what_one_on_disk_does(dataset: Dataset, tmp_path: Path, factory: str) -> None:
    build(dataset, "fake", tmp_path / "index", factory, encoder=HashEncoder())
    queries = HashEncoder().encode_queries(["text 1", "text 5", "other"])
    ids, scores = MemoryIndex(dataset, HashEncoder(), factory).searcher.search(queries, 20)
    wanted_ids, wanted_scores = load_index(tmp_path / "index").search(queries, 20)
    np.testing.assert_array_equal(ids, wanted_ids)
    np.testing.assert_array_equal(scores, wanted_scores)


def test_what_a_shard_may_take_decides_the_default(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    build(dataset, "fake", tmp_path / "one", "HNSW8", encoder=HashEncoder())
    each = 4 * HashEncoder().space.dimension + building.LINKS_BYTES
    monkeypatch.setattr(building, "SHARD_BYTES", 30 * each)
    with caplog.at_level(logging.INFO, "rankdistill"):
        build(dataset, "fake", tmp_path / "several", "HNSW8", encoder=HashEncoder())
        build(dataset, "fake", tmp_path / "exact", encoder=HashEncoder())
    assert "70 documents are indexed in shards of 30" in caplog.text
    build(dataset, "fake", tmp_path / "asked", "HNSW8", 30, encoder=HashEncoder())
    one, several, asked, whole = (load_index(tmp_path / name) for name in ("one", "several", "asked", "exact"))
    assert [index.made.parameters["shard_size"] for index in (one, several, asked, whole)] == [None, 30, 30, None]
    assert several.made.identity == asked.made.identity
    assert len(list(whole.folder.glob("shard-*"))) == 1
    queries = HashEncoder().encode_queries(["text 1", "text 5"])
    np.testing.assert_allclose(several.search(queries, 3)[1], whole.search(queries, 3)[1], rtol=1e-6)


def test_a_graph_of_vectors_that_are_normalised_block_by_block_has_the_same_bytes(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("whole", "blocks"):
        build(dataset, "fake", tmp_path / name, "HNSW8", encoder=HashEncoder())
        monkeypatch.setattr("rankdistill.indexing.faiss._PREPARED_AT_ONCE", 9)
        monkeypatch.setattr("rankdistill.data.spill.IN_MEMORY", 100)
    one, other = (tmp_path / name / "shard-00000" / "index.faiss" for name in ("whole", "blocks"))
    assert one.read_bytes() == other.read_bytes()


def test_an_exact_search_of_many_vectors_takes_them_part_by_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(0)
    vectors = draw.integers(-2, 3, (1000, 4)).astype(np.float32)  # many equal scores
    index = ExactIndex(4, "dot")
    index.add([f"d{row}" for row in range(1000)], vectors)
    index.save(tmp_path)
    queries = draw.integers(-2, 3, (33, 4)).astype(np.float32)
    for k in (1, 10, 300, 2000):
        wanted = index.search(queries, k)
        loaded = ExactIndex.load(tmp_path, "dot")
        with monkeypatch.context() as patch:
            patch.setattr(exact, "MAPPED_AT_ONCE", 4 * 16 * 70)
            patch.setattr(exact, "SCORES_AT_ONCE", 70 * 10)
            found = loaded.search(queries, k)
        np.testing.assert_array_equal(found[0], wanted[0])
        np.testing.assert_array_equal(found[1], wanted[1])


def test_rows_in_any_order_give_the_file_of_the_whole_array(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    array = draw.normal(size=(50, 3)).astype(np.float32)
    write_array(tmp_path / "whole.npy", array)
    with (tmp_path / "rows.npy").open("w+b", buffering=0) as stream:
        out = RowsFile(stream, 50, 3)
        for part in np.array_split(draw.permutation(50), 7):
            rows = np.sort(part)
            out.put(rows, array[rows])
        np.testing.assert_array_equal(out.get(np.array([3, 49, 0])), array[[3, 49, 0]])
        np.testing.assert_array_equal(out.mapped(), array)
    assert (tmp_path / "rows.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
