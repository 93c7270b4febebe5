"""What the tests of Lucene indexes need."""

from __future__ import annotations

from importlib.util import find_spec

import pytest


@pytest.fixture(scope="session")
def lucene() -> None:
    """Skips where Pyserini is not installed."""
    if find_spec("pyserini") is None:
        pytest.skip("pyserini is not installed: pip install 'rankdistill[lucene]'")
