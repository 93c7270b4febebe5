"""The data set of the tests of evaluation."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankdistill import data
from rankdistill.data import Dataset


@pytest.fixture
def dataset(tiny_beir: Path) -> Dataset:
    """The tiny BEIR folder."""
    return data.load(tiny_beir)
