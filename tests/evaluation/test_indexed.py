"""The identity of what a model with an index finds: all that decides it, and nothing new where nothing changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rankdistill import data
from rankdistill.data import Dataset
from rankdistill.errors import StaleOutputError
from rankdistill.evaluation.evaluating import evaluate, read_per_query
from rankdistill.evaluation.indexed import IndexedRetriever, MemoryIndex
from rankdistill.evaluation.retrieve import Bm25Retriever
from rankdistill.indexing import build, load
from tests.indexing.fakes import HashEncoder


def with_texts(folder: Path, texts: list[str]) -> Dataset:
    (folder / "qrels").mkdir(parents=True)
    rows = [json.dumps({"_id": f"d{row}", "text": text}) + "\n" for row, text in enumerate(texts)]
    (folder / "corpus.jsonl").write_text("".join(rows))
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "river 1"}\n')
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    return data.load(folder)


@pytest.fixture
def distinct(tmp_path: Path) -> Dataset:
    return with_texts(tmp_path / "distinct", [f"river {row}" for row in range(300)])


@pytest.fixture
def copies(tmp_path: Path) -> Dataset:
    return with_texts(tmp_path / "copies", [f"river {row % 100}" for row in range(300)])


def in_memory(dataset: Dataset, factory: str) -> Mapping[str, Any]:
    encoder = HashEncoder()
    found: Mapping[str, Any] = IndexedRetriever(
        dataset, encoder, "S", MemoryIndex(dataset, encoder, factory)
    ).fingerprint["index"]
    return found


def test_in_memory_copies_and_parameters_behind_a_prefix_are_told_apart(distinct: Dataset, copies: Dataset) -> None:
    plain = ("exact", "HNSW8", "IVF4,Flat", "HNSW8,Flat")
    assert [in_memory(distinct, factory) for factory in plain] == [{"factory": factory} for factory in plain]
    assert in_memory(copies, "exact") == {"factory": "exact"}
    assert in_memory(copies, "HNSW8") == {"factory": "HNSW8", "copies": 200}
    assert in_memory(distinct, "L2norm,IVF4,Flat") == {"factory": "L2norm,IVF4,Flat", "nprobe": 32}
    assert in_memory(distinct, "IVF4_HNSW8,Flat")["factory"] == "IVF4_HNSW8,Flat"


def stored(dataset: Dataset, folder: Path, **parameters: float) -> IndexedRetriever:
    return IndexedRetriever(dataset, HashEncoder(), "S", load(folder, search_parameters=parameters))


def test_search_parameters_of_an_evaluation_are_part_of_its_identity(distinct: Dataset, tmp_path: Path) -> None:
    folder, out = tmp_path / "index", tmp_path / "out"
    build(distinct, "fake", folder, "IVF16,Flat", search_parameters={"nprobe": 4}, encoder=HashEncoder())
    usual = {"factory": "IVF16,Flat", "identity": load(folder).made.identity}
    assert stored(distinct, folder).fingerprint["index"] == usual
    assert stored(distinct, folder, nprobe=4).fingerprint["index"] == usual
    assert stored(distinct, folder, nprobe=1).fingerprint["index"] == {**usual, "nprobe": 1}
    evaluate(stored(distinct, folder, nprobe=1), distinct, "test", out)
    with pytest.raises(StaleOutputError):
        evaluate(stored(distinct, folder), distinct, "test", out)


def test_defaults_behind_a_prefix_are_told_apart_unless_the_index_names_them(distinct: Dataset, tmp_path: Path) -> None:
    for name, parameters in (("named", {"nprobe": 2.0}), ("silent", {})):
        build(
            distinct, "fake", tmp_path / name, "L2norm,IVF4,Flat", search_parameters=parameters, encoder=HashEncoder()
        )
        found = stored(distinct, tmp_path / name).fingerprint["index"]
        assert ("nprobe" in found) == (name == "silent")


@pytest.mark.parametrize("name", ["pypi:model", "out-hf:owner"])
def test_a_relative_folder_with_a_colon_is_no_uri(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_beir: Path, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    out, dataset = Path(name), data.load(tiny_beir)
    evaluate(Bm25Retriever(dataset), dataset, "dev", out)
    assert read_per_query(out).height == len(dataset.queries("dev"))
    build(dataset, "fake", out / "index", "HNSW4", encoder=HashEncoder())
    index = load(out / "index")
    assert index.ids == dataset.doc_ids
    assert index.snippets(index.ids).keys() == set(index.ids)
