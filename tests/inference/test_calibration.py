"""Calibration texts: the same everywhere, of mixed lengths, without code."""

from __future__ import annotations

from rankdistill.inference.calibration import calibration_columns, calibration_hash


def test_rows_are_as_many_as_asked_and_always_the_same() -> None:
    for columns in (1, 2):
        found = calibration_columns(columns, 120)
        assert [len(column) for column in found] == [120] * columns
        assert found == calibration_columns(columns, 120)
    assert len(calibration_hash()) == 64


def test_short_and_long_texts_take_turns() -> None:
    words = [len(text.split()) for text in calibration_columns(1)[0]]
    assert max(words[::2]) <= 9
    assert set(words[1::2]) == {25, 45, 65, 90, 140}


def test_half_of_the_queries_begin_their_passage() -> None:
    queries, passages = calibration_columns(2)
    begins = [passage.startswith(query) for query, passage in zip(queries, passages, strict=True)]
    assert all(begins[1::2])
    assert not any(begins[::2])


def test_there_are_always_enough() -> None:
    assert len(calibration_columns(2, 5000)[1]) == 5000
