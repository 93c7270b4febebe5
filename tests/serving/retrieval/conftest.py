"""One collection, an index of each kind, and a model for each."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankdistill import data
from rankdistill.data import Dataset
from rankdistill.indexing import build
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
    return data.load(beir_folder(tmp_path_factory.mktemp("collection") / "data", documents, queries, qrels))


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
    build(dataset, tiny_encoder, root / "dense", backend="torch")
    build(dataset, tiny_splade, root / "sparse", backend="torch")
    build(dataset, tiny_multi_vector, root / "multi_vector", backend="torch")
    build(dataset, None, root / "bm25", factory="bm25")
    return {name: root / name for name in ("dense", "sparse", "multi_vector", "bm25")}


@pytest.fixture(scope="module")
def models(tiny_encoder: str, tiny_splade: str, tiny_multi_vector: str) -> dict[str, PlainModel]:
    """Kind -> the model of the index of that kind."""
    return {
        "dense": PlainModel(tiny_encoder),
        "sparse": PlainModel(tiny_splade, "sparse"),
        "multi_vector": PlainModel(tiny_multi_vector, "multi_vector"),
    }
