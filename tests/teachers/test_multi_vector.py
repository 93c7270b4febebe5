"""The multi-vector teacher against the library's similarity, and against MaxSim written out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill.errors import ModelReferenceError, TeacherError
from rankdistill.teachers import TeacherSpec, load
from rankdistill.teachers.multi_vector import MultiVectorTeacher

QUERIES = ["what is the old river 3", "bread", "", "iron " * 70]
DOCUMENTS = ["the river is deep", "glass " * 90, "planet 7", "", "what is bread"]
PAIRS = [(query, document) for document in DOCUMENTS for query in QUERIES]


def _teacher(model: str, **settings: Any) -> MultiVectorTeacher:
    teacher = TeacherSpec("multi_vector", {"model": model, **settings}).load()
    assert isinstance(teacher, MultiVectorTeacher)
    return teacher


def _max_sim(query: np.ndarray, document: np.ndarray) -> float:
    return sum(max(float(token @ other) for other in document) for token in query)


def _brute_force(model: str, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
    from sentence_transformers import MultiVectorEncoder

    encoder = MultiVectorEncoder(model, device="cpu")
    scores = []
    for query, document in pairs:
        left = encoder.encode_query([query], convert_to_numpy=True)[0]
        right = encoder.encode_document([document], convert_to_numpy=True)[0]
        divisor = len(left) if encoder.similarity_fn_name == "meanmaxsim" else 1
        scores.append(_max_sim(left, right) / divisor)
    return np.array(scores, dtype=np.float32)


def _saved(model: str, folder: Path, **settings: Any) -> str:
    from sentence_transformers import MultiVectorEncoder

    MultiVectorEncoder(model, device="cpu", **settings).save_pretrained(str(folder), create_model_card=False)
    return str(folder)


def test_scores_are_max_sim(tiny_multi_vector: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from sentence_transformers import MultiVectorEncoder

    monkeypatch.setattr("rankdistill.teachers.multi_vector.DOCUMENTS", 2)
    teacher = load(tiny_multi_vector)
    assert (teacher.fingerprint["kind"], teacher.score_kind) == ("multi_vector", "dot")
    done: list[int] = []
    scores = teacher.score(PAIRS, done.append)
    assert sum(done) == len(PAIRS)
    np.testing.assert_allclose(scores, _brute_force(tiny_multi_vector, PAIRS), rtol=1e-4, atol=1e-4)
    encoder = MultiVectorEncoder(tiny_multi_vector, device="cpu")
    table = encoder.similarity(encoder.encode_query(QUERIES), encoder.encode_document(DOCUMENTS))
    np.testing.assert_allclose(scores, table.numpy().T.ravel(), rtol=1e-4, atol=1e-4)


def test_the_mean_over_the_querys_tokens_is_a_cosine(tiny_multi_vector: str, tmp_path: Path) -> None:
    model = _saved(tiny_multi_vector, tmp_path, similarity_fn_name="meanmaxsim")
    teacher = load(model)
    assert teacher.score_kind == "cosine"
    scores = teacher.score(PAIRS)
    np.testing.assert_allclose(scores, _brute_force(model, PAIRS), atol=1e-4)
    assert np.abs(scores).max() <= 1 + 1e-5


def test_the_maximum_length_is_that_of_documents(tiny_multi_vector: str) -> None:
    teacher = _teacher(tiny_multi_vector, max_length=8)
    (document,) = teacher.encode(["glass " * 90], "document")
    (query,) = teacher.encode(["iron " * 90], "query")
    assert (len(document), len(query)) == (8, 16)
    assert teacher.fingerprint["document_length"] == 8
    assert teacher.teacher_id != _teacher(tiny_multi_vector).teacher_id


def test_a_document_of_which_no_token_is_scored_is_an_error(tiny_multi_vector: str, tmp_path: Path) -> None:
    """The library gives it a large negative number of its own making."""
    import json

    model = _saved(tiny_multi_vector, tmp_path)
    (mask,) = tmp_path.glob("*MultiVectorMask/config.json")
    mask.write_text(json.dumps(json.loads(mask.read_text()) | {"keep_only_token_ids": [0]}))
    teacher = load(model)
    assert isinstance(teacher, MultiVectorTeacher)
    with pytest.raises(TeacherError, match="-inf for query 'bread'"):
        teacher.score([("bread", "the river")])
    assert np.isneginf(teacher.score_or_leave([("bread", "the river")])).all()


@pytest.mark.parametrize("fixture", ["tiny_encoder", "tiny_cross_encoder", "tiny_splade", "tiny_causal_lm"])
def test_another_kind_of_model_is_refused(fixture: str, request: pytest.FixtureRequest) -> None:
    """The library would put an untrained projection on top, without a word."""
    with pytest.raises(ModelReferenceError, match="a multi-vector encoder"):
        load(request.getfixturevalue(fixture), kind="multi_vector")


def test_no_pairs_give_no_scores(tiny_multi_vector: str) -> None:
    assert _teacher(tiny_multi_vector).score([]).shape == (0,)
