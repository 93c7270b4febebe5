"""An embedding store as the teacher of pairs: the model's scores, and texts that it has are not encoded again."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import rankdistill
from rankdistill import teachers
from rankdistill.errors import ConfigError, DataError, StaleOutputError
from rankdistill.inference import TextEncoder
from rankdistill.mining.candidates import Candidates


@pytest.fixture
def store(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> Path:
    folder = tmp_path / "vectors"
    rankdistill.embed(tiny_beir, tiny_encoder, folder, titles=False, sentences=False, backend="torch")
    return folder


@pytest.fixture
def mined(tiny_beir: Path, tmp_path: Path) -> Candidates:
    return rankdistill.mine(tiny_beir, tmp_path / "candidates", depth=3)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that a model has encoded."""
    found: list[str] = []
    for name in ("encode_queries", "encode_documents"):
        original = getattr(TextEncoder, name)

        def noted(self: Any, texts: Sequence[str], *rest: Any, _original: Any = original, **given: Any) -> np.ndarray:
            found.extend(texts)
            vectors: np.ndarray = _original(self, texts, *rest, **given)
            return vectors

        monkeypatch.setattr(TextEncoder, name, noted)
    return found


def test_the_store_scores_as_its_model_does_and_encodes_nothing(
    tiny_beir: Path, tiny_encoder: str, store: Path, mined: Candidates, tmp_path: Path, encoded: list[str]
) -> None:
    model = rankdistill.score(tiny_beir, tiny_encoder, mined, tmp_path / "model", backend="torch")
    assert encoded
    encoded.clear()
    looked_up = rankdistill.score(tiny_beir, str(store), mined, tmp_path / "store")
    assert not encoded
    (teacher,), (same,) = model.teacher_ids, looked_up.teacher_ids
    assert teacher == same
    key = ["query_id", "doc_id"]
    by_model, by_store = model.scores(teacher).sort(key), looked_up.scores(teacher).sort(key)
    assert by_model[key].equals(by_store[key])
    np.testing.assert_allclose(by_store["score"], by_model["score"], atol=1e-6)
    assert looked_up.teacher(Path(tiny_encoder).name) == teacher, "the model's name names it"


def test_texts_that_the_store_lacks_are_encoded_by_its_model(
    store: Path, tiny_encoder: str, encoded: list[str]
) -> None:
    held = rankdistill.open(store).to_polars().filter(pl.col("kind") == "document")["text"][0]
    pairs = [("a query of today", held), ("a query of today", "a document of today")]
    found = teachers.load(str(store)).score(pairs)
    assert sorted(encoded) == ["a document of today", "a query of today"]
    np.testing.assert_allclose(found, teachers.load(tiny_encoder, backend="torch").score(pairs), atol=1e-6)


def test_vectors_that_were_rounded_are_a_teacher_of_their_own(
    tiny_beir: Path, tiny_encoder: str, store: Path, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"titles": False, "sentences": False, "backend": "torch", "dtype": "float16"}
    rankdistill.embed(tiny_beir, tiny_encoder, tmp_path / "half", **settings)
    assert teachers.load(str(tmp_path / "half")).teacher_id != teachers.load(str(store)).teacher_id


def test_a_model_that_changed_since_encodes_nothing(
    tiny_beir: Path, tiny_encoder: str, tmp_path: Path, encoded: list[str]
) -> None:
    from sentence_transformers import SentenceTransformer

    copy = tmp_path / "model"
    shutil.copytree(tiny_encoder, copy)
    rankdistill.embed(tiny_beir, str(copy), tmp_path / "store", titles=False, sentences=False, backend="torch")
    changed = SentenceTransformer(str(copy), device="cpu")
    next(iter(changed.parameters())).data.mul_(1.5)
    changed.save(str(copy), create_model_card=False)
    encoded.clear()
    with pytest.raises(StaleOutputError, match="would mix two teachers"):
        teachers.load(str(tmp_path / "store")).score([("new", "new")])
    assert not encoded


def test_settings_that_the_store_has_already_are_refused_beside_it(store: Path) -> None:
    with pytest.raises(ConfigError, match="it has those that it was made with"):
        teachers.specify(str(store), max_length=32)


def test_a_store_that_is_not_finished_is_no_teacher(store: Path, tmp_path: Path) -> None:
    shutil.copytree(store, tmp_path / "unfinished")
    (tmp_path / "unfinished" / "manifest.json").unlink()
    with pytest.raises(DataError, match="rankdistill embed"):
        teachers.load(str(tmp_path / "unfinished"))


def test_the_same_vectors_in_another_place_are_the_same_teacher(store: Path, tmp_path: Path) -> None:
    from rankdistill.teachers.registry import identity_of

    shutil.copytree(store, tmp_path / "moved")
    assert identity_of(str(store)) == identity_of(str(tmp_path / "moved"))
    settings = {"kind": "embedding_store", "store": str(store)}
    assert identity_of(settings) == identity_of(settings | {"store": str(tmp_path / "moved")})
