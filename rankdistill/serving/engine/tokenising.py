"""Texts to token ids by the Rust tokeniser alone: what a Hugging Face tokeniser adds around it takes longer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rankdistill.serving.contracts import Token

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

ALONE = 4
"""Texts up to which each is encoded by itself: beyond, several threads are worth their start."""


class Tokeniser:
    """A copy of a tokeniser that cuts at `max_length` tokens; the original's settings change with its use.

    Args:
        tokenizer: of the `tokenizers` library.
        max_length: tokens of a text or pair at most, special ones included; None cuts nothing.
    """

    def __init__(self, tokenizer: Tokenizer, max_length: int | None) -> None:
        from tokenizers import Tokenizer

        specification = tokenizer.to_str()
        self.whole = Tokenizer.from_str(specification)
        self.whole.no_truncation()
        self.whole.no_padding()
        self._cutting = self.whole
        if max_length is not None:
            self._cutting = Tokenizer.from_str(specification)
            self._cutting.no_padding()
            self._cutting.enable_truncation(max_length, strategy="longest_first")

    def encode(self, texts: Sequence[str]) -> list[Encoding]:
        """Each text with special tokens, cut."""
        if len(texts) <= ALONE:
            return [self._cutting.encode(text) for text in texts]
        return self._cutting.encode_batch_fast(list(texts))

    def encode_pairs(self, first: str, texts: Sequence[str]) -> list[Encoding]:
        """`first` with each text, as pairs with special tokens, cut: the longer of the two first."""
        if len(texts) <= ALONE:
            return [self._cutting.encode(first, text) for text in texts]
        return self._cutting.encode_batch_fast([(first, text) for text in texts])

    def tokens(self, texts: Sequence[str], special: bool) -> list[list[Token]]:
        """The tokens of each text, nothing cut; `special` ones too."""
        return [
            _tokens(text, found)
            for text, found in zip(texts, self.whole.encode_batch(list(texts), add_special_tokens=special), strict=True)
        ]

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text with special ones, nothing cut."""
        return [len(found.ids) for found in self.whole.encode_batch_fast(list(texts))]


def whole_length(found: Encoding) -> int:
    """Tokens of the text before it was cut, at most as many special ones included as were added."""
    if not found.overflowing:
        return len(found.ids)
    own = len(found.ids) - sum(found.special_tokens_mask)
    rest = sum(len(part.ids) - sum(part.special_tokens_mask) for part in found.overflowing)
    return own + rest + sum(found.special_tokens_mask)


def backend_of(tokenizer: Any) -> Tokenizer | None:
    """The Rust tokeniser of `tokenizer` (of transformers, or one itself); None where it has none."""
    from tokenizers import Tokenizer

    found = tokenizer if isinstance(tokenizer, Tokenizer) else getattr(tokenizer, "backend_tokenizer", None)
    return found if isinstance(found, Tokenizer) else None


def _tokens(text: str, found: Encoding) -> list[Token]:
    return [
        Token(
            number, token if special else text[start:stop], bool(special), *((None, None) if special else (start, stop))
        )
        for number, token, special, (start, stop) in zip(
            found.ids, found.tokens, found.special_tokens_mask, found.offsets, strict=True
        )
    ]
