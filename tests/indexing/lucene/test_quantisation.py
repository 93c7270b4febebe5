"""Weights as whole numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from rankdistill.errors import ConfigError
from rankdistill.indexing.lucene.quantisation import MAXIMUM, quantise, require_exact, require_factor, require_some


def test_it_rounds_and_drops_what_becomes_0() -> None:
    vectors = csr_array(np.array([[0.004, 1.234, 0], [0, 0, 3.999]], np.float32))
    whole = quantise(vectors, 100, ["a", "b"])
    assert whole.toarray().tolist() == [[0, 123, 0], [0, 0, 400]]
    assert whole.nnz == 2
    assert vectors.nnz == 3


def test_a_weight_that_overflows_is_refused_with_its_row_and_the_largest_that_fits() -> None:
    vectors = csr_array(np.array([[1, 0], [0, 0], [2, 656]], np.float32))
    with pytest.raises(ConfigError, match=r"0 to 655\.35") as error:
        quantise(vectors, 100, ["document 'a'", "document 'b'", "document 'c'"])
    assert "656 in document 'c'" in error.value.got
    assert "smaller quantisation factor" in error.value.remedy
    assert quantise(vectors, 99, "abc").max() == 64_944 <= MAXIMUM


def test_a_weight_below_0_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be negative"):
        quantise(csr_array(np.array([[-1.0]], np.float32)), 100, ["query 0"])


def test_a_factor_that_leaves_no_weight_is_refused() -> None:
    vectors = csr_array(np.array([[1.5, 0], [0, 0.4]], np.float32))
    with pytest.raises(ConfigError, match=r"a weight of 5 or more"):
        require_some(vectors, quantise(vectors, 0.1, "ab"), 0.1)
    require_some(vectors, quantise(vectors, 1, "ab"), 1)
    none = csr_array((2, 2), dtype=np.float32)
    require_some(none, quantise(none, 0.1, "ab"), 0.1)


def test_scores_that_float32_may_have_rounded_are_refused_with_a_factor_that_fits() -> None:
    scores = np.array([[5, 3], [2**24 - 1, 1], [-np.inf, -np.inf]], np.float32)
    require_exact(scores, 100)
    require_exact(np.zeros((2, 0), np.float32), 100)
    scores[1] = [2**26, 7]
    with pytest.raises(ConfigError, match=r"scores below 16,777,216") as error:
        require_exact(scores, 100)
    assert error.value.got == "67,108,864 for query 1"
    assert "smaller quantisation factor than 100: --parameter factor=45" in error.value.remedy


@pytest.mark.parametrize("factor", [0, -1, float("nan"), float("inf")])
def test_a_factor_is_above_0(factor: float) -> None:
    with pytest.raises(ConfigError, match="factor above 0"):
        require_factor(factor)
