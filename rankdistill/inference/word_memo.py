"""Token ids of texts by remembering those of words: where words are cut independently of each other, each is cut once.

That is so for BERT's tokenisers: a text is cut at spaces and around punctuation, then each word into pieces. What is
remembered here is only used on printable ASCII without added tokens, where those cuts need no knowledge of Unicode; any
other text goes through the tokeniser itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TokenIds = Callable[[Sequence[str]], list[list[int]]]
"""Texts -> their token ids, without special tokens."""

MOST_WORDS = 1 << 17
"""Words remembered; when there are more all are forgotten, so that those in use are soon there again."""

LONGEST_WORD = 40
"""Characters: longer ones are cut each time they are met. With `MOST_WORDS` it bounds the memory."""

MOST_ADDED = 64
"""Added tokens that texts are searched for; with more of them (phrases), nothing is remembered."""

_WORDS = re.compile(r"[A-Za-z0-9]+|[^A-Za-z0-9\s]")


class WordMemo:
    """Token ids of texts, word by word; see `open_tokeniser`.

    Args:
        tokenizer: one that `cuts_words_alone`.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._limit = (tokenizer.truncation or {}).get("max_length")
        added = [re.escape(token.content) for token in tokenizer.get_added_tokens_decoder().values()]
        self._has_added = re.compile("|".join(added) or r"(?!)", re.IGNORECASE).search
        self._known = _Words(tokenizer)

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text, as `tokenizer.encode_batch(texts, add_special_tokens=False)` has them."""
        found = [self._remembered(text) for text in texts]
        unusual = [row for row, ids in enumerate(found) if ids is None]
        if unusual:
            for row, ids in zip(unusual, _by_tokenizer(self._tokenizer, [texts[row] for row in unusual]), strict=True):
                found[row] = ids
        return [ids for ids in found if ids is not None]

    def _remembered(self, text: str) -> list[int] | None:
        if not (text.isascii() and text.isprintable()) or self._has_added(text):
            return None
        ids = list(chain.from_iterable(map(self._known.__getitem__, _WORDS.findall(text))))
        return ids if self._limit is None else ids[: self._limit]


class _Words(dict[str, list[int]]):
    """Word -> its token ids, cut at the first request."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        self._tokenizer = tokenizer

    def __missing__(self, word: str) -> list[int]:
        ids = self._tokenizer.encode(word, add_special_tokens=False).ids
        if len(word) <= LONGEST_WORD:
            if len(self) >= MOST_WORDS:
                self.clear()
            self[word] = ids
        return ids


def open_tokeniser(tokenizer: Tokenizer) -> TokenIds:
    """The fastest way to the same ids as `tokenizer.encode_batch(texts, add_special_tokens=False)`."""
    return WordMemo(tokenizer) if cuts_words_alone(tokenizer) else lambda texts: _by_tokenizer(tokenizer, texts)


def cuts_words_alone(tokenizer: Tokenizer) -> bool:
    """Whether `tokenizer` is of BERT's kind, with few added tokens, and cuts long texts at their end if at all."""
    specification = json.loads(tokenizer.to_str())
    kinds = [(specification[part] or {}).get("type") for part in ("normalizer", "pre_tokenizer", "model")]
    return (
        kinds == ["BertNormalizer", "BertPreTokenizer", "WordPiece"]
        and len(specification["added_tokens"]) <= MOST_ADDED
        and (tokenizer.truncation or {}).get("direction", "right") == "right"
        and tokenizer.padding is None
    )


def _by_tokenizer(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    return [found.ids for found in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]
