"""Teachers: one registry, fingerprints that tell them apart, and no NaN past them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from rankdistill.errors import ConfigError, ModelReferenceError, TeacherError
from rankdistill.teachers import TEACHERS, EmbeddingTeacher, PairTeacher, load
from rankdistill.teachers.base import check_scores

PAIRS = [("what is bread", "the bread is old"), ("violin", "the engine"), ("what is bread", "the engine")]


@pytest.fixture
def model_of(tiny_encoder: str, tiny_cross_encoder: str) -> dict[str, str]:
    """A model for each kind."""
    return {"cross_encoder": tiny_cross_encoder, "embedding": tiny_encoder}


@pytest.mark.parametrize("kind", TEACHERS)
def test_every_kind_is_found_by_looking_at_the_model(kind: str, model_of: dict[str, str]) -> None:
    teacher = load(model_of[kind], backend="torch")
    assert isinstance(teacher, PairTeacher)
    assert teacher.fingerprint["kind"] == kind
    assert teacher.teacher_id.startswith(kind.replace("_", "-") + "-")
    assert teacher.teacher_id == load(model_of[kind], kind=kind, backend="torch").teacher_id
    scores = teacher.score(PAIRS)
    assert scores.dtype == np.float32
    assert scores.shape == (3,)


@pytest.mark.parametrize("kind", TEACHERS)
def test_whatever_changes_scores_changes_the_teacher_id(kind: str, model_of: dict[str, str]) -> None:
    teachers = [
        load(model_of[kind], backend="torch"),
        load(model_of[kind], backend="onnx"),
        load(model_of[kind], backend="torch", max_length=16),
        load(model_of[kind], backend="torch", dtype="bfloat16"),
    ]
    assert len({teacher.teacher_id for teacher in teachers}) == len(teachers)


def test_the_embedding_teacher_scores_by_cosine_and_embeds_each_text_once(
    tiny_encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentence_transformers import SentenceTransformer, util

    teacher = load(tiny_encoder, backend="torch")
    assert isinstance(teacher, EmbeddingTeacher)
    assert teacher.score_kind == "cosine"
    embedded: list[str] = []
    original = teacher.embed
    monkeypatch.setattr(teacher, "embed", lambda texts, role: embedded.extend(texts) or original(texts, role))
    scores = teacher.score(PAIRS)
    assert sorted(embedded) == sorted({text for pair in PAIRS for text in pair})
    model = SentenceTransformer(tiny_encoder, device="cpu")
    left, right = (model.encode([pair[side] for pair in PAIRS], convert_to_tensor=True) for side in (0, 1))
    np.testing.assert_allclose(scores, util.pairwise_cos_sim(left, right).numpy(), atol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_nan_or_infinite_score_is_an_error_that_names_the_pair(value: float) -> None:
    scores = np.array([1.0, value, 2.0], dtype=np.float32)
    with pytest.raises(TeacherError, match="'violin' with document 'the engine'"):
        check_scores("t", PAIRS, scores)


def test_another_number_of_scores_is_an_error() -> None:
    with pytest.raises(TeacherError, match="shape"):
        check_scores("t", PAIRS, np.zeros((3, 1), dtype=np.float32))


def test_wrong_kinds_are_refused(tiny_encoder: str) -> None:
    with pytest.raises(ConfigError, match="oracle"):
        load(tiny_encoder, kind="oracle")
    with pytest.raises(ModelReferenceError, match="without such a head"):
        load(tiny_encoder, kind="cross_encoder")


def test_importing_teachers_loads_no_torch() -> None:
    code = "import sys, rankdistill.teachers as _; assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
