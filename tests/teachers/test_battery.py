"""What every teacher that runs a model here must do: the same scores however it is asked, and an id that tells."""

from __future__ import annotations

import pickle
import random
from typing import Any

import numpy as np
import pytest

from rankdistill.errors import ConfigError, ModelReferenceError
from rankdistill.teachers import PairTeacher, TeacherSpec, specify
from rankdistill.teachers.base import ApproximateTeacher
from tests.conftest import TOPICS, WORDS

FIXTURES = {
    "cross_encoder": "tiny_cross_encoder",
    "embedding": "tiny_encoder",
    "sparse": "tiny_splade",
    "multi_vector": "tiny_multi_vector",
    "llm_pointwise": "tiny_causal_lm",
    "llm_listwise": "tiny_causal_lm",
}
"""Kind -> fixture of its model."""

ALWAYS: dict[str, dict[str, Any]] = {
    "cross_encoder": {"backend": "torch"},
    "embedding": {"backend": "torch"},
    "llm_listwise": {"max_new_tokens": 4, "passage_words": 4, "window": 4, "step": 2},
}
"""Settings of every teacher of a kind."""

CHANGES: dict[str, list[dict[str, Any]]] = {
    "cross_encoder": [{"max_length": 20}],
    "embedding": [{"max_length": 20}],
    "sparse": [{"max_length": 20}, {"dtype": "bfloat16"}],
    "multi_vector": [{"max_length": 20}, {"dtype": "bfloat16"}],
    "llm_pointwise": [
        {"max_length": 400},
        {"dtype": "bfloat16"},
        {"template": "plain"},
        {"instruction": "find it"},
        {"yes": "no", "no": "yes"},
        {"score_kind": "probability"},
    ],
    "llm_listwise": [
        {"max_length": 400},
        {"dtype": "bfloat16"},
        {"max_new_tokens": 5},
        {"window": 5},
        {"step": 3},
        {"passes": 2},
        {"chat_template": {}},
        {"first_stage": {"kind": "llm_pointwise", "template": "plain"}},
    ],
}
"""Settings that change scores."""

KINDS = list(FIXTURES)
BY_PAIR = [kind for kind in KINDS if kind != "llm_listwise"]

MISTAKES = [
    (kind, other)
    for kind in KINDS
    for other in KINDS[:4]
    # a masked language model can be pooled into embeddings
    if kind != other and (kind, other) != ("embedding", "sparse")
]
"""Kinds, and kinds of models that they must not take."""


def _pairs() -> list[tuple[str, str]]:
    generator = random.Random(29)
    texts = [" ".join(generator.choices([*TOPICS, *WORDS], k=generator.randint(1, 30))) for _ in range(12)]
    return [(f"what is the {topic}", text) for topic in TOPICS[:3] for text in [*texts, "", texts[0]]]


PAIRS = _pairs()


def _settings(kind: str, request: pytest.FixtureRequest, **changed: Any) -> dict[str, Any]:
    model = request.getfixturevalue(FIXTURES[kind])
    settings = {"model": model} | ALWAYS.get(kind, {}) | changed
    if "first_stage" in settings:
        settings["first_stage"] = settings["first_stage"] | {"model": model}
    return settings


@pytest.fixture
def spec(kind: str, request: pytest.FixtureRequest) -> TeacherSpec:
    """A teacher of each kind, not loaded."""
    return TeacherSpec(kind, _settings(kind, request))


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_finite_typed_and_the_same_each_time(kind: str, spec: TeacherSpec) -> None:
    teacher = spec.load()
    assert isinstance(teacher, PairTeacher)
    assert teacher.fingerprint["kind"] == kind
    assert teacher.teacher_id.startswith(kind.replace("_", "-") + "-")
    done: list[int] = []
    scores = teacher.score(PAIRS, done.append)
    assert (scores.dtype, scores.shape) == (np.float32, (len(PAIRS),))
    assert np.isfinite(scores).all()
    assert np.ptp(scores) > 1e-3
    assert sum(done) == len(PAIRS)
    again = pickle.loads(pickle.dumps(spec)).load()
    assert again.teacher_id == teacher.teacher_id
    np.testing.assert_array_equal(again.score(PAIRS), scores)


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_the_pairs_does_not_matter(kind: str, spec: TeacherSpec) -> None:
    teacher = spec.load()
    order = np.random.default_rng(31).permutation(len(PAIRS))
    shuffled = teacher.score([PAIRS[row] for row in order])
    np.testing.assert_allclose(shuffled, teacher.score(PAIRS)[order], atol=1e-4)


@pytest.mark.parametrize("kind", BY_PAIR)
def test_what_else_is_scored_with_a_pair_does_not_matter(kind: str, spec: TeacherSpec) -> None:
    teacher = spec.load()
    alone = [teacher.score([pair])[0] for pair in PAIRS[::5]]
    np.testing.assert_allclose(alone, teacher.score(PAIRS)[::5], atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_no_pairs_give_no_scores(kind: str, spec: TeacherSpec) -> None:
    assert spec.load().score([]).shape == (0,)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_changes_scores_changes_the_id(kind: str, request: pytest.FixtureRequest) -> None:
    teachers = [
        TeacherSpec(kind, _settings(kind, request, **changed)).load().teacher_id for changed in [{}, *CHANGES[kind]]
    ]
    assert len(set(teachers)) == len(teachers)


@pytest.mark.parametrize("kind", BY_PAIR)
def test_the_kind_is_told_from_the_model(kind: str, request: pytest.FixtureRequest) -> None:
    assert specify(request.getfixturevalue(FIXTURES[kind])).kind == kind


@pytest.mark.parametrize(("kind", "other"), MISTAKES)
def test_a_model_of_another_kind_is_refused(kind: str, other: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises(ModelReferenceError, match="expected: "):
        TeacherSpec(kind, {"model": request.getfixturevalue(FIXTURES[other])}).load()


@pytest.mark.parametrize("kind", ["sparse", "multi_vector", "llm_pointwise", "llm_listwise"])
def test_a_back_end_that_does_not_run_it_is_refused(kind: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises(ConfigError, match="backend: "):
        TeacherSpec(kind, _settings(kind, request, backend="onnx")).load()


@pytest.mark.parametrize("kind", ["sparse", "multi_vector"])
def test_a_teacher_in_bfloat16_can_be_compared_with_itself_in_float32(
    kind: str, request: pytest.FixtureRequest
) -> None:
    exact = TeacherSpec(kind, _settings(kind, request)).load()
    rough = TeacherSpec(kind, _settings(kind, request, dtype="bfloat16", max_length=20)).load()
    assert isinstance(exact, ApproximateTeacher)
    assert isinstance(rough, ApproximateTeacher)
    assert exact.exact() is None
    load_exact = rough.exact()
    assert load_exact is not None
    found = load_exact()
    assert found.teacher_id == TeacherSpec(kind, _settings(kind, request, max_length=20)).load().teacher_id
    expected = found.score(PAIRS)
    assert np.corrcoef(rough.score(PAIRS), expected)[0, 1] > 0.98
    assert np.abs(rough.score(PAIRS) - expected).max() > 0
