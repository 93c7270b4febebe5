"""From a model reference and an embedding store to a student in the teacher's space."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize

from rankdistill.errors import ConfigError, ModelReferenceError
from rankdistill.space import Space
from rankdistill.students.prepare import prepare
from rankdistill.students.settings import StudentSettings
from rankdistill.students.targets import sample

TEXTS = [f"the {a} {b}" for a in ("old", "deep", "slow", "iron") for b in ("river", "bread", "engine", "harbour")]


class Store:
    """Texts with the vectors of a teacher, in memory."""

    def __init__(self, reference: str, texts: list[str], dimension: int | None = None) -> None:
        self.reference = reference
        kinds = ["query" if number % 2 else "document" for number in range(len(texts))]
        self._texts = pa.table({"kind": pa.array(kinds, pa.string()), "text": pa.array(texts, pa.string())})
        vectors = SentenceTransformer(reference, device="cpu").encode(texts or ["x"])
        self._vectors = vectors[: len(texts), :dimension].astype(np.float16)

    def texts(self) -> pa.Table:
        return self._texts

    def vectors(self) -> np.ndarray:
        return self._vectors


@pytest.fixture
def store(tiny_encoder: str) -> Store:
    return Store(tiny_encoder, TEXTS)


def space(dimension: int = 32, normalised: bool = True, similarity: str = "cosine") -> Space:
    return Space(dimension, normalised, similarity)


def settings(**changes: object) -> StudentSettings:
    return StudentSettings.model_validate(changes)


def cosine(student: SentenceTransformer, store: Store) -> float:
    return float((student.encode(TEXTS) * store.vectors().astype(np.float32)).sum(axis=1).mean())


def test_the_teacher_itself_stays_as_it_is(tiny_encoder: str, store: Store) -> None:
    student = prepare(tiny_encoder, settings(), space(), store)
    assert not any(isinstance(module, Dense) for module in student)
    np.testing.assert_allclose(student.encode(TEXTS), store.vectors().astype(np.float32), atol=1e-3)


def test_a_cut_student_starts_nearer_to_the_teacher_with_a_fitted_projection(tiny_encoder: str, store: Store) -> None:
    bare = prepare(tiny_encoder, settings(keep_layers=(0, 2), projection="never"), space(), store)
    fitted = prepare(tiny_encoder, settings(keep_layers=(0, 2)), space(), store)
    unfitted = prepare(tiny_encoder, settings(keep_layers=(0, 2), fit=False), space(), store)
    assert cosine(fitted, store) > cosine(bare, store) + 0.02
    np.testing.assert_allclose(unfitted.encode(TEXTS), bare.encode(TEXTS), atol=1e-6)


def test_a_projection_is_fitted_to_as_much_of_a_text_as_training_reads(tiny_encoder: str, store: Store) -> None:
    cut = settings(keep_layers=(0, 2))
    fitted = prepare(tiny_encoder, cut, space(), store, longest={"query": 4, "document": 4})
    whole = prepare(tiny_encoder, cut, space(), store)
    short = prepare(tiny_encoder, settings(keep_layers=(0, 2), max_length=4), space(), store)
    assert fitted.max_seq_length == whole.max_seq_length > short.max_seq_length == 4
    weights = [next(module for module in one if isinstance(module, Dense)).linear.weight for one in (fitted, short)]
    np.testing.assert_array_equal(*(one.detach().numpy() for one in weights))
    assert np.abs(fitted.encode(TEXTS) - whole.encode(TEXTS)).max() > 1e-3


def test_a_token_table_is_fitted_to_whole_texts_whatever_the_length(
    tiny_encoder: str, store: Store, tmp_path: Path
) -> None:
    prepare("static", settings(), space(), store).save_pretrained(str(tmp_path / "table"))
    fitted = prepare(str(tmp_path / "table"), settings(), space(), store, longest={"query": 4, "document": 4})
    whole = prepare(str(tmp_path / "table"), settings(), space(), store)
    np.testing.assert_array_equal(fitted.encode(TEXTS), whole.encode(TEXTS))


def test_a_narrower_encoder_keeps_what_texts_of_the_trained_length_need(tiny_encoder: str, store: Store) -> None:
    cut = settings(hidden_size=16)
    fitted = prepare(tiny_encoder, cut, space(), store, longest={"query": 4, "document": 4})
    short = prepare(tiny_encoder, settings(hidden_size=16, max_length=4), space(), store)
    fitted.max_seq_length = 4
    np.testing.assert_allclose(fitted.encode(TEXTS), short.encode(TEXTS), atol=1e-6)


@pytest.mark.parametrize("rule", ["first", "last", "even", "search"])
def test_layers_by_rule(rule: str, tiny_encoder: str, store: Store) -> None:
    student = prepare(tiny_encoder, settings(keep_layers=rule, layers=2), space(), store)
    assert student.transformers_model.config.num_hidden_layers == 2


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("student", ["static", "encoder"])
def test_dimension_normalisation_and_similarity_are_the_teachers_and_are_saved(
    student: str, normalised: bool, tiny_encoder: str, tmp_path: Path
) -> None:
    dimension = 20
    store = Store(tiny_encoder, TEXTS, dimension)
    reference = tiny_encoder if student == "encoder" else "static"
    chosen = settings(keep_layers=(0,)) if student == "encoder" else settings()
    made = prepare(reference, chosen, space(dimension, normalised, "cosine" if normalised else "dot"), store)
    assert made.get_embedding_dimension() == dimension
    assert isinstance(made[-1], Normalize) == normalised
    made.save(str(tmp_path / "s"), create_model_card=False)
    loaded = SentenceTransformer(str(tmp_path / "s"))
    assert loaded.similarity_fn_name == ("cosine" if normalised else "dot")
    np.testing.assert_allclose(loaded.encode(TEXTS), made.encode(TEXTS), atol=1e-6)


def test_a_narrow_student_is_projected_back(tiny_encoder: str, store: Store) -> None:
    student = prepare(tiny_encoder, settings(hidden_size=16), space(), store)
    assert student.transformers_model.config.hidden_size == 16
    assert student.encode(TEXTS).shape == (16, 32)
    assert cosine(student, store) > 0.9


@pytest.mark.parametrize(
    ("changes", "wanted", "got"),
    [
        ({"projection": "never"}, space(dimension=20), "32 numbers"),
        ({"projection": "never"}, space(normalised=False), "of unit length"),
        ({"projection": "never", "hidden_size": 16}, space(), "16 numbers"),
    ],
)
def test_a_student_that_can_never_match_is_refused(
    changes: dict[str, object], wanted: Space, got: str, tiny_encoder: str, store: Store
) -> None:
    with pytest.raises(ConfigError, match=got):
        prepare(tiny_encoder, settings(**changes), wanted, store)


def test_an_unfitted_table_of_another_dimension_is_refused(tiny_encoder: str) -> None:
    with pytest.raises(ConfigError, match="32 numbers"):
        prepare("static", settings(static={"fit": False}), space(20), Store(tiny_encoder, TEXTS, dimension=20))


@pytest.mark.parametrize("changes", [{"keep_layers": [0, 1]}, {"hidden_size": 16}, {"max_length": 32}])
def test_a_static_student_has_no_layers_to_keep(changes: dict[str, object], store: Store) -> None:
    with pytest.raises(ConfigError, match="no layers"):
        prepare("static", settings(**changes), space(), store)


def test_an_empty_store_is_refused(tiny_encoder: str) -> None:
    with pytest.raises(ConfigError, match="an empty one"):
        prepare("static", settings(), space(), Store(tiny_encoder, []))


def test_a_student_that_does_not_load_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ModelReferenceError):
        prepare(str(tmp_path / "none"), settings(), space(), store)


@pytest.mark.parametrize(
    "changes",
    [
        {"keep_layers": "middle", "layers": 2},
        {"keep_layers": "even"},
        {"keep_layers": [0, 1], "layers": 2},
        {"layers": 2},
        {"keep_layers": [-1]},
        {"hidden_size": 0},
        {"projection": "sometimes"},
        {"ridge": 0},
        {"ridge": float("nan")},
        {"static": {"words": -1}},
        {"static": {"weighting": "idf"}},
        {"statics": {}},
    ],
)
def test_settings_that_mean_nothing_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        settings(**changes)


def test_a_sample_is_evenly_spaced_and_keeps_rows_together(store: Store) -> None:
    taken = sample(store, 4)
    assert taken.texts == [TEXTS[row] for row in (0, 5, 10, 15)]
    assert taken.are_queries.tolist() == [False, True, False, True]
    np.testing.assert_array_equal(taken.vectors, store.vectors()[[0, 5, 10, 15]].astype(np.float32))
    assert len(sample(store, 99).texts) == len(TEXTS)
