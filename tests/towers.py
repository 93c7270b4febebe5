"""Fixtures of tiny towers: a teacher, a student and a static student in its space, and a stranger to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rankdistill import space
from rankdistill.space import Space

Edit = Callable[[Any], None]


def altered(model: str, folder: Path, edit: Edit) -> str:
    """A copy of a sentence-transformers model, changed by `edit`."""
    from sentence_transformers import SentenceTransformer

    loaded = SentenceTransformer(model, device="cpu")
    edit(loaded)
    loaded.save(str(folder), create_model_card=False)
    return str(folder)


def shifted(by: float) -> Edit:
    """Other weights."""

    def edit(model: Any) -> None:
        model[0].model.embeddings.word_embeddings.weight.data += by

    return edit


def with_prompts(model: Any) -> None:
    model.prompts = {"query": "what is ", "document": "the "}


@pytest.fixture(scope="session")
def teacher(tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A document tower with prompts."""
    return altered(tiny_encoder, tmp_path_factory.mktemp("teacher"), with_prompts)


@pytest.fixture(scope="session")
def teacher_space(teacher: str) -> Space:
    """The space of the teacher as an embedding store has it, which was made with shorter documents."""
    from rankdistill.inference import TextEncoder

    return replace(TextEncoder(teacher, backend="torch").space, max_length=48)


@pytest.fixture(scope="session")
def student(tiny_encoder: str, teacher_space: Space, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A query tower aligned with the teacher: other weights, no prompts."""
    folder = tmp_path_factory.mktemp("student")
    altered(tiny_encoder, folder, shifted(0.01))
    space.write(folder, teacher_space)
    return str(folder)


@pytest.fixture(scope="session")
def stranger(tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model of the same shape that was aligned with nothing."""
    return altered(tiny_encoder, tmp_path_factory.mktemp("stranger"), shifted(-0.3))


@pytest.fixture(scope="session")
def static_student(tiny_bert: Path, teacher_space: Space, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A table of token vectors in the teacher's space."""
    import numpy as np
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("static")
    tokenizer = AutoTokenizer.from_pretrained(str(tiny_bert))
    table = np.random.default_rng(2).normal(size=(len(tokenizer), teacher_space.dimension)).astype(np.float32)
    modules = [StaticEmbedding(tokenizer.backend_tokenizer, embedding_weights=table), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder), create_model_card=False)
    space.write(folder, teacher_space)
    return str(folder)
