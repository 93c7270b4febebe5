"""Vectors for the tests of indexes."""

from __future__ import annotations

import numpy as np
import pytest

from rankdistill.indexing.base import Vectors


@pytest.fixture
def vectors() -> Vectors:
    """1,000 random vectors of length 32, not normalised."""
    return np.random.default_rng(0).normal(size=(1000, 32)).astype(np.float32)


@pytest.fixture
def queries() -> Vectors:
    """20 random vectors of length 32."""
    return np.random.default_rng(1).normal(size=(20, 32)).astype(np.float32)


@pytest.fixture
def ids() -> list[str]:
    """1,000 ids."""
    return [f"d{number}" for number in range(1000)]
