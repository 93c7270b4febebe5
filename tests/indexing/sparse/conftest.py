"""Sparse vectors for the tests of sparse indexes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

TERMS = 120


def sparse(rows: int, density: float, seed: int) -> Any:
    """Random weights in (0, 1), float32 `[rows, TERMS]`."""
    return csr_array(random_array((rows, TERMS), density=density, rng=np.random.default_rng(seed), dtype=np.float32))


@pytest.fixture
def documents() -> Any:
    """300 documents of about 12 terms; documents 5 and 17 have none."""
    dense = sparse(300, 0.1, 0).toarray()
    dense[[5, 17]] = 0
    return csr_array(dense)


@pytest.fixture
def queries() -> Any:
    """20 queries of about 6 terms; query 3 has none."""
    dense = sparse(20, 0.05, 1).toarray()
    dense[3] = 0
    return csr_array(dense)


@pytest.fixture
def ids() -> list[str]:
    """300 ids."""
    return [f"d{number}" for number in range(300)]
