"""Seismic against the exact index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill.errors import ConfigError, DataError
from rankdistill.indexing.base import NOTHING
from rankdistill.indexing.sparse.exact import ExactSparseIndex
from tests.indexing.sparse.conftest import TERMS

pytest.importorskip("seismic")

from rankdistill.indexing.sparse.seismic import INDEX_FILE, LARGEST_VOCABULARY, SeismicIndex


@pytest.fixture
def index(documents: Any, ids: list[str]) -> SeismicIndex:
    made = SeismicIndex(TERMS, {}, {})
    made.add(ids[:100], documents[:100])
    made.add(ids[100:], documents[100:])
    return made


def test_it_finds_nearly_what_the_exact_index_finds_with_rounded_scores(
    index: SeismicIndex, documents: Any, queries: Any, ids: list[str]
) -> None:
    oracle = ExactSparseIndex(TERMS)
    oracle.add(ids, documents)
    expected, _ = oracle.search(queries, 10)
    found, scores = index.search(queries, 10)
    shared = [len(set(mine) & set(theirs) - {NOTHING}) for mine, theirs in zip(found, expected, strict=True)]
    assert sum(shared) >= 0.95 * np.sum(expected != NOTHING)
    exact = queries.toarray() @ documents.toarray().T
    for row, (names, values) in enumerate(zip(found, scores, strict=True)):
        places = [ids.index(name) for name in names if name != NOTHING]
        np.testing.assert_allclose(values[: len(places)], exact[row, places], rtol=5e-3)
        assert (np.diff(values[: len(places)]) <= 0).all()


def test_each_query_gets_its_own_results_however_many_there_are(index: SeismicIndex, queries: Any) -> None:
    """The library gives the results of a batch back in another order."""
    together, _ = index.search(queries, 5)
    alone = [index.search(queries[[row]], 5)[0][0] for row in range(queries.shape[0])]
    np.testing.assert_array_equal(together, np.array(alone))


def test_an_empty_query_finds_nothing_and_an_empty_document_is_never_found(index: SeismicIndex, queries: Any) -> None:
    found, scores = index.search(queries, 300)
    assert set(found[3]) == {NOTHING}
    assert np.isneginf(scores[3]).all()
    assert not set(found.ravel()) & {"d5", "d17"}
    assert len(index.ids) == 300


def test_it_finds_the_same_from_disk_and_prints_nothing(
    index: SeismicIndex, queries: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    index.save(tmp_path)
    loaded = SeismicIndex.load(tmp_path, TERMS, {})
    assert loaded.ids == index.ids
    np.testing.assert_array_equal(loaded.search(queries, 10)[0], index.search(queries, 10)[0])
    assert capfd.readouterr().out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ids.parquet", INDEX_FILE]


def test_bad_documents_and_damaged_files_are_errors_of_ours(
    index: SeismicIndex, documents: Any, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="at least 0"):
        index.add(["x"], -documents[:1])
    index.save(tmp_path)
    (tmp_path / INDEX_FILE).write_bytes(b"damaged")
    with pytest.raises(DataError, match="Seismic can read"):
        SeismicIndex.load(tmp_path, TERMS, {})


def test_a_vocabulary_that_the_library_cannot_number_is_refused_at_once() -> None:
    SeismicIndex(LARGEST_VOCABULARY, {}, {})
    with pytest.raises(ConfigError, match="65,536 terms"):
        SeismicIndex(LARGEST_VOCABULARY + 1, {}, {})
