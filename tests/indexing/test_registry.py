"""Back ends by kind and name: each makes, saves and loads an index; FAISS answers as the oracle does."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankdistill.errors import ConfigError
from rankdistill.indexing import registry
from rankdistill.indexing.base import Vectors
from rankdistill.indexing.distinct import DistinctIndex
from rankdistill.indexing.exact import ExactIndex
from rankdistill.indexing.faiss import FaissIndex

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
    made = registry.create(registry.IndexSettings(32, "dot", factory))
    assert isinstance(made, DistinctIndex)
    assert isinstance(made.index, FaissIndex)


@pytest.mark.parametrize(
    ("kind", "factory", "when", "name", "value"),
    [
        ("text", "bm25", "build", "k1", -1.0),
        ("text", "bm25", "build", "b", float("nan")),
        ("text", "lucene-bm25", "build", "b", 3.0),
        ("text", "lucene-bm25", "search", "threads", 0.0),
        ("sparse", "lucene", "search", "threads", float("inf")),
        ("sparse", "seismic", "build", "n_postings", -5.0),
        ("sparse", "seismic", "build", "doc_cut", 0.0),
        ("sparse", "seismic", "search", "query_cut", 0.0),
        ("dense", "lucene", "build", "M", 600.0),
        ("dense", "lucene", "search", "efSearch", 0.0),
        ("multi_vector", "token-ivf", "search", "nprobe", 0.0),
    ],
)
def test_a_value_with_which_nothing_would_be_found_is_refused_before_anything_is_encoded(
    kind: str, factory: str, when: str, name: str, value: float
) -> None:
    given = {name: value}
    settings = registry.IndexSettings(
        8, "dot", factory, given if when == "search" else {}, given if when == "build" else {}, kind
    )
    with pytest.raises(ConfigError, match=name):
        registry.require_known(settings)


@pytest.mark.parametrize("kind", registry.BACKENDS)
def test_defaults_lie_within_the_bounds(kind: str) -> None:
    for name, backend in registry.BACKENDS[kind].items():
        registry.require_known(
            registry.IndexSettings(8, "dot", name, build_parameters=backend.build_defaults, kind=kind)
        )


@pytest.mark.parametrize("factory", ["exact", "lucene", "seismic", "bm25", "HNSW32", "IVF256,PQ48np", "L2norm,PQ96"])
def test_a_factory_of_some_usual_dimension_passes(factory: str) -> None:
    registry.require_factory(factory, {})


@pytest.mark.parametrize(
    ("factory", "search"), [("HNWS32", {}), ("BFlat", {}), ("IMI2x8,Flat", {}), ("Flat", {"nprobe": 4.0})]
)
def test_a_factory_that_nothing_understands_is_refused_without_a_model(factory: str, search: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"factory string|search parameter"):
        registry.require_factory(factory, search)
