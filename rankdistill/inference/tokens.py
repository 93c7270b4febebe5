"""Texts tokenised once each, kept as one flat array of token ids with offsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

CHUNK = 2048
"""Texts handed to the tokeniser at a time, so that its own bookkeeping stays small."""


@dataclass(frozen=True)
class TokenTable:
    """Token ids of unique texts, without special tokens.

    Args:
        ids: int32[total], all texts one after the other.
        offsets: int64[texts + 1]; text `i` is `ids[offsets[i]:offsets[i + 1]]`.
        lengths: int64[texts], tokens of each text before any were cut: which text of a pair is longer depends on it.
        row_of: text -> its number.
    """

    ids: np.ndarray
    offsets: np.ndarray
    lengths: np.ndarray
    row_of: dict[str, int]

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        """int64[n]: the row of each text."""
        return np.fromiter((self.row_of[text] for text in texts), dtype=np.int64, count=len(texts))

    def tokens(self, row: int, limit: int) -> np.ndarray:
        """The first `limit` token ids of text `row`."""
        start = self.offsets[row]
        return self.ids[start : min(start + limit, self.offsets[row + 1])]


def tokenise(tokenizer: Any, texts: Sequence[str], limit: int) -> TokenTable:
    """Tokenise each distinct text once, keeping at most `limit` tokens of it (what a model could read at most)."""
    unique = list(dict.fromkeys(texts))
    pieces: list[np.ndarray] = []
    lengths: list[int] = []
    for start in range(0, len(unique), CHUNK):
        encoded = tokenizer(
            unique[start : start + CHUNK],
            add_special_tokens=False,
            truncation=False,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )["input_ids"]
        for ids in encoded:
            pieces.append(np.array(ids[:limit], dtype=np.int32))
            lengths.append(len(ids))
    return TokenTable(
        ids=np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int32),
        offsets=np.cumsum([0, *(len(piece) for piece in pieces)], dtype=np.int64),
        lengths=np.array(lengths, dtype=np.int64),
        row_of={text: row for row, text in enumerate(unique)},
    )
