"""One call from collections to a finished store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import rankdistill as rd
from rankdistill.errors import DataError
from rankdistill.inference import TextEncoder
from rankdistill.stores.embeddings.reader import EmbeddingStore


def test_a_store_holds_what_the_teacher_embeds(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    out = tmp_path / "store"
    store = rd.embed(tiny_beir, tiny_encoder, out, sentences=False, limit=12, backend="torch")
    assert isinstance(store, EmbeddingStore)
    assert store.run is not None
    texts = store.texts().to_pylist()
    assert store.run.done == len(store) == len(texts) == 12 + 12 + 12
    encoder = TextEncoder(tiny_encoder, backend="torch")
    documents = [row["text"] for row in texts if row["kind"] == "document"]
    rows = store.find(documents, "document")
    np.testing.assert_allclose(store.vectors()[rows], encoder.encode_documents(documents), atol=1e-5)
    again = rd.embed(tiny_beir, tiny_encoder, out, sentences=False, limit=12, backend="torch")
    assert isinstance(again, EmbeddingStore)
    assert again.run is not None
    assert (again.run.done, again.run.reused) == (0, 36)


def test_nothing_to_embed_is_an_error(tiny_encoder: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="collections or files"):
        rd.embed(None, tiny_encoder, tmp_path / "store")
