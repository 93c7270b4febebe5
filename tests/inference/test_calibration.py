"""Calibration texts: the stand-in is the same everywhere, of mixed lengths; pairs become rows."""

from __future__ import annotations

from rankdistill.inference.calibration import SAMPLES, documentation_pairs, hash_of, rows_of


def test_the_stand_in_has_mixed_lengths_and_relevant_and_other_pairs() -> None:
    pairs = documentation_pairs()
    assert len(pairs) == SAMPLES
    assert {len(passage.split()) for _, passage in pairs} == {25, 45, 65, 90, 140}
    begins = [passage.startswith(query) for query, passage in pairs]
    assert all(begins[1::2])
    assert not any(begins[::2])


def test_pairs_become_rows_of_pairs_or_of_texts() -> None:
    pairs = [(f"query {row}", f"document {row}") for row in range(SAMPLES + 5)]
    queries, documents = rows_of(pairs, 2)
    assert (len(queries), queries[3], documents[3]) == (SAMPLES, "query 3", "document 3")
    (texts,) = rows_of(pairs, 1)
    assert (len(texts), texts[:3]) == (SAMPLES, ["query 0", "document 1", "query 2"])


def test_the_hash_tells_pairs_apart() -> None:
    assert hash_of([("a", "b")]) == hash_of((["a", "b"],))
    assert hash_of([("a", "b")]) != hash_of([("a", "c")])
