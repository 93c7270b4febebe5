"""Random token vectors: texts of different lengths, some without a token."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from rankdistill.inference.token_vectors import TokenVectors, of_texts

DIMENSION = 12


def drawn(generator: np.random.Generator, lengths: list[int]) -> TokenVectors:
    """Unit vectors of texts with so many tokens."""

    def text(length: int) -> NDArray[np.float32]:
        vectors = generator.normal(size=(length, DIMENSION)).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    return of_texts([text(length) for length in lengths], DIMENSION)


@pytest.fixture
def documents() -> TokenVectors:
    """150 texts of up to 9 tokens; the 1st, 41st, 42nd and 150th have none."""
    generator = np.random.default_rng(3)
    lengths = generator.integers(1, 10, size=150).tolist()
    for empty in (0, 40, 41, 149):
        lengths[empty] = 0
    return drawn(generator, lengths)


@pytest.fixture
def queries() -> TokenVectors:
    """20 texts of up to 5 tokens; the 4th and the last have none."""
    generator = np.random.default_rng(4)
    lengths = generator.integers(1, 6, size=20).tolist()
    lengths[3] = lengths[19] = 0
    return drawn(generator, lengths)


@pytest.fixture
def ids() -> list[str]:
    return [f"d{number}" for number in range(150)]
