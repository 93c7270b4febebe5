"""Names of terms in Lucene."""

from __future__ import annotations

from pathlib import Path

from rankdistill.indexing.lucene.terms import lucene_terms, read_terms, write_terms


def test_a_token_that_lucene_would_cut_goes_by_its_number() -> None:
    vocabulary = ["the", "##ing", "New York", "", "é", "x" * 256, "▁the", "T"]
    expected = ["the", "##ing", "[2]", "[3]", "é", "[5]", "▁the", "T"]
    assert lucene_terms(vocabulary, len(vocabulary)) == expected


def test_no_two_terms_are_the_same() -> None:
    assert lucene_terms(["[1]", "a b"], 2) == ["[0]", "[1]"]
    assert lucene_terms(["same", "same"], 2) == ["[0]", "[1]"]


def test_without_a_vocabulary_terms_go_by_their_numbers() -> None:
    assert lucene_terms((), 3) == ["[0]", "[1]", "[2]"]


def test_they_come_back_from_disk(tmp_path: Path) -> None:
    write_terms(tmp_path, ["b", "a", "é"])
    assert read_terms(tmp_path) == ["b", "a", "é"]
