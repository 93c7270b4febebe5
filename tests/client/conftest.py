"""A real server in a thread, with tiny models, and indexes of the tiny collection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import rankdistill
from rankdistill.serving.app import create_app
from rankdistill.serving.contracts import Limits, ServedModel
from rankdistill.serving.models import load_model
from rankdistill.serving.retrieval import open_search
from rankdistill.serving.security import Keys
from tests.conftest import write_tiny_beir
from tests.serving.fakes import FakeHolder
from tests.serving.process.loopback import serving

LIMITS = Limits(inputs=40, client_batch=5, searches=4)


@pytest.fixture(scope="package")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny collection."""
    return write_tiny_beir(tmp_path_factory.mktemp("collection") / "tiny")


@pytest.fixture(scope="package")
def indexes(
    collection: Path, tiny_encoder: str, tiny_splade: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Mode -> folder of an index."""
    root = tmp_path_factory.mktemp("indexes")
    for name, model in {"dense": tiny_encoder, "sparse": tiny_splade}.items():
        rankdistill.index(collection, model, root / name, backend="torch")
    rankdistill.index(collection, None, root / "bm25", backend="bm25")
    return {name: root / name for name in ("dense", "sparse", "bm25")}


@pytest.fixture(scope="package")
def models(tiny_encoder: str, tiny_splade: str, tiny_cross_encoder: str) -> dict[str, ServedModel]:
    """Name -> model."""
    named = {"dense": tiny_encoder, "sparse": tiny_splade, "pairs": tiny_cross_encoder}
    return {
        name: load_model(reference, name=name, backend="torch", threads=1, limits=LIMITS)
        for name, reference in named.items()
    }


@contextmanager
def served(models: Mapping[str, ServedModel], indexes: Mapping[str, Path], **settings: Any) -> Iterator[str]:
    """The address of a server with these, while the block lasts."""
    search = open_search(indexes, models, reranker="pairs" if "pairs" in models else None) if indexes else None
    holder = FakeHolder(*models.values(), search=search, limits=LIMITS, default_side="query")
    with serving(create_app(holder, **settings), LIMITS) as running:
        yield f"http://127.0.0.1:{running.port}"
    if search is not None:
        asyncio.run(search.close())


@pytest.fixture(scope="package")
def address(models: dict[str, ServedModel], indexes: dict[str, Path]) -> Iterator[str]:
    """Of a server with all models and indexes."""
    with served(models, indexes) as found:
        yield found


@pytest.fixture(scope="package")
def keyed(models: dict[str, ServedModel], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a server without indexes, whose key is `s3cret`."""
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text("s3cret\n")
    with served(models, {}, keys=Keys.read(file)) as found:
        yield found
