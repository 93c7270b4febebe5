"""Teachers: one registry, fingerprints that tell them apart, and no NaN past them."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rankdistill.errors import ConfigError, ModelReferenceError, TeacherError
from rankdistill.teachers import EmbeddingTeacher, PairTeacher, TeacherSpec, load, specify
from rankdistill.teachers.base import check_scores

PAIRS = [("what is bread", "the bread is old"), ("violin", "the engine"), ("what is bread", "the engine")]


@pytest.fixture
def model_of(tiny_encoder: str, tiny_cross_encoder: str) -> dict[str, str]:
    """A model for each kind."""
    return {"cross_encoder": tiny_cross_encoder, "embedding": tiny_encoder}


@pytest.mark.parametrize("kind", ["cross_encoder", "embedding"])
def test_every_kind_is_found_by_looking_at_the_model(kind: str, model_of: dict[str, str]) -> None:
    teacher = load(model_of[kind], backend="torch")
    assert isinstance(teacher, PairTeacher)
    assert teacher.fingerprint["kind"] == kind
    assert teacher.teacher_id.startswith(kind.replace("_", "-") + "-")
    assert teacher.teacher_id == load(model_of[kind], kind=kind, backend="torch").teacher_id
    scores = teacher.score(PAIRS)
    assert scores.dtype == np.float32
    assert scores.shape == (3,)


@pytest.mark.parametrize("kind", ["cross_encoder", "embedding"])
def test_whatever_changes_scores_changes_the_teacher_id(kind: str, model_of: dict[str, str]) -> None:
    teachers = [
        load(model_of[kind], backend="torch"),
        load(model_of[kind], backend="onnx"),
        load(model_of[kind], backend="torch", max_length=16),
    ]
    assert len({teacher.teacher_id for teacher in teachers}) == len(teachers)


def test_a_yaml_file_names_the_same_teacher_as_a_reference(tiny_encoder: str, tmp_path: Path) -> None:
    path = tmp_path / "teacher.yaml"
    path.write_text(f"kind: embedding\nmodel: {tiny_encoder}\nbackend: torch\n")
    assert load(str(path)).teacher_id == load(tiny_encoder, backend="torch").teacher_id


def test_a_teacher_is_specified_in_one_process_and_loaded_in_another(tiny_encoder: str) -> None:
    spec = specify(tiny_encoder, backend="torch")
    assert pickle.loads(pickle.dumps(spec)).load().teacher_id == spec.load().teacher_id


@pytest.mark.parametrize("content", ["model: x", "- kind", "kind: [", "kind: oracle"])
def test_a_yaml_that_names_no_teacher_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "teacher.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match="no teacher was loaded"):
        specify(str(path))


def test_a_setting_that_the_kind_does_not_have_is_named(tiny_encoder: str) -> None:
    with pytest.raises(ConfigError, match="temprature"):
        TeacherSpec("embedding", {"model": tiny_encoder, "temprature": 1}).load()


def test_the_embedding_teacher_scores_by_cosine_and_embeds_each_text_once(
    tiny_encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentence_transformers import SentenceTransformer, util

    teacher = load(tiny_encoder, backend="torch")
    assert isinstance(teacher, EmbeddingTeacher)
    assert teacher.score_kind == "cosine"
    embedded: list[str] = []
    original = teacher.embed
    monkeypatch.setattr(
        teacher, "embed", lambda texts, role, told: embedded.extend(texts) or original(texts, role, told)
    )
    scores = teacher.score(PAIRS)
    assert sorted(embedded) == sorted({text for pair in PAIRS for text in pair})
    model = SentenceTransformer(tiny_encoder, device="cpu")
    left, right = (model.encode([pair[side] for pair in PAIRS], convert_to_tensor=True) for side in (0, 1))
    np.testing.assert_allclose(scores, util.pairwise_cos_sim(left, right).numpy(), atol=1e-5)


def test_the_embedding_teacher_tells_of_pairs_while_it_encodes_and_of_all_in_the_end(tiny_encoder: str) -> None:
    from rankdistill.teachers.embedding import Shares

    told: list[int] = []
    load(tiny_encoder, backend="torch").score(PAIRS, told.append)
    assert sum(told) == len(PAIRS)
    told.clear()
    shares = Shares(pairs=100, texts=3, progress=told.append)
    for _ in range(3):
        shares(1)
    assert told == [33, 33, 34]


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
