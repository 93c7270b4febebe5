"""Servers of these tests end as soon as they have answered."""

from __future__ import annotations

import pytest

from rankdistill.serving import process


@pytest.fixture(autouse=True)
def no_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody balances load here who has to hear of the end."""
    monkeypatch.setattr(process, "STAY_SECONDS", 0.02)
