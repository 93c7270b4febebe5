"""A recipe's students are named by what their in-batch teacher holds, not by where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import rankdistill
from rankdistill.errors import ModelReferenceError
from rankdistill.recipe.scores.experiment import Experiment
from rankdistill.recipe.scores.schema import Recipe
from rankdistill.recipe.steps import Step


def student(tiny_beir: Path, model: str, **train: Any) -> Step:
    content = {
        "name": "tiny",
        "data": {"source": str(tiny_beir)},
        "teacher": {"model": model},
        "student": {"model": model},
        "train": train,
    }
    return Experiment(Recipe.model_validate(content)).student("student")


@pytest.mark.usefixtures("torch_alone")
def test_a_student_is_another_where_its_in_batch_teacher_is(
    tiny_beir: Path, tiny_encoder: str, tiny_splade: str, tmp_path: Path
) -> None:
    store = rankdistill.embed(tiny_beir, tiny_encoder, tmp_path / "store")
    plain = student(tiny_beir, tiny_encoder)
    assert student(tiny_beir, tiny_encoder, in_batch_teacher=tiny_splade, loss="contrastive").key == (
        student(tiny_beir, tiny_encoder, loss="contrastive").key
    )
    of_store = student(tiny_beir, tiny_encoder, in_batch_teacher=str(store.path))
    of_model = student(tiny_beir, tiny_encoder, in_batch_teacher=tiny_splade)
    assert len({plain.key, of_store.key, of_model.key}) == 3
    assert of_store.settings["in_batch_teacher"] == store.identity
    store.path.rename(tmp_path / "moved")
    assert student(tiny_beir, tiny_encoder, in_batch_teacher=str(tmp_path / "moved")).key == of_store.key
    with pytest.raises(ModelReferenceError):
        student(tiny_beir, tiny_encoder, in_batch_teacher=str(store.path))
