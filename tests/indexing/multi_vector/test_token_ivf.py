"""The approximate MaxSim index against the exact one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rankdistill.indexing.base import NOTHING
from rankdistill.indexing.multi_vector.exact import ExactMaxSimIndex
from rankdistill.indexing.multi_vector.token_ivf import INDEX_FILE, TokenIvfIndex
from rankdistill.inference.token_vectors import TokenVectors, of_texts
from tests.indexing.multi_vector.conftest import DIMENSION

EVERYTHING = {"nprobe": 1000, "neighbours": 10_000, "candidates": 1000}


def _indexes(
    documents: TokenVectors, ids: list[str], similarity: str, **search: float
) -> tuple[TokenIvfIndex, ExactMaxSimIndex]:
    index, oracle = TokenIvfIndex(DIMENSION, similarity, search, {}), ExactMaxSimIndex(DIMENSION, similarity)
    index.add(ids[:60], documents.some(0, 60))
    index.add(ids[60:], documents.some(60, 150))
    oracle.add(ids, documents)
    return index, oracle


@pytest.mark.parametrize("similarity", ["maxsim", "meanmaxsim"])
def test_reading_everything_is_exact(
    documents: TokenVectors, queries: TokenVectors, ids: list[str], similarity: str
) -> None:
    index, oracle = _indexes(documents, ids, similarity, **EVERYTHING)
    (names, scores), (wanted, exact) = index.search(queries, 200), oracle.search(queries, 200)
    np.testing.assert_array_equal(names, wanted)
    np.testing.assert_allclose(scores, exact, rtol=1e-5)


def test_what_it_finds_has_its_exact_score(documents: TokenVectors, queries: TokenVectors, ids: list[str]) -> None:
    index, oracle = _indexes(documents, ids, "maxsim", nprobe=3, neighbours=20, candidates=30)
    wanted, exact = oracle.search(queries, 150)
    names, scores = index.search(queries, 5)
    recalled = 0
    for row in range(20):
        true = dict(zip(wanted[row], exact[row], strict=True))
        for name, score in zip(names[row], scores[row], strict=True):
            assert (name == NOTHING and np.isneginf(score)) or score == pytest.approx(true[name], rel=1e-5)
        recalled += len({*names[row]} & {*wanted[row, :5]} - {NOTHING})
    assert recalled / (18 * 5) > 0.6


def test_the_same_documents_give_the_same_bytes_and_are_read_back(
    documents: TokenVectors, queries: TokenVectors, ids: list[str], tmp_path: Path
) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        index, _ = _indexes(documents, ids, "maxsim", nprobe=2)
        index.save(tmp_path / folder)
    one, two = (tmp_path / folder / INDEX_FILE for folder in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    again = TokenIvfIndex.load(tmp_path / "one", "maxsim", {"nprobe": 2})
    for mine, theirs in zip(again.search(queries, 9), index.search(queries, 9), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_documents_without_a_token_are_searched_in_vain(queries: TokenVectors) -> None:
    index = TokenIvfIndex(DIMENSION, "maxsim", {}, {})
    index.add(["a", "b"], of_texts([np.empty((0, DIMENSION), np.float32)] * 2, DIMENSION))
    assert index.search(queries, 5)[0].tolist() == [[NOTHING, NOTHING]] * 20
