"""A tower that is a table: token ids, rows, their mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rankdistill.inference.static_model import StaticModel
from rankdistill.inference.word_memo import open_tokeniser
from rankdistill.serving.contracts import Side, Token
from rankdistill.serving.engine.rows import Row
from rankdistill.serving.engine.tokenising import Tokeniser

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BUDGET = 1 << 17
"""Tokens of a batch: nothing is padded."""


class StaticTower:
    """Its tokeniser is a copy that cuts nothing, so that it is known what was cut.

    Args:
        static: the table.
        tokenizer: of the model.
        dimensions: numbers of a vector that are kept; None keeps all.
    """

    def __init__(self, static: StaticModel, tokenizer: Tokenizer, dimensions: int | None = None) -> None:
        from tokenizers import Tokenizer

        self._limit = None if tokenizer.truncation is None else int(tokenizer.truncation["max_length"])
        self._from_left = tokenizer.truncation is not None and tokenizer.truncation["direction"] == "left"
        whole = Tokenizer.from_str(tokenizer.to_str())
        whole.no_truncation()
        whole.no_padding()
        self._token_ids = open_tokeniser(whole)
        self._tokeniser = Tokeniser(tokenizer, None)
        self._static = static
        self._dimensions = dimensions

    @property
    def token_budget(self) -> int:
        """Large: the work is a sum of rows."""
        return BUDGET

    def max_length(self, side: Side) -> int | None:
        """What the tokeniser leaves of a text."""
        return self._limit

    def rows(self, texts: Sequence[str], side: Side, prompt: str) -> list[Row]:
        """A row a text, with the prompt before it."""
        found = []
        for ids in self._token_ids([prompt + text for text in texts] if prompt else texts):
            whole = len(ids)
            if self._limit is not None and whole > self._limit:
                ids = ids[-self._limit :] if self._from_left else ids[: self._limit]
            found.append(Row(ids, len(ids), whole))
        return found

    def tokenise(self, texts: Sequence[str], special: bool) -> list[list[Token]]:
        """The tokens of each text, whole; special ones are never read."""
        return self._tokeniser.tokens(texts, special=False)

    def run(self, rows: Sequence[Row]) -> np.ndarray:
        """float32 `[rows, dimension]`."""
        return self._static.embed([row.content for row in rows])[:, : self._dimensions]

    def is_finite(self, output: Any) -> bool:
        """Whether a row's output is."""
        return bool(np.isfinite(output).all())
