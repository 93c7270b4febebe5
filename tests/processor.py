"""What this processor's arithmetic allows tests to ask for."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from rankdistill.inference.backends.registry import BACKENDS
from rankdistill.inference.fastest import instructions


@cache
def equal_rows_have_equal_products() -> bool:
    """Whether products of equal rows are equal wherever they stand: a BLAS may sum the edge of a block otherwise."""
    draw = np.random.default_rng(0)
    for count in (63, 500, 600, 2048):
        documents = draw.normal(size=(count, 32)).astype(np.float32)
        queries = draw.normal(size=(12, 32)).astype(np.float32)
        documents[::3] = documents[0]
        for rows in (12, 5, 1):
            products = (queries[:rows] @ documents.T)[:, ::3]
            if (products != products[:, :1]).any():
                return False
    return True


def need_equal_products() -> None:
    """Skip a test of the order of copies where copies differ in their scores' last bits."""
    if not equal_rows_have_equal_products():
        pytest.skip("this processor's BLAS gives equal rows products that differ in the last bit")


def need_instructions(backend: str) -> None:
    """Skip a test of how near an int8 back end is where products of 8 bits saturate in 16, without VNNI."""
    if not set(BACKENDS[backend].instructions) & instructions():
        pytest.skip(f"this processor has not the instructions that {backend} is for")
