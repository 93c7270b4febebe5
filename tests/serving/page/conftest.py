"""A server with indexes of four kinds, and a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rankdistill.serving.app import App, create_app
from rankdistill.serving.contracts import Limits
from rankdistill.serving.retrieval import open_search
from rankdistill.serving.security import Keys
from tests.serving.fakes import FakeHolder
from tests.serving.page.browser import Browser, chromium, find
from tests.serving.process.loopback import serving
from tests.serving.retrieval.conftest import dataset, indexes, models  # noqa: F401
from tests.serving.retrieval.fakes import Pairs, PlainModel


@contextmanager
def running(app: App) -> Iterator[str]:
    """The address of a server that runs in a thread."""
    with serving(app, Limits()) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture(scope="module")
def holder(indexes: dict[str, Path], models: dict[str, PlainModel], tiny_cross_encoder: str) -> FakeHolder:  # noqa: F811
    """What is served: an index of each kind, and a re-ranker."""
    served = {**models, "pairs": Pairs(tiny_cross_encoder)}
    search = open_search(indexes, served, reranker="pairs")
    return FakeHolder(*served.values(), search=search, reranker="pairs")


@pytest.fixture(scope="module")
def site(holder: FakeHolder) -> Iterator[str]:
    """The address of an open server."""
    with running(create_app(holder)) as address:
        yield address


@pytest.fixture(scope="module")
def locked(holder: FakeHolder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that asks for a key."""
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text("sesame\n")
    with running(create_app(holder, keys=Keys.read(keys))) as address:
        yield address


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A tab."""
    program = find()
    if program is None:
        pytest.skip("no Chromium is installed")
    with chromium(program, tmp_path_factory.mktemp("profile")) as tab:
        yield tab
