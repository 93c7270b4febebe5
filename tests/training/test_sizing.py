"""Students on scores that must not be larger than so many bytes, and those of another vocabulary or storage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer, SparseEncoder

from rankdistill import manifest
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, ModelReferenceError
from rankdistill.inference.storage import shipped_bytes
from rankdistill.students import shapes
from rankdistill.teachers.base import Role
from rankdistill.training.config import TrainConfig
from rankdistill.training.form import Form
from rankdistill.training.in_batch.dense import DenseVectors
from rankdistill.training.run import train
from rankdistill.training.student import Student
from tests.training.conftest import MemoryStore
from tests.training.test_run import SMALL, log

Run = Callable[..., Path]


@pytest.fixture
def run(tiny_data: Dataset, tiny_store: MemoryStore, tiny_encoder: str, tmp_path: Path) -> Run:
    def start(name: str = "student", student: str = tiny_encoder, **given: Any) -> Path:
        options = {key: given.pop(key) for key in list(given) if key not in TrainConfig.model_fields}
        settings = {**SMALL, "steps": 8, "eval_steps": 8, **given}
        return train(tiny_data, tiny_store, student, tmp_path / name, TrainConfig(**settings), **options)

    return start


def test_the_best_on_dev_of_the_shapes_that_fit(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "COVERED", 0.0)
    out = run(max_mb=0.0775, dev_split="dev")
    assert shipped_bytes(out) <= 77_500
    told = log(out)
    (chosen,) = [row for row in told["sizes"] if row["chosen"]]
    assert len(told["sizes"]) > 1
    assert chosen["value"] == max(row["value"] for row in told["sizes"])
    loaded = SentenceTransformer(str(out), device="cpu")
    assert loaded.transformers_model.config.num_hidden_layers == chosen["layers"]
    assert len(loaded.tokenizer) == chosen["vocabulary"]
    assert told["stored"] == {
        "storage": chosen["storage"],
        "bytes": shipped_bytes(out),
        "value": told["stored"]["value"],
    }
    assert 0 < told["stored"]["value"] <= 1
    assert "chosen" in str(Student(out))
    assert manifest.expect(out, "student", "train").parameters["max_mb"] == 0.0775


def test_shapes_that_are_tried_share_what_a_teacher_encodes(
    run: Run, six_layers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The texts of the trials are encoded once, those of the whole training once more: others are drawn."""
    encoded: list[tuple[str, ...]] = []
    encode = DenseVectors.encode

    def counted(self: DenseVectors, model: Any, texts: Sequence[str], kind: Role) -> Any:
        encoded.append(tuple(texts))
        return encode(self, model, texts, kind)

    monkeypatch.setattr(DenseVectors, "encode", counted)
    monkeypatch.setattr(shapes, "COVERED", 0.0)
    out = run(max_mb=0.0775, dev_split="dev", in_batch_teacher=six_layers)
    assert len(log(out)["sizes"]) > 1
    assert encoded
    assert len(encoded) == len(set(encoded))


def test_a_vocabulary_and_a_storage_that_are_said(run: Run) -> None:
    out = run(vocabulary=95, storage="int8", keep_layers=[0, 2])
    loaded = SentenceTransformer(str(out), device="cpu")
    assert len(loaded.tokenizer) == 95
    assert loaded.transformers_model.config.num_hidden_layers == 2
    assert torch.int8 in {tensor.dtype for tensor in load_file(out / "model.safetensors").values()}
    assert log(out)["stored"]["storage"] == "int8"


def test_a_sparse_student_has_the_dimensions_of_its_tokens(run: Run, tiny_splade: str) -> None:
    out = run(student=tiny_splade, type="splade", vocabulary=95, storage="float16")
    assert SparseEncoder(str(out), device="cpu").encode(["old river"]).shape == (1, 95)
    with pytest.raises(ModelReferenceError, match="head over the vocabulary"):
        run("other", student=tiny_splade, type="splade", storage="int8")


def test_a_size_needs_a_dev_split(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a dev split"):
        run(max_mb=0.05)
    with pytest.raises(ConfigError, match="smallest shape"):
        run(max_mb=0.001, dev_split="dev")
    assert not (tmp_path / "student" / "manifest.json").exists()


def test_what_is_not_said_is_no_part_of_the_identity() -> None:
    assert Form().decisive() == {"keep_layers": None}
    assert Form([0, 2], storage="float32").decisive() == {"keep_layers": [0, 2]}
    assert Form(vocabulary=9, max_mb=2.5).decisive() == {"keep_layers": None, "vocabulary": 9, "max_mb": 2.5}
