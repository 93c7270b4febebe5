"""What waits in a queue: one text, or one pair, as its model reads it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Protocol

import numpy as np

from rankdistill.serving.contracts import Side, Token


class Row:
    """One text or pair.

    Args:
        content: what the tower's `run` takes.
        tokens: that the model reads, special ones included, after the cut.
        whole: tokens before the cut.
        group: rows of different groups are never in one batch.
    """

    __slots__ = ("content", "group", "tokens", "whole")

    def __init__(self, content: Any, tokens: int, whole: int, group: Hashable = None) -> None:
        self.content = content
        self.tokens = tokens
        self.whole = whole
        self.group = group

    @property
    def is_cut(self) -> bool:
        """Whether the model reads only the beginning."""
        return self.whole > self.tokens


Outputs = Sequence[Any] | np.ndarray


class Runner(Protocol):
    """Runs batches of rows, one at a time, in whatever thread calls it."""

    @property
    def token_budget(self) -> int:
        """Padded tokens of a batch that it is fastest with."""
        ...

    def run(self, rows: Sequence[Row]) -> Outputs:
        """One numpy array a row, in their order; or one array of them all."""
        ...

    def is_finite(self, output: Any) -> bool:
        """Whether all numbers of a row's output are finite."""
        ...


class Tower(Runner, Protocol):
    """Makes rows of texts, and runs them."""

    def max_length(self, side: Side) -> int | None:
        """Tokens of a text at most, special ones included; None where there is no maximum."""
        ...

    def rows(self, texts: Sequence[str], side: Side, prompt: str) -> list[Row]:
        """A row a text."""
        ...

    def tokenise(self, texts: Sequence[str], special: bool) -> list[list[Token]]:
        """The tokens of each text, whole."""
        ...
