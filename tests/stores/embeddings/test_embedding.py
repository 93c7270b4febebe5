"""One call from collections to a finished store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rankdistill.data import load as load_data
from rankdistill.errors import DataError
from rankdistill.inference import TextEncoder
from rankdistill.stores.embeddings.asking import Asked
from rankdistill.stores.embeddings.embedding import embed
from rankdistill.stores.embeddings.reader import EmbeddingStore


def test_a_store_holds_what_the_teacher_embeds(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    dataset, done = load_data(tiny_beir), []
    out = tmp_path / "store"
    asked = Asked(tiny_encoder, backend="torch")
    store = embed([dataset], asked, out, sentences=False, limit=12, progress=done.append)
    texts = store.texts().to_pylist()
    assert sum(done) == len(store) == len(texts) == 12 + 12 + 12
    encoder = TextEncoder(tiny_encoder, backend="torch")
    documents = [row["text"] for row in texts if row["kind"] == "document"]
    rows = store.find(documents, "document")
    np.testing.assert_allclose(store.vectors()[rows], encoder.encode_documents(documents), atol=1e-5)
    again: list[int] = []
    embed([dataset], asked, out, sentences=False, limit=12, progress=again.append)
    assert sum(again) == 0
    assert isinstance(store, EmbeddingStore)


def test_nothing_to_embed_is_an_error(tiny_encoder: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="collections or files"):
        embed([], tiny_encoder, tmp_path / "store")
