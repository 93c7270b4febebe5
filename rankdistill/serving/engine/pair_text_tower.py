"""A tower that is given pairs of texts: a cross-encoder that sentence-transformers itself runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rankdistill.serving.contracts import Side, Token
from rankdistill.serving.engine.rows import Outputs, Row
from rankdistill.serving.engine.text_tower import BUDGET, estimated
from rankdistill.serving.engine.tokenising import Tokeniser, backend_of


class PairTextTower:
    """Pairs are tokenised here to be counted, and again by the model.

    Args:
        score: pairs -> float32 `[pairs, 1]`.
        tokenizer: of the model.
        limit: tokens of a pair at most.
    """

    def __init__(self, score: Callable[[list[tuple[str, str]]], Outputs], tokenizer: Any, limit: int | None) -> None:
        self._score = score
        backend = backend_of(tokenizer)
        self._tokeniser = None if backend is None else Tokeniser(backend, None)
        self._limit = limit

    @property
    def token_budget(self) -> int:
        """That of torch."""
        return BUDGET

    def max_length(self, side: Side) -> int | None:
        """As the model declares."""
        return self._limit

    def pair_rows(self, query: str, texts: Sequence[str]) -> list[Row]:
        """A row for the pair of `query` and each text."""
        if self._tokeniser is None:
            counts = [estimated(query) + estimated(text) for text in texts]
            return [Row((query, text), count, count) for text, count in zip(texts, counts, strict=True)]
        counts = [len(found.ids) for found in self._tokeniser.encode_pairs(query, texts)]
        return [
            Row((query, text), count if self._limit is None else min(count, self._limit), count)
            for text, count in zip(texts, counts, strict=True)
        ]

    def tokenise(self, texts: Sequence[str], special: bool) -> list[list[Token]]:
        """The tokens of each text, whole."""
        return [[] for _ in texts] if self._tokeniser is None else self._tokeniser.tokens(texts, special)

    def run(self, rows: Sequence[Row]) -> Outputs:
        """float32 `[rows, 1]`."""
        return self._score([row.content for row in rows])

    def is_finite(self, output: Any) -> bool:
        """Whether a row's output is."""
        return bool(np.isfinite(output).all())
