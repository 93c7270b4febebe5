"""Multi-vector indexes from a model to a run: building, searching, evaluating, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rankdistill.data import Dataset, load
from rankdistill.errors import ConfigError, ModelReferenceError, SpaceMismatchError
from rankdistill.evaluation.opening import open_retriever
from rankdistill.indexing import build
from rankdistill.indexing import load as load_index

QUERIES = ["what is the old river", "bread", "what"]


@pytest.fixture
def dataset(tiny_beir: Path) -> Dataset:
    return load(tiny_beir)


@pytest.fixture
def other_model(tiny_multi_vector: str, tmp_path: Path) -> str:
    """The same with another similarity."""
    from sentence_transformers import MultiVectorEncoder

    model = MultiVectorEncoder(tiny_multi_vector, device="cpu", similarity_fn_name="meanmaxsim")
    model.save_pretrained(str(tmp_path / "other"), create_model_card=False)
    return str(tmp_path / "other")


@pytest.mark.parametrize("shard_size", [None, 15])
@pytest.mark.parametrize("backend", ["exact", "token-ivf"])
def test_it_finds_what_the_library_scores_highest(
    dataset: Dataset, tiny_multi_vector: str, tmp_path: Path, backend: str, shard_size: int | None
) -> None:
    from sentence_transformers import MultiVectorEncoder

    out = tmp_path / "index"
    assert build(dataset, tiny_multi_vector, out, backend, shard_size)
    assert not build(dataset, tiny_multi_vector, out, backend, shard_size)
    index = load_index(out)
    found = index.search_texts(QUERIES, 5, index.open_query_encoder())
    model = MultiVectorEncoder(tiny_multi_vector, device="cpu")
    documents = model.encode_document(list(dataset.contents.values()))
    table = model.similarity(model.encode_query(QUERIES), documents).numpy()
    names = np.array(list(dataset.contents))
    for row, hits in zip(table, found, strict=True):
        best = np.argsort(-row, kind="stable")[:5]
        assert [hit.doc_id for hit in hits] == names[best].tolist()
        np.testing.assert_allclose([hit.score for hit in hits], row[best], rtol=1e-4)


def test_a_built_index_gives_the_run_of_the_model(dataset: Dataset, tiny_multi_vector: str, tmp_path: Path) -> None:
    build(dataset, tiny_multi_vector, tmp_path / "index", max_length=20)
    queries = dataset.queries("test")
    with_index = open_retriever(dataset, index=tmp_path / "index").retrieve(queries, 10)
    alone = open_retriever(dataset, tiny_multi_vector, max_length=20).retrieve(queries, 10)
    assert with_index == alone


def test_queries_of_another_model_are_refused(
    dataset: Dataset, tiny_multi_vector: str, tiny_encoder: str, other_model: str, tmp_path: Path
) -> None:
    build(dataset, tiny_multi_vector, tmp_path / "index")
    with pytest.raises(SpaceMismatchError, match="similarity"):
        open_retriever(dataset, other_model, tmp_path / "index")
    with pytest.raises(ModelReferenceError, match="multi-vector"):
        open_retriever(dataset, tiny_encoder, tmp_path / "index")
    with pytest.raises(ModelReferenceError, match="single texts"):
        build(dataset, tiny_multi_vector, tmp_path / "faiss", "Flat")
    with pytest.raises(ConfigError, match="search parameters"):
        build(dataset, tiny_multi_vector, tmp_path / "bad", "token-ivf", search_parameters={"efSearch": 9})
