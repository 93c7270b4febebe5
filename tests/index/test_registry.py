"""Back ends by kind and name: each makes, saves and loads an index; FAISS answers as the oracle does."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankdistill.index import registry
from rankdistill.index.base import Vectors
from rankdistill.index.exact import ExactIndex
from rankdistill.index.faiss import FaissIndex

FACTORY_OF = {"exact": "exact", "faiss": "Flat"}
"""Dense back end -> a factory string with which it must find exactly what the oracle finds."""


@pytest.mark.parametrize("backend", FACTORY_OF)
def test_a_back_end_agrees_with_the_oracle_before_and_after_saving(
    vectors: Vectors, queries: Vectors, ids: list[str], tmp_path: Path, backend: str
) -> None:
    settings = registry.IndexSettings(32, "cosine", FACTORY_OF[backend])
    index = registry.create(settings)
    index.add(ids, vectors)
    index.save(tmp_path)
    oracle = ExactIndex(32, "cosine")
    oracle.add(ids, vectors)
    expected = oracle.search(queries, 10)[0]
    assert (index.search(queries, 10)[0] == expected).all()
    assert (registry.load(tmp_path, settings).search(queries, 10)[0] == expected).all()


@pytest.mark.parametrize("factory", ["Flat", "HNSW8", "IVF4,Flat"])
def test_a_factory_string_that_is_no_back_ends_name_is_faisss(factory: str) -> None:
    assert isinstance(registry.create(registry.IndexSettings(32, "dot", factory)), FaissIndex)
