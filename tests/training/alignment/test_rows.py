"""Batches: prompts, lengths, the order of the targets; static students."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from rankdistill.students import dense
from rankdistill.training.alignment import config as settings
from rankdistill.training.alignment.objective import Alignment, loss_of
from rankdistill.training.alignment.rows import AlignmentCollator
from tests.training.alignment.conftest import MemoryEmbeddings

ROWS = [
    {"text": "the old river", "kind": "document", "label": np.full(32, 1.0)},
    {"text": "what is a planet", "kind": "query", "label": np.full(32, 2.0)},
    {"text": "glass " * 90, "kind": "document", "label": np.full(32, 3.0)},
]


@pytest.fixture
def student(tiny_encoder: str) -> SentenceTransformer:
    return dense.load(tiny_encoder)


def test_each_kind_has_its_prompt_and_length_and_queries_come_first(student: SentenceTransformer) -> None:
    student.prompts = {"query": "deep ", "passage": "small "}
    batch = AlignmentCollator(student, settings.read(None, max_document_length=16))(ROWS)
    decode = student.tokenizer.decode
    assert decode(batch["query_input_ids"][0], skip_special_tokens=True) == "deep what is a planet"
    assert decode(batch["document_input_ids"][0], skip_special_tokens=True).startswith("small the old river")
    assert batch["document_input_ids"].shape == (2, 16)
    assert batch["label"][:, 0].tolist() == [2.0, 1.0, 3.0]
    assert batch["label"].dtype == torch.float32


def test_a_batch_of_one_kind_has_one_column(student: SentenceTransformer) -> None:
    batch = AlignmentCollator(student, settings.read(None))(ROWS[:1])
    assert not any(name.startswith("query") for name in batch)


def test_float16_targets_become_float32(student: SentenceTransformer) -> None:
    row = {"text": "river", "kind": "query", "label": np.full(32, 0.5, dtype=np.float16)}
    assert AlignmentCollator(student, settings.read(None))([row])["label"].dtype == torch.float32


def test_sorting_by_length_does_not_change_the_loss(
    student: SentenceTransformer, tiny_embeddings: MemoryEmbeddings
) -> None:
    rows = [
        {"text": text, "kind": "document", "label": tiny_embeddings.array[number]}
        for number, (_, _, text) in enumerate(tiny_embeddings.rows[:40])
    ]
    batch = AlignmentCollator(student, settings.read(None))(rows)
    features = {name.removeprefix("document_"): value for name, value in batch.items() if name != "label"}
    loss = Alignment(student, loss_of(settings.read(None), normalised=True))([features], batch["label"])
    whole = student(dict(features))["sentence_embedding"]
    assert loss.item() == pytest.approx((whole - batch["label"]).pow(2).sum(1).mean().item(), abs=1e-6)


def test_a_static_student_has_no_attention_mask_and_trains(student: SentenceTransformer) -> None:
    table = SentenceTransformer(
        modules=[StaticEmbedding(student.tokenizer, embedding_dim=32)], device="cpu", similarity_fn_name="cosine"
    )
    batch = AlignmentCollator(table, settings.read(None))(ROWS)
    columns = [
        {name.removeprefix(f"{kind}_"): value for name, value in batch.items() if name.startswith(kind)}
        for kind in ("query", "document")
    ]
    loss = Alignment(table, loss_of(settings.read(None), normalised=False))(columns, batch["label"])
    expected = torch.from_numpy(table.encode([ROWS[index]["text"] for index in (1, 0, 2)])) - batch["label"]
    assert loss.item() == pytest.approx(expected.pow(2).sum(1).mean().item(), rel=1e-5)
    loss.backward()
    assert table[0].embedding.weight.grad is not None
