"""The vocabulary of a static student: the teacher's tokeniser, with frequent whole words and pairs of words added.

A pair becomes an added token of the tokeniser: it is found in the normalised text, between word boundaries, before the
text is cut into words.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from rankdistill.errors import ModelReferenceError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CONTINUATION = "##"
"""What WordPiece has before a piece that does not start a word."""


@dataclass(frozen=True)
class Counts:
    """In how many texts each word, and each pair of words next to each other, is found."""

    words: Counter[str]
    pairs: Counter[str]


def is_word_piece(tokenizer: Tokenizer) -> bool:
    """Whether `tokenizer` takes the longest known piece from the left, so that a new word changes few others."""
    return type(tokenizer.model).__name__ == "WordPiece"


def count(tokenizer: Tokenizer, texts: Iterable[str], with_pairs: bool) -> Counts:
    """Count words as `tokenizer` normalises and splits them; only words and pairs of letters are counted.

    Pairs are of words with one space between them.
    """
    words: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    for text in texts:
        pieces = _split(tokenizer, text)
        words.update({word for word, _ in pieces if word.isalpha()})
        if with_pairs:
            pairs.update(
                {
                    f"{first} {second}"
                    for (first, (_, end)), (second, (start, _)) in pairwise(pieces)
                    if start == end + 1 and first.isalpha() and second.isalpha()
                }
            )
    return Counts(words, pairs)


def _split(tokenizer: Tokenizer, text: str) -> list[tuple[str, tuple[int, int]]]:
    if tokenizer.normalizer is not None:
        text = tokenizer.normalizer.normalize_str(text)
    return tokenizer.pre_tokenizer.pre_tokenize_str(text)


def most_frequent(counts: Counter[str], limit: int, min_count: int) -> list[str]:
    """At most `limit` keys counted at least `min_count` times, the most frequent first, then by spelling."""
    kept = [(-number, key) for key, number in counts.items() if number >= min_count]
    return [key for _, key in sorted(kept)[:limit]]


def extend(tokenizer: Tokenizer, words: Sequence[str], pairs: Sequence[str]) -> Tokenizer:
    """A copy of `tokenizer` that knows `words` and `pairs`, with new ids after the old ones; no padding.

    Raises:
        ModelReferenceError: words are to be added to a tokeniser that is not WordPiece.
    """
    from tokenizers import AddedToken, Tokenizer

    specification = json.loads(tokenizer.to_str())
    if words:
        if not is_word_piece(tokenizer):
            raise ModelReferenceError(
                expected="a WordPiece tokeniser, to which whole words can be added",
                got=f"a {type(tokenizer.model).__name__} tokeniser",
                consequence="a new word would change how other words are cut, so no student was made",
                remedy="set the static student's `words` to 0, or take a teacher with a WordPiece tokeniser",
            )
        vocabulary = specification["model"]["vocab"]
        free = tokenizer.get_vocab_size(with_added_tokens=True)
        new = [word for word in dict.fromkeys(words) if word not in vocabulary]
        vocabulary.update({word: free + number for number, word in enumerate(new)})
    extended = Tokenizer.from_str(json.dumps(specification))
    extended.add_tokens([AddedToken(pair, single_word=True, normalized=True) for pair in pairs])
    extended.no_padding()
    return extended
