"""Weights as whole numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from rankdistill.errors import ConfigError
from rankdistill.index.lucene.quantisation import MAXIMUM, quantise, require_factor


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


@pytest.mark.parametrize("factor", [0, -1, float("nan"), float("inf")])
def test_a_factor_is_above_0(factor: float) -> None:
    with pytest.raises(ConfigError, match="factor above 0"):
        require_factor(factor)
