"""Runs of recipes draw nothing, but for two modules."""

from __future__ import annotations

import pytest

DRAWN = {"test_distill", "test_tune"}
"""Modules whose reports have their pictures."""


@pytest.fixture(autouse=True)
def pictures(request: pytest.FixtureRequest) -> None:
    """`undrawn`, outside `DRAWN`."""
    if request.module.__name__.rpartition(".")[2] not in DRAWN:
        request.getfixturevalue("undrawn")
