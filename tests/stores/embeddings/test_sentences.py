"""Sentences of running text."""

from __future__ import annotations

import pytest

from rankdistill.stores.embeddings.sentences import sentences


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The river is deep. The bridge is long! Is it far away?", 3),
        ("We follow Smith et al. The method is shown in Fig. Two below.", 1),
        ("Mr. Miller met J. S. Bach in the year 1720.", 1),
        ("It costs 3.5 dollars a day. nobody pays that much.", 1),
        ('He said "stop the car now." Then he left the house.', 2),
        ("one heading without an end mark\n\nthen a paragraph that follows it", 2),
        ("No. Yes. Short.", 0),
        ("", 0),
        ("河は深くて静かです。橋はとても長いです。", 2),
    ],
)
def test_the_number_of_sentences(text: str, found: int) -> None:
    assert len(list(sentences(text))) == found, list(sentences(text))


def test_sentences_are_whole_and_stripped() -> None:
    text = "  The river   is deep.\nThe bridge is\nvery long (and old).  "
    assert list(sentences(text)) == ["The river is deep.", "The bridge is very long (and old)."]
