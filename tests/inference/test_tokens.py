"""Each distinct text goes through the tokeniser once."""

from __future__ import annotations

import numpy as np

from rankdistill.inference.tokens import tokenise


class Counting:
    """A tokeniser of letters that counts what it is given."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, texts, **options):
        self.seen += texts
        return {"input_ids": [[ord(letter) for letter in text] for text in texts]}


def test_repeated_texts_are_tokenised_once_and_cut_to_the_limit() -> None:
    tokenizer = Counting()
    table = tokenise(tokenizer, ["abc", "d", "abc", "", "d"], limit=2)
    assert tokenizer.seen == ["abc", "d", ""]
    np.testing.assert_array_equal(table.rows(["d", "abc", "d"]), [1, 0, 1])
    np.testing.assert_array_equal(table.lengths, [3, 1, 0])
    np.testing.assert_array_equal(table.tokens(0, 5), [97, 98])
    np.testing.assert_array_equal(table.tokens(0, 1), [97])
    assert table.ids.dtype == np.int32
