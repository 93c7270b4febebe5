"""One collection, an index of each kind, and a model for each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rankdistill
from rankdistill import data
from rankdistill.data import Dataset
from tests.beir_folder import beir_folder
from tests.conftest import TOPICS, WORDS
from tests.serving.retrieval.fakes import PlainModel

QUERIES = ("the deep river", "a violin", "what is the old planet 3", "stone and iron engine", "bread")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """48 documents, the last twelve of them copies of the first: equal scores."""
    texts = [
        f"the {TOPICS[n % 6]} {n} is {WORDS[n % 11]} and {WORDS[(n * 5) % 12]} " + "stone " * (n % 7) for n in range(36)
    ]
    documents = {f"d{place:02d}": text for place, text in enumerate([*texts, *texts[:12]])}
    queries = {f"q{place}": text for place, text in enumerate(QUERIES)}
    qrels = {"test": [(query, f"d{place:02d}", 1) for place, query in enumerate(queries)]}
    folder = beir_folder(tmp_path_factory.mktemp("collection") / "data", documents, queries, qrels)
    rows = [{"_id": doc_id, "text": text, "shelf": n % 4} for n, (doc_id, text) in enumerate(documents.items())]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return data.load(folder)


@pytest.fixture(scope="module")
def indexes(
    dataset: Dataset,
    tiny_encoder: str,
    tiny_splade: str,
    tiny_multi_vector: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Path]:
    """Mode -> the folder of an index."""
    root = tmp_path_factory.mktemp("indexes")
    made = {"dense": tiny_encoder, "sparse": tiny_splade, "multi_vector": tiny_multi_vector}
    for name, model in made.items():
        rankdistill.index(dataset, model, root / name, backend="torch", fields="shelf")
    rankdistill.index(dataset, None, root / "bm25", factory="bm25", fields="shelf")
    return {name: root / name for name in ("dense", "sparse", "multi_vector", "bm25")}


@pytest.fixture(scope="module")
def models(tiny_encoder: str, tiny_splade: str, tiny_multi_vector: str) -> dict[str, PlainModel]:
    """Kind -> the model of the index of that kind."""
    return {
        "dense": PlainModel(tiny_encoder),
        "sparse": PlainModel(tiny_splade, "sparse"),
        "multi_vector": PlainModel(tiny_multi_vector, "multi_vector"),
    }
