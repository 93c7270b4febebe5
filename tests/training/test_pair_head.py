"""Pair heads: the formula, whole runs, and the head as a scorer of cached vectors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill import teachers
from rankdistill.data import Dataset
from rankdistill.errors import ModelReferenceError
from rankdistill.inference import TextEncoder
from rankdistill.inference.loading import PAIR_HEAD
from rankdistill.inference.pair_head import PairHead, read
from rankdistill.training.config import TrainConfig
from rankdistill.training.run import train
from tests.training.conftest import MemoryStore
from tests.training.test_run import SMALL, log, stop_at

PAIRS = [("what is the old river", "the river is deep"), ("bread", ""), ("bread", "the river is deep")]

Run = Callable[..., Path]


@pytest.fixture
def run(tiny_data: Dataset, tiny_store: MemoryStore, tiny_encoder: str, tmp_path: Path) -> Run:
    def start(name: str = "student", student: str = tiny_encoder, **given: Any) -> Path:
        options = {key: given.pop(key) for key in list(given) if key not in TrainConfig.model_fields}
        settings = {**SMALL, "steps": 8, "type": "pair-head", "pair_width": 24, **given}
        return train(tiny_data, tiny_store, student, tmp_path / name, TrainConfig(**settings), **options)

    return start


@pytest.mark.parametrize("rescaled", [False, True])
def test_the_score_is_that_of_the_formula(rescaled: bool) -> None:
    head = PairHead(5, 7, rescaled)
    generator = np.random.default_rng(2)
    queries, documents = (generator.normal(size=(3, 5)).astype(np.float32) for _ in range(2))
    weights = {name: value.numpy().astype(np.float64) for name, value in head.state_dict().items()}
    expected = []
    for u, v in zip(queries.astype(np.float64), documents.astype(np.float64), strict=True):
        if rescaled:
            u, v = (side / np.linalg.norm(side) * np.sqrt(5) for side in (u, v))
        pair = np.concatenate([u, v, u * v, np.abs(u - v)])
        hidden = np.maximum(weights["hidden.weight"] @ pair + weights["hidden.bias"], 0)
        expected.append((weights["output.weight"] @ hidden + weights["output.bias"])[0])
    np.testing.assert_allclose(head.score_vectors(queries, documents), expected, rtol=1e-4, atol=1e-5)


def test_the_encoder_stays_and_loads_with_the_plain_library(run: Run, tiny_encoder: str) -> None:
    from sentence_transformers import SentenceTransformer

    out = run(dev_split="dev")
    texts = ["the old river", "bread"]
    before, after = (SentenceTransformer(path, device="cpu").encode(texts) for path in (tiny_encoder, str(out)))
    np.testing.assert_array_equal(before, after)
    assert len(SentenceTransformer(str(out), device="cpu")) == len(SentenceTransformer(tiny_encoder, device="cpu"))
    assert {point["step"] for point in log(out)["dev_ndcg_at_10"]} == {0, 4, 8}


def test_it_scores_texts_as_its_head_scores_their_cached_vectors(run: Run, tiny_encoder: str) -> None:
    out = run()
    teacher = teachers.load(str(out))
    assert (teacher.score_kind, teacher.teacher_id.startswith("pair-head-")) == ("logit", True)
    encoder = TextEncoder(tiny_encoder)
    queries, documents = zip(*PAIRS, strict=True)
    vectors = encoder.encode_queries(queries), encoder.encode_documents(documents)
    np.testing.assert_allclose(teacher.score(PAIRS), read(out).score_vectors(*vectors), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("loss", ["margin_mse", "kl", "contrastive"])
def test_it_learns_by(run: Run, loss: str) -> None:
    curve = [point["loss"] for point in log(run(loss=loss, steps=24, learning_rate=1e-2))["loss"]]
    assert np.isfinite(curve).all()
    assert np.mean(curve[-3:]) < np.mean(curve[:3])


def test_a_head_is_trained_on(run: Run) -> None:
    first = run()
    second = run("second", student=str(first))
    assert (second / PAIR_HEAD).read_bytes() != (first / PAIR_HEAD).read_bytes()


def test_a_killed_run_goes_on_to_the_same_student(run: Run) -> None:
    whole = run("whole", steps=16)
    with pytest.raises(KeyboardInterrupt):
        run("killed", steps=16, progress=stop_at(10))
    killed = run("killed", steps=16)
    assert json.dumps(log(whole)) == json.dumps(log(killed))
    assert (whole / PAIR_HEAD).read_bytes() == (killed / PAIR_HEAD).read_bytes()


def test_a_model_without_a_head_is_refused(tiny_encoder: str) -> None:
    with pytest.raises(ModelReferenceError, match="pair head"):
        teachers.load(tiny_encoder, kind="pair_head")
