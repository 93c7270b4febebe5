"""Rankings read from a model's words, windows over lists, and ranks as scores."""

from __future__ import annotations

import random

import numpy as np
import pytest

from rankdistill.teachers.permutations import Answer, permutation_to_scores, read_answer, usable, windows
from rankdistill.teachers.replies import Reply


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[2] > [1] > [3]", Answer([1, 0, 2])),
        ("[2]>[1]>[3]", Answer([1, 0, 2])),
        ("2 > 1 > 3", Answer([1, 0, 2])),
        ("2, 1, 3", Answer([1, 0, 2])),
        ("Of these 3 passages: [ 3 ] > [2] > [1]. Done in 1 go.", Answer([2, 1, 0])),
        ("[2] > [3]", Answer([1, 2, 0], missing=1)),
        ("[3]", Answer([2, 0, 1], missing=2)),
        ("[2] > [2] > [1] > [3] > [1]", Answer([1, 0, 2], repeated=2)),
        ("[4] > [2] > [0] > [1] > [3]", Answer([1, 0, 2], foreign=2)),
        ("[99999999999999999999] > [2]", Answer([1, 0, 2], missing=2, foreign=1)),
        ("", Answer([0, 1, 2], missing=3)),
        ("I cannot do this.", Answer([0, 1, 2], missing=3)),
        ("<think>[3] > [2] > [1] seems bad</think>[2] > [1] > [3]", Answer([1, 0, 2])),
        ("<think>[3] > [2] and it never ended", Answer([0, 1, 2], missing=3)),
    ],
)
def test_what_a_model_writes_is_read_and_repaired(text: str, expected: Answer) -> None:
    answer = read_answer(text, 3)
    assert answer == expected
    assert answer.is_malformed == (expected != Answer(expected.order))


@pytest.mark.parametrize("number", ["9" * 5000, "1234567890", "0"])
def test_a_number_of_no_passage_is_foreign_however_long(number: str) -> None:
    assert read_answer(f"[{number}] > [2] > [1]", 2) == Answer([1, 0], foreign=1)


def test_digits_of_other_alphabets_are_no_numbers() -> None:
    assert read_answer("[\uff12] > [1]", 2) == Answer([0, 1], missing=1)


def test_any_words_give_a_permutation() -> None:
    generator = random.Random(5)
    for _ in range(300):
        text = "".join(generator.choices(["[", "]", ">", " ", "1", "2", "13", "[3]", "[20]", "<think>"], k=25))
        assert sorted(read_answer(text, 15).order) == list(range(15))


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, [(0, 1)]),
        (20, [(0, 20)]),
        (25, [(5, 25), (0, 15)]),
        (100, [(start, start + 20) for start in range(80, -1, -10)]),
        (95, [*((start, start + 20) for start in range(75, 4, -10)), (0, 15)]),
    ],
)
def test_windows_go_from_the_back_to_the_very_front(count: int, expected: list[tuple[int, int]]) -> None:
    assert list(windows(count, 20, 10)) == expected


def test_ranks_become_scores_in_the_order_of_the_items() -> None:
    np.testing.assert_array_equal(permutation_to_scores([2, 0, 1]), np.array([-1, -2, 0], dtype=np.float32))
    assert permutation_to_scores([]).shape == (0,)


def test_what_a_template_let_the_model_think_first_is_no_ranking() -> None:
    """Chat templates of reasoning models end in <think>, so that a reply has the closing tag alone."""
    assert read_answer("Okay, [3], then [2]; [1] is best.\n</think>\n\n[1] > [2] > [3]", 3) == Answer([0, 1, 2])
    assert read_answer("<thinking>[3] > [2]</thinking>[2] > [1] > [3]", 3) == Answer([1, 0, 2])


def test_of_a_reply_that_was_cut_a_list_alone_counts() -> None:
    assert read_answer(Reply.of("Okay, [3] and [2] seem", True), 3) == Answer([0, 1, 2], missing=3)
    assert read_answer(Reply.of("[3] > [2] > [", True), 3) == Answer([2, 1, 0], missing=1)
    assert read_answer("Okay: [3] > [2] > [1]", 3) == Answer([2, 1, 0])


def test_what_is_kept_of_a_reply_gives_the_same_ranking() -> None:
    """Kept replies are plain texts, that do not say whether they were cut."""
    for text in ("Okay, [3] and [2] seem", "[3] > [2] > [", "<think>[3]</think>[2] > [1]"):
        for is_cut in (True, False):
            reply = Reply.of(text, is_cut)
            assert read_answer(str.__str__(usable(reply)), 3) == read_answer(reply, 3)


def test_long_replies_are_read_in_a_time_that_grows_with_their_length() -> None:
    for text in ("<think>" * 20_000, "x" * 400_000, "</think>" * 20_000 + "[2] > [1]"):
        assert sorted(read_answer(text, 2).order) == [0, 1]
