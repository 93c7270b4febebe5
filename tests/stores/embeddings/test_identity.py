"""Which texts count as the same."""

from __future__ import annotations

import pytest

from rankdistill.stores.embeddings.identity import alike_hash, text_id, vector_key


@pytest.mark.parametrize(
    "other",
    ["what is RAM", "What  is\tram?", '"what is ram."', "ｗｈａｔ is ram", "what-is-ram", "what_is ram\n"],
)
def test_case_punctuation_spaces_and_forms_do_not_count(other: str) -> None:
    assert alike_hash(other) == alike_hash("what is ram")


@pytest.mark.parametrize("other", ["what is rams", "is what ram", "what is", "whatisram", ""])
def test_words_and_their_order_count(other: str) -> None:
    assert alike_hash(other) != alike_hash("what is ram")


def test_letters_that_fold_to_several_are_the_same() -> None:
    assert alike_hash("STRASSE") == alike_hash("straße")
    assert alike_hash("ﬁne") == alike_hash("fine")


def test_texts_of_symbols_alone_are_told_apart() -> None:
    assert alike_hash("???") != alike_hash("!!!")


def test_a_text_is_another_as_query_and_as_document_and_its_vector_another_with_another_teacher() -> None:
    as_query, as_document = text_id("query", "a text"), text_id("document", "a text")
    assert as_query != as_document
    assert len(bytes.fromhex(as_query)) == 16
    keys = [vector_key(name, teacher) for name in (as_query, as_document) for teacher in ("a-1", "b-2")]
    assert len({*keys}) == 4
