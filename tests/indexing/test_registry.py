"""Back ends by kind and name: each makes, saves and loads an index; FAISS answers as the oracle does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill.errors import ConfigError
from rankdistill.indexing import registry
from rankdistill.indexing.distinct import DistinctIndex
from rankdistill.indexing.faiss import FaissIndex
from tests.indexing.multi_vector.conftest import DIMENSION
from tests.indexing.multi_vector.conftest import drawn as token_vectors
from tests.indexing.sparse.conftest import TERMS, sparse

FACTORY_OF = {"faiss": "Flat"}
"""Back end -> a factory string with which it must find exactly what the oracle finds; others take their own name."""

SIMILARITY = {"dense": "cosine", "sparse": "dot", "multi_vector": "maxsim"}


def exact_ones() -> list[tuple[str, str]]:
    """Kind and factory of every back end that scores all documents in float32."""
    found = []
    for kind in SIMILARITY:
        for name in registry.BACKENDS[kind]:
            if name in FACTORY_OF or (registry.named(kind, name).distinct is None and name != "lucene"):
                found.append((kind, FACTORY_OF.get(name, name)))
    return found


def drawn(kind: str, rows: int, seed: int) -> Any:
    generator = np.random.default_rng(seed)
    if kind == "dense":
        return generator.normal(size=(rows, 32)).astype(np.float32)
    if kind == "sparse":
        return sparse(rows, 0.1, seed)
    return token_vectors(generator, generator.integers(0, 9, size=rows).tolist())


@pytest.mark.parametrize(("kind", "factory"), exact_ones())
def test_a_back_end_agrees_with_the_oracle_before_and_after_saving(kind: str, factory: str, tmp_path: Path) -> None:
    ids, documents, queries = [f"d{number}" for number in range(300)], drawn(kind, 300, 0), drawn(kind, 20, 1)
    dimension = {"dense": 32, "sparse": TERMS, "multi_vector": DIMENSION}[kind]
    settings = registry.IndexSettings(dimension, SIMILARITY[kind], factory, kind=kind)
    index, oracle = registry.create(settings), registry.create(replace(settings, factory="exact"))
    for one in (index, oracle):
        one.add(ids, documents)
    index.save(tmp_path)
    expected, scores = oracle.search(queries, 10)
    for one in (index, registry.load(tmp_path, settings)):
        found, theirs = one.search(queries, 10)
        assert (found == expected).all()
        np.testing.assert_allclose(theirs, scores, rtol=1e-5)
        for share in (0.02, 0.5):
            allowed = np.random.default_rng(2).random(300) < share
            assert (one.search(queries, 10, allowed)[0] == oracle.search(queries, 10, allowed)[0]).all()


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
    for name in registry.BACKENDS[kind]:
        defaults = registry.named(kind, name).build_defaults
        registry.require_known(registry.IndexSettings(8, "dot", name, build_parameters=defaults, kind=kind))


@pytest.mark.parametrize("factory", ["exact", "lucene", "seismic", "bm25", "HNSW32", "IVF256,PQ48np", "L2norm,PQ96"])
def test_a_factory_of_some_usual_dimension_passes(factory: str) -> None:
    registry.require_factory(factory, {})


@pytest.mark.parametrize(
    ("factory", "search"), [("HNWS32", {}), ("BFlat", {}), ("IMI2x8,Flat", {}), ("Flat", {"nprobe": 4.0})]
)
def test_a_factory_that_nothing_understands_is_refused_without_a_model(factory: str, search: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"factory string|search parameter"):
        registry.require_factory(factory, search)
