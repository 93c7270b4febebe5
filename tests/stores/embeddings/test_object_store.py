"""An embedding store in a bucket: the bytes of a local one, and mapped from this user's cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rankdistill import files, locations
from rankdistill.stores.embeddings.gathering import Gathered
from rankdistill.stores.embeddings.reader import EmbeddingStore
from rankdistill.stores.embeddings.status import describe
from rankdistill.stores.embeddings.writer import EmbeddingWriter
from tests import s3
from tests.stores.embeddings.conftest import HashEmbedder, MakeWriter
from tests.stores.embeddings.test_writer import contents
from tests.stores.unclocked import unclocked


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The URL of an S3 server."""
    with s3.serving() as url:
        yield url


def test_a_store_in_a_bucket_is_the_local_one(
    endpoint: str, gathered: Gathered, writer: MakeWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANKDISTILL_CACHE", str(tmp_path / "cache"))
    writer(HashEmbedder()).run()
    local = EmbeddingStore(tmp_path / "store")
    with s3.chosen(endpoint, monkeypatch):
        root = locations.location(f"s3://{s3.BUCKET}/a/store")
        with pytest.raises(KeyboardInterrupt):
            EmbeddingWriter(root, gathered, HashEmbedder(fail_after=40), unit_size=16).run()
        assert "interrupted" in "".join(describe(root))
        EmbeddingWriter(root, gathered, HashEmbedder(), unit_size=16).run()
        there = {path.relative_to(root).as_posix(): path for path in locations.all_files(root)}
        found = {name: unclocked(path) for name, path in there.items() if path.name != files.LOCK_NAME}
        assert found == contents(tmp_path / "store")
        store = EmbeddingStore(f"s3://{s3.BUCKET}/a/store")
        assert np.array_equal(store.vectors(), local.vectors())
        assert store.texts().equals(local.texts())
    assert list((tmp_path / "cache" / "embeddings").glob("*/*.npy"))
