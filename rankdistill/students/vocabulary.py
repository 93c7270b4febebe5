"""The vocabulary of a static student: the teacher's tokeniser, with the most frequent whole words added."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rankdistill.errors import ModelReferenceError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CONTINUATION = "##"
"""What WordPiece has before a piece that does not start a word."""


def is_word_piece(tokenizer: Tokenizer) -> bool:
    """Whether `tokenizer` takes the longest known piece from the left, so that a new word changes few others."""
    return type(tokenizer.model).__name__ == "WordPiece" and tokenizer.pre_tokenizer is not None


def count(tokenizer: Tokenizer, texts: Iterable[str]) -> Counter[str]:
    """In how many texts each word is found, as `tokenizer` normalises and splits them; only words of letters count."""
    words: Counter[str] = Counter()
    for text in texts:
        if tokenizer.normalizer is not None:
            text = tokenizer.normalizer.normalize_str(text)
        words.update({word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text) if word.isalpha()})
    return words


def most_frequent(counts: Counter[str], limit: int, min_count: int) -> list[str]:
    """At most `limit` keys counted at least `min_count` times, the most frequent first, then by spelling."""
    kept = [(-number, key) for key, number in counts.items() if number >= min_count]
    return [key for _, key in sorted(kept)[:limit]]


def extend(tokenizer: Tokenizer, words: Sequence[str]) -> Tokenizer:
    """A copy of `tokenizer` that knows `words`, with new ids after the old ones; no padding.

    Raises:
        ModelReferenceError: words are to be added to a tokeniser that is not WordPiece.
    """
    from tokenizers import Tokenizer

    if words and not is_word_piece(tokenizer):
        raise ModelReferenceError(
            expected="a WordPiece tokeniser, to which whole words can be added",
            got=f"a {type(tokenizer.model).__name__} tokeniser",
            consequence="a new word would change how other words are cut, so no student was made",
            remedy="set the static student's `words` to 0, or take a teacher with a WordPiece tokeniser",
        )
    specification = json.loads(tokenizer.to_str())
    known = specification["model"]["vocab"]
    if words:
        free = tokenizer.get_vocab_size(with_added_tokens=True)
        new = [word for word in dict.fromkeys(words) if word not in known]
        known.update({word: free + number for number, word in enumerate(new)})
    extended = Tokenizer.from_str(json.dumps(specification))
    extended.no_padding()
    return extended
