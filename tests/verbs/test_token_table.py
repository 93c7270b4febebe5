"""The verb `token_table`: a static student whose rows are the teacher's vectors of single tokens, weighted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import rankdistill as rd
from rankdistill.errors import DataError, StaleOutputError
from rankdistill.students.settings import StaticSettings, StudentSettings
from rankdistill.verbs.token_table import token_table


@pytest.fixture
def store(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> Path:
    rd.embed(tiny_beir, tiny_encoder, tmp_path / "store")
    return tmp_path / "store"


def test_a_row_is_the_teacher_s_vector_of_the_token_in_the_weight_of_its_frequency(
    store: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer

    settings = StudentSettings(static=StaticSettings(words=0, sif=0.02))
    token_table(store, tmp_path / "table", settings=settings, progress=True)
    table = SentenceTransformer(str(tmp_path / "table"), device="cpu")
    assert table[0].tokenizer.get_vocab_size() == SentenceTransformer(tiny_encoder, device="cpu").tokenizer.vocab_size
    rows = table[0].embedding.weight.detach().numpy()
    token = table[0].tokenizer.token_to_id("river")
    of_teacher = SentenceTransformer(tiny_encoder, device="cpu").encode("river")
    cosine = rows[token] @ of_teacher / np.linalg.norm(rows[token]) / np.linalg.norm(of_teacher)
    assert cosine == pytest.approx(1, abs=1e-5)
    texts = rd.open(store).texts().column("text").to_pylist()
    bags = [table[0].tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    share = np.mean([bag.count(token) / len(bag) for bag in bags])
    assert np.linalg.norm(rows[token]) / np.linalg.norm(of_teacher) == pytest.approx(0.02 / (0.02 + share), rel=1e-3)


def test_it_is_made_once_and_not_into_another(store: Path, tmp_path: Path) -> None:
    made = token_table(store, tmp_path / "table")
    written = (made / "manifest.json").stat().st_mtime_ns
    token_table(store, made)
    assert (made / "manifest.json").stat().st_mtime_ns == written
    assert json.loads((made / "manifest.json").read_text())["parameters"]["preparation"]["static"]["fit"] is False
    with pytest.raises(StaleOutputError):
        token_table(store, made, settings=StudentSettings(static=StaticSettings(weighting="uniform")))


def test_without_a_store_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="embeddings"):
        token_table(tmp_path / "nothing", tmp_path / "table")
    assert not (tmp_path / "table").exists()
