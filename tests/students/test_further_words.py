"""Words that come into a static student's table after its fit: rare ones of the texts, and those of a list."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, models

from rankdistill.errors import DataError, ModelReferenceError
from rankdistill.students import further_words, static, word_list
from rankdistill.students.settings import StaticSettings, StudentSettings
from tests.students.test_static import TEXTS, UNIT, settings, targets_of

NEW = ("telescope", "violins", "quartz")


@pytest.fixture
def listed(tmp_path: Path) -> str:
    path = tmp_path / "words.txt"
    path.write_text("Telescope\n\n  violins \nquartz\nriver\n42\n")
    return str(path)


@pytest.fixture
def tokenizer(tiny_bert: Path) -> Tokenizer:
    return Tokenizer.from_file(str(tiny_bert / "tokenizer.json"))


def test_rare_words_come_by_frequency_then_those_of_the_list(tokenizer: Tokenizer, listed: str) -> None:
    texts = ["zebra crossing", "a zebra, 12 bee.", "river", "y" * 101]
    chosen = further_words.choose(tokenizer, texts, settings(rare_words=2, word_list=listed))
    assert chosen == ["zebra", "bee", *NEW]
    assert further_words.choose(tokenizer, texts, settings(word_list=listed)) == [*NEW]
    assert further_words.choose(tokenizer, texts, settings()) == []


def test_a_row_is_the_mapped_vector_at_the_length_that_is_asked_for() -> None:
    generator = np.random.default_rng(3)
    vectors, mapping = generator.normal(size=(4, 5)).astype(np.float32), generator.normal(size=(5, 5))
    vectors[2] = 0
    rarer = np.array([[3.0, 4, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 6, 0, 8, 0]])
    found = further_words.rows(vectors, mapping, rarer, 2.0)
    for row, vector in zip(found, vectors @ mapping, strict=True):
        np.testing.assert_allclose(row, vector / max(np.linalg.norm(vector), 1e-9) * 2.0 * 5.0, rtol=1e-5)
    assert further_words.rows(vectors, None, rarer[:0], 1.0).dtype == np.float32


def test_the_fitted_rows_stay_and_a_listed_word_has_a_row_of_its_own(
    tiny_encoder: str, listed: str, tmp_path: Path
) -> None:
    targets = targets_of(tiny_encoder, TEXTS)
    before = static.build(tiny_encoder, targets, settings(), UNIT)
    after = static.build(tiny_encoder, targets, settings(word_list=listed, rare_weight=1.0), UNIT)
    whole = before[0].embedding.weight.detach().numpy()
    table = after[0].embedding.weight.detach().numpy()
    np.testing.assert_array_equal(table[: len(whole)], whole)
    assert len(table) == len(whole) + len(NEW)
    after.save(str(tmp_path / "s"), create_model_card=False)
    plain = SentenceTransformer(str(tmp_path / "s"))
    assert plain[0].tokenizer.encode("A telescope!", add_special_tokens=False).tokens[1] == "telescope"
    np.testing.assert_array_equal(plain.encode(["quartz violins"]), after.encode(["quartz violins"]))
    lengths = np.linalg.norm(table[len(whole) :], axis=1)
    np.testing.assert_allclose(lengths, lengths[0], rtol=1e-5)


def test_shorter_rows_hold_further_words_too(tiny_encoder: str, listed: str) -> None:
    targets = targets_of(tiny_encoder, TEXTS)
    student = static.build(tiny_encoder, targets, settings(word_list=listed, dimension=16), UNIT)
    assert student.encode(["telescope"]).any()


def test_a_list_is_read_by_words_and_known_by_its_content(listed: str, tmp_path: Path) -> None:
    assert word_list.read(Path(listed)) == ["Telescope", "violins", "quartz", "river", "42"]
    (tmp_path / "copy.txt").write_bytes(Path(listed).read_bytes())
    assert word_list.identity(Path(listed)) == word_list.identity(tmp_path / "copy.txt")
    for content, got in ((b"one\ntwo words\n", "two words"), (b"one\n\xff\xfe\xfa\n", "utf-8")):
        (tmp_path / "bad.txt").write_bytes(content)
        with pytest.raises(DataError, match=got):
            word_list.read(tmp_path / "bad.txt")
    with pytest.raises(DataError, match=r"absent\.txt"):
        word_list.read(tmp_path / "absent.txt")


def test_what_is_not_asked_for_is_no_part_of_a_students_identity(listed: str, tmp_path: Path) -> None:
    def decisive(**given: object) -> dict[str, object]:
        found: dict[str, object] = StudentSettings.model_validate({"static": given}).decisive()["static"]
        return found

    assert not {"rare_words", "word_list", "rare_weight"} & decisive(rare_weight=2).keys()
    assert decisive(rare_words=5)["rare_weight"] == 1.5
    first = decisive(word_list=listed)
    (tmp_path / "copy.txt").write_bytes(Path(listed).read_bytes())
    assert decisive(word_list=str(tmp_path / "copy.txt")) == first
    Path(listed).write_text("other\n")
    assert decisive(word_list=listed) != first


def test_words_beyond_a_size_that_is_asked_for_are_refused(listed: str) -> None:
    for given in ({"vocabulary": 500}, {"max_mb": 20}):
        with pytest.raises(ValidationError, match="one or the other"):
            StudentSettings.model_validate(given | {"static": {"word_list": listed}})


def test_other_tokenisers_get_no_further_words() -> None:
    asked = StaticSettings(rare_words=3)
    with pytest.raises(ModelReferenceError, match="BPE"):
        further_words.choose(Tokenizer(models.BPE({"a": 0}, [])), ["a"], asked)
