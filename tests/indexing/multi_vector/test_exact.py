"""The exact MaxSim index against loops written out, and against the library's similarity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rankdistill.errors import ConfigError, DataError, SpaceMismatchError
from rankdistill.indexing.base import NOTHING
from rankdistill.indexing.multi_vector import exact
from rankdistill.indexing.multi_vector.exact import ExactMaxSimIndex
from rankdistill.inference.token_vectors import TokenVectors, of_texts
from tests.indexing.multi_vector.conftest import DIMENSION


def _brute_force(queries: TokenVectors, documents: TokenVectors, k: int, mean: bool) -> list[list[tuple[int, float]]]:
    rows = []
    for number in range(len(queries)):
        scores = []
        for place in range(len(documents)):
            if len(queries[number]) and len(documents[place]):
                total = sum(max(float(one @ other) for other in documents[place]) for one in queries[number])
                scores.append((-total / (len(queries[number]) if mean else 1), place))
        rows.append([(place, -score) for score, place in sorted(scores)[:k]])
    return rows


def _found(index: ExactMaxSimIndex, queries: TokenVectors, k: int) -> list[list[tuple[str, float]]]:
    return [
        [(name, float(score)) for name, score in zip(*row, strict=True) if name != NOTHING]
        for row in zip(*index.search(queries, k), strict=True)
    ]


def _index(documents: TokenVectors, ids: list[str], similarity: str = "maxsim") -> ExactMaxSimIndex:
    index = ExactMaxSimIndex(DIMENSION, similarity)
    index.add(ids, documents)
    return index


@pytest.mark.parametrize("similarity", ["maxsim", "meanmaxsim"])
@pytest.mark.parametrize("k", [1, 10, 1000])
def test_it_is_max_sim(
    documents: TokenVectors,
    queries: TokenVectors,
    ids: list[str],
    k: int,
    similarity: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exact, "QUERIES_AT_ONCE", 7)
    monkeypatch.setattr(exact, "TOKENS_AT_ONCE", 31)
    index = ExactMaxSimIndex(DIMENSION, similarity)
    index.add(ids[:90], documents.some(0, 90))
    index.add(ids[90:], documents.some(90, 150))
    expected = _brute_force(queries, documents, k, similarity == "meanmaxsim")
    for mine, theirs in zip(_found(index, queries, k), expected, strict=True):
        assert [name for name, _ in mine] == [f"d{place}" for place, _ in theirs]
        np.testing.assert_allclose([score for _, score in mine], [score for _, score in theirs], rtol=1e-4)


def test_it_agrees_with_the_library(documents: TokenVectors, queries: TokenVectors, ids: list[str]) -> None:
    from sentence_transformers.util import maxsim

    filled = [place for place in range(150) if len(documents[place])]
    asked = [number for number in range(20) if len(queries[number])]
    table = maxsim([queries[number] for number in asked], [documents[place] for place in filled]).numpy()
    index = _index(of_texts([documents[place] for place in filled], DIMENSION), [ids[place] for place in filled])
    names, scores = index.search(of_texts([queries[number] for number in asked], DIMENSION), 5)
    np.testing.assert_allclose(scores, -np.sort(-table, axis=1)[:, :5], rtol=1e-5)
    assert names[:, 0].tolist() == [ids[filled[place]] for place in table.argmax(axis=1)]


def test_what_has_no_token_is_no_result(documents: TokenVectors, queries: TokenVectors, ids: list[str]) -> None:
    found = _found(_index(documents, ids), queries, 1000)
    assert found[3] == found[19] == []
    assert all(len(row) == 146 for number, row in enumerate(found) if number not in (3, 19))
    assert not any(name in ("d0", "d40", "d41", "d149") for row in found for name, _ in row)
    nobody = _index(of_texts([np.empty((0, DIMENSION), np.float32)] * 2, DIMENSION), ["a", "b"])
    assert nobody.search(queries, 5)[0].tolist() == [[NOTHING, NOTHING]] * 20


def test_equal_scores_come_in_insertion_order() -> None:
    token = np.ones((1, DIMENSION), np.float32)
    index = _index(of_texts([token] * 3, DIMENSION), ["b", "c", "a"])
    assert index.search(of_texts([token], DIMENSION), 2)[0].tolist() == [["b", "c"]]


@pytest.mark.parametrize("mmap", [True, False])
def test_it_is_read_as_it_was_saved(
    documents: TokenVectors, queries: TokenVectors, ids: list[str], tmp_path: Path, mmap: bool
) -> None:
    index = _index(documents, ids, "meanmaxsim")
    index.save(tmp_path)
    again = ExactMaxSimIndex.load(tmp_path, "meanmaxsim", mmap)
    assert (again.ids, again.dimension) == (ids, DIMENSION)
    for mine, theirs in zip(again.search(queries, 9), index.search(queries, 9), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_bad_input_is_refused(documents: TokenVectors, queries: TokenVectors, ids: list[str]) -> None:
    index = _index(documents, ids)
    with pytest.raises(DataError, match="twice"):
        index.add(["d7"], documents.some(7, 8))
    with pytest.raises(DataError, match="1 ids"):
        index.add(["new"], documents.some(7, 9))
    broken = of_texts([np.full((2, DIMENSION), np.nan, np.float32)], DIMENSION)
    with pytest.raises(DataError, match="'new'"):
        index.add(["new"], broken)
    with pytest.raises(DataError, match="finite"):
        index.search(broken, 3)
    with pytest.raises(SpaceMismatchError, match="length"):
        index.search(of_texts([np.ones((2, 5), np.float32)], 5), 3)
    with pytest.raises(ConfigError, match="at least 1"):
        index.search(queries, 0)
    with pytest.raises(ConfigError, match="maxsim"):
        ExactMaxSimIndex(DIMENSION, "cosine")
    assert index.ids == ids
