"""An index of vectors that an embedding store holds is the index that encoding makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rankdistill
from rankdistill.errors import ConfigError, SpaceMismatchError
from rankdistill.inference import TextEncoder


def embed(data: Path, model: str, out: Path, **settings: Any) -> str:
    made = rankdistill.embed(data, model, out, titles=False, sentences=False, backend="torch", **settings)
    return str(made.path)


def test_it_is_the_index_that_encoding_makes_and_encodes_nothing(
    tiny_beir: Path, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = embed(tiny_beir, tiny_encoder, tmp_path / "vectors")
    encoded = rankdistill.index(tiny_beir, tiny_encoder, tmp_path / "encoded", backend="torch")
    with monkeypatch.context() as patched:
        patched.setattr(TextEncoder, "encode_documents", lambda *given, **settings: pytest.fail("a model ran"))
        looked_up = rankdistill.index(tiny_beir, tiny_encoder, tmp_path / "stored", backend="torch", embeddings=store)
    assert looked_up.made.identity == encoded.made.identity
    query = np.eye(1, encoded.space.dimension, dtype=np.float32)
    (ids, scores), (same, alike) = (one.searcher.search(query, 10) for one in (encoded, looked_up))
    assert list(map(list, ids)) == list(map(list, same))
    np.testing.assert_allclose(np.asarray(scores), np.asarray(alike), atol=1e-6)
    again = rankdistill.index(tiny_beir, tiny_encoder, tmp_path / "encoded", backend="torch", embeddings=store)
    assert again.made.identity == encoded.made.identity, "the same index is not made anew"


def test_rounded_vectors_make_an_index_of_their_own(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    store = embed(tiny_beir, tiny_encoder, tmp_path / "half", dtype="float16")
    encoded = rankdistill.index(tiny_beir, tiny_encoder, tmp_path / "encoded", backend="torch")
    rounded = rankdistill.index(tiny_beir, tiny_encoder, tmp_path / "rounded", backend="torch", embeddings=store)
    assert rounded.made.identity != encoded.made.identity


def test_embeddings_of_another_model_or_beside_words_are_refused(
    tiny_beir: Path, tiny_encoder: str, tiny_splade: str, tmp_path: Path
) -> None:
    store = embed(tiny_beir, tiny_encoder, tmp_path / "vectors")
    with pytest.raises(ConfigError, match="beside the embeddings of its model"):
        rankdistill.index(tiny_beir, tiny_splade, tmp_path / "sparse", factory="seismic", embeddings=store)
    with pytest.raises(SpaceMismatchError, match="store of the document model"):
        rankdistill.index(tiny_beir, tiny_encoder, tmp_path / "other", max_length=16, embeddings=store)
    assert not (tmp_path / "other" / "manifest.json").exists()
