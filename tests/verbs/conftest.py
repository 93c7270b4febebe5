"""Fixtures of the tests of verbs."""

from __future__ import annotations

from pathlib import Path

import pytest

import rankdistill as rd
from rankdistill.mining.candidates import Candidates
from tests.cli.conftest import rankdistill as rankdistill


@pytest.fixture
def mined(tiny_beir: Path, tmp_path: Path) -> Candidates:
    """Candidates of the tiny collection's training queries."""
    return rd.mine(str(tiny_beir), str(tmp_path / "candidates"), depth=10)
