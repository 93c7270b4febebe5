"""Opening a collection by name, before any engine is asked."""

from __future__ import annotations

import pytest

from rankdistill.engines import open_engine
from rankdistill.engines.registry import ENGINES
from rankdistill.errors import ConfigError


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("url", "collection"), [("", "docs"), (" ", "docs"), ("http://127.0.0.1:1", ""), ("x", " ")])
def test_neither_a_place_nor_a_collection_is_guessed(engine: str, url: str, collection: str) -> None:
    """An empty URL (a variable that is not set) would be this folder to those that write files."""
    with pytest.raises(ConfigError, match="give one"):
        open_engine(url, collection, engine=engine)
