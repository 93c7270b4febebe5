"""Several indexes searched as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankdistill import data
from rankdistill.errors import ConfigError
from rankdistill.fusion import Fusion, rrf
from rankdistill.indexing import StoredIndex, build, load
from rankdistill.indexing.fused import search_fused


@pytest.fixture
def indexes(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> list[StoredIndex]:
    """A dense one and one of BM25."""
    dataset = data.load(tiny_beir)
    build(dataset, tiny_encoder, tmp_path / "dense", backend="torch")
    build(dataset, None, tmp_path / "words", factory="bm25")
    return [load(tmp_path / "dense"), load(tmp_path / "words")]


def test_it_is_the_fusion_of_what_each_finds(indexes: list[StoredIndex]) -> None:
    queries = ["the deep river", "a violin", "nothing of this"]
    encoders = [index.open_query_encoder(backend="auto") for index in indexes]
    found = search_fused(indexes, encoders, queries, 5, Fusion(weights=(1.0, 2.0)))
    for place, hits in enumerate(found):
        rankings = [
            {hit.doc_id: hit.score for hit in index.search_texts(queries, 40, encoder)[place]}
            for index, encoder in zip(indexes, encoders, strict=True)
        ]
        assert [(hit.doc_id, hit.score) for hit in hits] == list(rrf(rankings, (1.0, 2.0)).items())[:5]


def test_one_index_and_wrong_weights_are_refused(indexes: list[StoredIndex]) -> None:
    encoder = indexes[1].open_query_encoder()
    with pytest.raises(ConfigError, match="two systems"):
        search_fused(indexes[1:], [encoder], ["a"], 5, Fusion())
    with pytest.raises(ConfigError, match="2 weights"):
        search_fused([indexes[1]] * 2, [encoder] * 2, ["a"], 5, Fusion(weights=(1.0,)))
