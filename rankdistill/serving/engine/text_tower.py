"""A tower that is given texts: a model that sentence-transformers itself runs, and tokenises again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rankdistill.serving.contracts import Side, Token
from rankdistill.serving.engine.rows import Outputs, Row
from rankdistill.serving.engine.tokenising import Tokeniser, backend_of

BUDGET = 1536
"""Padded tokens of a batch, as of the torch back end."""

CHARACTERS_OF_TOKEN = 4
"""Where a tokeniser is of no known library, tokens are estimated, and nothing is known to be cut."""


class _Text(NamedTuple):
    text: str
    side: Side
    prompt: str


class TextTower:
    """Only texts of one side and one prompt are in a batch.

    Args:
        encode: `(texts, side, prompt)` -> one array a text.
        tokenizer: of the model.
        lengths: side -> tokens at most.
        weights_of: of an output, the numbers that must be finite.
    """

    def __init__(
        self,
        encode: Callable[[list[str], Side, str], Outputs],
        tokenizer: Any,
        lengths: Mapping[Side, int | None],
        weights_of: Callable[[Any], Any] = lambda output: output,
    ) -> None:
        self._encode = encode
        backend = backend_of(tokenizer)
        self._tokeniser = None if backend is None else Tokeniser(backend, None)
        self._lengths = lengths
        self._weights_of = weights_of

    @property
    def token_budget(self) -> int:
        """That of torch."""
        return BUDGET

    def max_length(self, side: Side) -> int | None:
        """As the model declares."""
        return self._lengths[side]

    def rows(self, texts: Sequence[str], side: Side, prompt: str) -> list[Row]:
        """A row a text."""
        return self._made(texts, side, prompt, [prompt + text for text in texts] if prompt else texts)

    def tokenise(self, texts: Sequence[str], special: bool) -> list[list[Token]]:
        """The tokens of each text, whole."""
        return [[] for _ in texts] if self._tokeniser is None else self._tokeniser.tokens(texts, special)

    def run(self, rows: Sequence[Row]) -> Outputs:
        """What the model gives for the texts."""
        _, side, prompt = rows[0].content
        return self._encode([row.content.text for row in rows], side, prompt)

    def is_finite(self, output: Any) -> bool:
        """Whether a row's output is."""
        return bool(np.isfinite(self._weights_of(output)).all())

    def _made(self, texts: Sequence[str], side: Side, prompt: str, whole_texts: Sequence[str]) -> list[Row]:
        if self._tokeniser is None:
            estimates = [estimated(text) for text in whole_texts]
            return [
                Row(_Text(text, side, prompt), n, n, (side, prompt)) for text, n in zip(texts, estimates, strict=True)
            ]
        limit = self._lengths[side]
        return [
            Row(_Text(text, side, prompt), count if limit is None else min(count, limit), count, (side, prompt))
            for text, count in zip(texts, self._tokeniser.count(whole_texts), strict=True)
        ]


def estimated(text: str) -> int:
    """Tokens of a text, roughly."""
    return 1 + len(text) // CHARACTERS_OF_TOKEN
