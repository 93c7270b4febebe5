"""Impact indexes against the dot product of whole numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from rankdistill.errors import ConfigError, DataError
from rankdistill.indexing.base import NOTHING
from rankdistill.indexing.lucene.impact import LuceneImpactIndex
from rankdistill.indexing.lucene.quantisation import quantise

TERMS = 1500
FACTOR = 20.0
VOCABULARY = ["the", "The", "##ing", "é", "a b", "▁x", *(f"t{row}" for row in range(6, TERMS))]
"""`the` is in every document, so that its inverse document frequency is 0."""

pytestmark = pytest.mark.usefixtures("lucene")


def _random(rows: int, density: float, seed: int) -> Any:
    weights = random_array((rows, TERMS), density=density, rng=np.random.default_rng(seed), dtype=np.float32) * 3
    return weights.toarray()


@pytest.fixture(scope="module")
def documents() -> Any:
    """200 documents of about 45 terms; documents 5 and 17 have none, 20 to 40 are alike."""
    dense = _random(200, 0.03, 0)
    dense[:, 0] = 1.5
    dense[20:41] = dense[20]
    dense[[5, 17]] = 0
    return csr_array(dense)


@pytest.fixture(scope="module")
def queries() -> Any:
    """30 queries; query 3 has no term, 4 has the one in every document, 5 more terms than Lucene allows by default."""
    dense = _random(30, 0.02, 1)
    dense[3:5] = 0
    dense[4, 0] = 1
    dense[5] = 0.7
    return csr_array(dense)


@pytest.fixture(scope="module")
def ids() -> list[str]:
    """200 ids, some of them odd."""
    return [f"d {number} é" if number % 3 else f"D/{number}" for number in range(200)]


@pytest.fixture(scope="module")
def folder(documents: Any, ids: list[str], tmp_path_factory: pytest.TempPathFactory, lucene: None) -> Path:
    made = LuceneImpactIndex(TERMS, FACTOR, VOCABULARY)
    made.add(ids[:80], documents[:80])
    made.add(ids[80:], documents[80:])
    out = tmp_path_factory.mktemp("impact")
    made.save(out)
    return out


def _expected(queries: Any, documents: Any, ids: list[str], k: int) -> list[list[tuple[str, float]]]:
    """The product of the quantised weights in integers; equal scores by id."""
    whole = [quantise(part, FACTOR, ids).toarray().astype(np.int64) for part in (queries, documents)]
    scores = whole[0] @ whole[1].T
    ranked = [sorted((-score, name) for score, name in zip(row, ids, strict=True) if score)[:k] for row in scores]
    return [[(name, -negative / FACTOR**2) for negative, name in row] for row in ranked]


@pytest.mark.parametrize(("k", "threads"), [(10, 1), (200, 2)])
def test_it_is_the_dot_product_of_the_quantised_weights(
    folder: Path, documents: Any, queries: Any, ids: list[str], k: int, threads: int
) -> None:
    index = LuceneImpactIndex.load(folder, TERMS, FACTOR, threads)
    assert index.ids == ids
    names, scores = index.search(queries, k)
    assert names.shape == scores.shape == (30, k)
    for row, expected in enumerate(_expected(queries, documents, ids, k)):
        assert names[row, : len(expected)].tolist() == [name for name, _ in expected]
        np.testing.assert_array_equal(scores[row, : len(expected)], np.float32([score for _, score in expected]))
        assert set(names[row, len(expected) :]) <= {NOTHING}
        assert np.isneginf(scores[row, len(expected) :]).all()


def test_an_empty_query_finds_nothing_and_an_empty_document_is_never_found(folder: Path, queries: Any) -> None:
    names, _ = LuceneImpactIndex.load(folder, TERMS, FACTOR).search(queries, 200)
    assert set(names[3]) == {NOTHING}
    assert np.count_nonzero(names[4] != NOTHING) == 198
    assert not set(names.ravel()) & {"d 5 é", "d 17 é"}


def test_what_overflows_is_refused_and_adds_nothing(folder: Path, documents: Any, ids: list[str]) -> None:
    index = LuceneImpactIndex(TERMS, 1e6)
    with pytest.raises(ConfigError, match="smaller quantisation factor"):
        index.add(ids, documents)
    assert index.ids == []
    with pytest.raises(ConfigError, match="query 0"):
        LuceneImpactIndex.load(folder, TERMS, FACTOR).search(documents[:1] * 1e6, 3)


@pytest.mark.parametrize("threads", [1, 2])
def test_scores_are_exact_up_to_where_float32_rounds_and_refused_from_there(threads: int) -> None:
    """Documents a whole number apart: one that came out as its neighbour would stand in the wrong place."""
    dense = np.full((64, 300), 250, np.float32)
    dense[:, 0] = np.random.default_rng(2).permutation(64)
    index = LuceneImpactIndex(300, 1.0, threads=threads)
    index.add([f"d{row:02}" for row in range(64)], csr_array(dense))
    query = np.full((1, 300), 224, np.float32)
    query[0, :2] = 1, 100
    top = 63 + 250 * (100 + 298 * 224)
    assert 2**24 - 80_000 < top < 2**24
    names, scores = index.search(csr_array(query), 64)
    assert names[0].tolist() == [f"d{row:02}" for row in np.argsort(-dense[:, 0])]
    assert scores[0].tolist() == [top - rank for rank in range(64)]
    query[0, 1] += 300
    for k in (1, 64):
        with pytest.raises(ConfigError, match="smaller quantisation factor"):
            index.search(csr_array(query), k)


def test_a_damaged_index_is_an_error_of_ours(folder: Path, tmp_path: Path) -> None:
    for name in ("ids.parquet", "terms.parquet"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "lucene").mkdir()
    with pytest.raises(DataError, match="then build it again"):
        LuceneImpactIndex.load(tmp_path, TERMS, FACTOR)


@pytest.mark.slow
def test_pyserini_opens_the_folder_and_finds_the_same(
    folder: Path, queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pyserini imports a client of a service that wants a key, and drops query terms that are in every document."""
    import warnings

    index = LuceneImpactIndex.load(folder, TERMS, FACTOR)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyserini.search.lucene import LuceneImpactSearcher

    class Weights:
        """The query encoder: gives the query's weights, whatever its text."""

        def encode(self, row: str) -> dict[str, int]:
            whole = quantise(queries[[int(row)]], FACTOR, ["query"])
            names = [f"[{t}]" if " " in VOCABULARY[t] else VOCABULARY[t] for t in whole.indices]
            return dict(zip(names, whole.data.tolist(), strict=True))

    theirs = LuceneImpactSearcher(str(folder / "lucene"), Weights(), min_idf=-1)
    names, scores = index.search(queries, 10)
    for row in (0, 1, 2, 4, 6, 7, 8):
        hits = theirs.search(str(row), 10)
        assert [hit.docid for hit in hits] == names[row].tolist()
        np.testing.assert_allclose([hit.score for hit in hits], scores[row] * FACTOR**2, atol=1e-3)
