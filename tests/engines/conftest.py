"""Each engine that runs for real here, started once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from rankdistill.engines import open_engine

EMBEDDED = ("qdrant", "lancedb")
"""Engines that are a folder."""

_NUMBERS = count()

Opener = Callable[[], Any]


@pytest.fixture(params=EMBEDDED)
def engine_name(request: pytest.FixtureRequest) -> str:
    """Every engine in turn."""
    return str(request.param)


@pytest.fixture
def engine_url(engine_name: str, tmp_path: Path) -> str:
    """Where it is."""
    return str(tmp_path / engine_name)


@pytest.fixture
def opener(engine_name: str, engine_url: str) -> Iterator[Opener]:
    """Opens one collection, new for each test, as often as it is called."""
    opened: list[Any] = []
    collection = f"test{next(_NUMBERS)}"

    def open_one() -> Any:
        for engine in opened:
            engine.close()
        opened.append(open_engine(engine_url, collection, engine=engine_name))
        return opened[-1]

    yield open_one
    if opened:
        if opened[-1].read_note() is not None:
            opened[-1].drop()
        opened[-1].close()
