"""Each engine that runs for real here, started once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any

import pytest

from benchmarks.serving import engine_servers as servers
from rankdistill.engines import open_engine
from tests.engines import fake_json

EMBEDDED = ("qdrant", "lancedb")
"""Engines that are a folder."""

SERVERS = {"milvus": servers.milvus, "pgvector": servers.postgres}
"""Name -> `(folder)`, which starts a server and gives its URL."""

FAKED = ("opensearch", "elasticsearch")
"""Engines of which there is no server to be had: their requests are answered from memory."""

_NUMBERS = count()

Opener = Callable[[], Any]


@pytest.fixture(scope="session")
def url_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Engine -> where it is; a server is started when it is first asked for."""
    known: dict[str, str] = {}
    with ExitStack() as held:

        def find(name: str) -> str:
            if name not in known:
                folder = tmp_path_factory.mktemp(name)
                if name in FAKED:
                    known[name], _ = held.enter_context(fake_json.server(name))
                else:
                    known[name] = held.enter_context(SERVERS[name](folder)) if name in SERVERS else str(folder)
            return known[name]

        yield find


@pytest.fixture(params=[*EMBEDDED, *FAKED, *(pytest.param(name, marks=pytest.mark.slow) for name in SERVERS)])
def engine_name(request: pytest.FixtureRequest) -> str:
    """Every engine in turn."""
    return str(request.param)


@pytest.fixture
def engine_url(engine_name: str, url_of: Callable[[str], str]) -> str:
    """Where it is."""
    return url_of(engine_name)


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
        opened[-1].close()
