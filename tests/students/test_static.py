"""Static students: vocabulary, table, fit."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

from rankdistill.errors import ConfigError, ModelReferenceError
from rankdistill.space import Space
from rankdistill.students import static, table_fit, vocabulary
from rankdistill.students.settings import StaticSettings
from rankdistill.students.targets import Targets

WORDS = ("deep", "old", "bright", "slow", "small", "round", "river", "planet", "bread", "violin")
TEXTS = [f"the {a} {b} glimmering" for a in WORDS for b in WORDS if a != b]
UNIT = Space(32, True, "cosine")
QUERIES = ["what is a slow violin", "bright bread", "round glimmering"]


def targets_of(teacher: str, texts: list[str]) -> Targets:
    vectors = SentenceTransformer(teacher, device="cpu").encode(texts)
    return Targets(texts, np.zeros(len(texts), dtype=bool), vectors)


def settings(**changes: object) -> StaticSettings:
    return StaticSettings.model_validate(changes)


def cosine(student: SentenceTransformer, targets: Targets) -> float:
    vectors = student.encode(list(targets.texts))
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return float((vectors * targets.vectors).sum(axis=1).mean())


@pytest.fixture
def tokenizer(tiny_bert: Path) -> Tokenizer:
    return Tokenizer.from_file(str(tiny_bert / "tokenizer.json"))


def test_a_whole_word_becomes_one_token_and_others_keep_their_ids(tokenizer: Tokenizer) -> None:
    longer = vocabulary.extend(tokenizer, ["glimmer", "river"])
    assert longer.encode("Glimmer, the river", add_special_tokens=False).tokens == ["glimmer", "[UNK]", "the", "river"]
    assert longer.encode("glimmers", add_special_tokens=False).tokens == ["glimmer", "##s"]
    assert longer.get_vocab_size() == tokenizer.get_vocab_size() + 1
    assert {word: longer.get_vocab()[word] for word in tokenizer.get_vocab()} == tokenizer.get_vocab()
    assert len(tokenizer.encode("glimmer", add_special_tokens=False).tokens) == 7


def test_words_are_counted_by_texts_and_ranked_by_count_then_spelling(tokenizer: Tokenizer) -> None:
    counts = vocabulary.count(tokenizer, ["Zebra zebra ant", "zebra 12 bee.", "ant bee c3", ""])
    assert counts == {"zebra": 2, "ant": 2, "bee": 2}
    assert vocabulary.most_frequent(counts, 2, 1) == ["ant", "bee"]
    assert vocabulary.most_frequent(counts, 9, 3) == []


@pytest.mark.parametrize("kind", ["BPE", "Unigram"])
def test_words_cannot_be_added_where_that_would_recut_others(kind: str) -> None:
    from tokenizers import models

    model = models.BPE({"a": 0}, []) if kind == "BPE" else models.Unigram([("a", 0.0)], unk_id=0)
    with pytest.raises(ModelReferenceError, match=kind):
        vocabulary.extend(Tokenizer(model), ["river"])
    assert vocabulary.extend(Tokenizer(model), []).get_vocab_size() == 1


def test_bags_are_the_means_that_a_static_embedding_takes(tokenizer: Tokenizer) -> None:
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    tokenizer.no_padding()
    table = np.random.default_rng(0).normal(size=(tokenizer.get_vocab_size(), 5)).astype(np.float32)
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=table)], device="cpu")
    texts = [*TEXTS[:5], "", "the the the river"]
    np.testing.assert_allclose(table_fit.bags(tokenizer, texts, len(table)) @ table, model.encode(texts), atol=1e-6)
    assert table_fit.bags(tokenizer, [], 9).shape == (0, 9)


@pytest.mark.parametrize("normalised", [True, False])
def test_the_fit_is_the_minimum_that_dense_algebra_finds(normalised: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy.sparse import csr_array

    monkeypatch.setattr(table_fit, "ITERATIONS", 500)
    monkeypatch.setattr(table_fit, "TOLERANCE", 1e-7)
    generator = np.random.default_rng(1)
    X = generator.random((30, 12)) * (generator.random((30, 12)) < 0.4)
    X[:, 5] = 0.0
    prior, Y = generator.normal(size=(12, 4)), generator.normal(size=(30, 4))
    lengths = np.linalg.norm(X @ prior, axis=1) if normalised else np.ones(30)
    lengths = np.maximum(lengths, lengths.mean() / 10)
    inverse = np.where(X.any(axis=1), 1 / lengths, 0)
    scale = 1 / inverse[inverse > 0].mean() if normalised else 1.0
    D, hold = X * inverse[:, None], 0.3 / scale**2
    expected = np.linalg.solve(D.T @ D + hold * np.eye(12), D.T @ Y + hold * prior)
    found = table_fit.least_squares(
        csr_array(X.astype(np.float32)), Y.astype(np.float32), prior.astype(np.float32), 0.3, normalised
    )
    np.testing.assert_allclose(found, expected, atol=1e-3)
    np.testing.assert_array_equal(found[5], prior[5].astype(np.float32))


def test_the_map_of_all_rows_is_a_regression_on_unit_vectors() -> None:
    from scipy.sparse import csr_array

    generator = np.random.default_rng(2)
    X, table = generator.random((40, 9)).astype(np.float32), generator.normal(size=(9, 3)).astype(np.float32)
    units = X @ table
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    wanted = generator.normal(size=(3, 5)).astype(np.float32)
    found = table_fit.shared_map(csr_array(X), table, units @ wanted, 1e-7, normalised=True)
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_the_fit_brings_texts_it_has_not_seen_nearer_to_the_teacher(tiny_encoder: str) -> None:
    known, held_out = targets_of(tiny_encoder, TEXTS[::2]), targets_of(tiny_encoder, TEXTS[1::2])
    plain = static.build(tiny_encoder, known, settings(fit=False), UNIT)
    fitted = static.build(tiny_encoder, known, settings(), UNIT)
    assert cosine(fitted, held_out) > cosine(plain, held_out) + 0.02
    assert cosine(fitted, known) > 0.95


def test_a_single_token_starts_at_the_teachers_vector_of_it(tiny_encoder: str) -> None:
    plain = static.build(tiny_encoder, targets_of(tiny_encoder, TEXTS), settings(fit=False), UNIT)
    rows = plain[0].tokenizer.get_vocab()
    table = plain[0].embedding.weight.detach().numpy()
    teacher = SentenceTransformer(tiny_encoder, device="cpu").encode(["river", "glimmering"])
    for word, vector in zip(("river", "glimmering"), teacher, strict=True):
        row = table[rows[word]]
        np.testing.assert_allclose(row / np.linalg.norm(row), vector, atol=1e-5)
    assert np.linalg.norm(table[rows["glimmering"]]) < np.linalg.norm(table[rows["river"]]) <= 1.0
    assert not table[[rows["[CLS]"], rows["[SEP]"], rows["[UNK]"], rows["[PAD]"]]].any()


def test_principal_directions_are_removed(tiny_encoder: str) -> None:
    targets = targets_of(tiny_encoder, TEXTS)
    changes = {"fit": False, "weighting": "uniform"}
    whole = static.build(tiny_encoder, targets, settings(**changes), UNIT)[0].embedding.weight
    less = static.build(tiny_encoder, targets, settings(principal=1, **changes), UNIT)[0].embedding.weight
    first = torch.linalg.svd(whole, full_matrices=False).Vh[0]
    torch.testing.assert_close(less, whole - torch.outer(whole @ first, first), atol=1e-4, rtol=0)
    with pytest.raises(ConfigError, match="at most 32"):
        static.build(tiny_encoder, targets, settings(principal=33), UNIT)


def test_the_saved_student_is_plain_and_gives_the_same_vectors(tiny_encoder: str, tmp_path: Path) -> None:
    student = static.build(tiny_encoder, targets_of(tiny_encoder, TEXTS), settings(min_count=1), UNIT)
    student.save(str(tmp_path / "s"), create_model_card=False)
    np.testing.assert_array_equal(SentenceTransformer(str(tmp_path / "s")).encode(QUERIES), student.encode(QUERIES))


def test_texts_are_cut_where_the_teacher_cuts_them_not_where_its_tokeniser_file_does(
    tiny_encoder: str, tiny_bert: Path, tmp_path: Path
) -> None:
    import shutil

    teacher = Path(shutil.copytree(tiny_encoder, tmp_path / "teacher"))
    specification = json.loads((teacher / "tokenizer.json").read_text())
    specification["truncation"] = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    (teacher / "tokenizer.json").write_text(json.dumps(specification))
    student = static.build(str(teacher), targets_of(tiny_encoder, TEXTS), settings(), UNIT)
    assert len(student[0].tokenizer.encode("the " * 10, add_special_tokens=False)) == 10
    assert len(student[0].tokenizer.encode("the " * 100, add_special_tokens=False)) == 64
    shorter = Space(32, True, "cosine", max_length=16)
    student = static.build(str(teacher), targets_of(tiny_encoder, TEXTS), settings(), shorter)
    assert len(student[0].tokenizer.encode("the " * 100, add_special_tokens=False)) == 16


def test_an_empty_text_is_a_finite_vector(tiny_encoder: str) -> None:
    student = static.build(tiny_encoder, targets_of(tiny_encoder, ["", *TEXTS]), settings(), UNIT)
    assert np.isfinite(student.encode(["", "река"])).all()


def test_the_same_texts_give_the_same_table(tiny_encoder: str) -> None:
    targets = targets_of(tiny_encoder, TEXTS)
    first, second = (static.build(tiny_encoder, targets, settings(), UNIT) for _ in range(2))
    torch.testing.assert_close(first[0].embedding.weight, second[0].embedding.weight, rtol=0, atol=0)


def test_a_vocabulary_of_twenty_thousand_words_loads_at_once(tokenizer: Tokenizer, tmp_path: Path) -> None:
    words = ["w" + "".join(chr(97 + (number // 26**place) % 26) for place in range(4)) for number in range(20_000)]
    vocabulary.extend(tokenizer, words).save(str(tmp_path / "tokenizer.json"))
    start = time.process_time()
    loaded = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert time.process_time() - start < 3
    assert loaded.encode(words[777], add_special_tokens=False).tokens == [words[777]]
