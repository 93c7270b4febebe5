"""Model inputs composed from token tables: framed by a template, truncated, padded to the longest row of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rankdistill.inference.template import Template, truncate_longest_first
from rankdistill.inference.tokens import TokenTable, tokenise

Features = dict[str, np.ndarray]
"""`input_ids`, `attention_mask` and, for models that take them, `token_type_ids`: int64[rows, longest]."""

UNLIMITED = 1 << 20
"""Stands for a tokeniser without a maximum length."""


@dataclass(frozen=True)
class Framing:
    """What a tokeniser does to a text or a pair, as data.

    Args:
        tokenizer: the Hugging Face tokeniser.
        template: the special tokens.
        max_length: tokens of a row at most, special tokens included.
        names: the input names that the model takes.
    """

    tokenizer: Any
    template: Template
    max_length: int
    names: tuple[str, ...]

    def apply(self, columns: Sequence[Sequence[str]]) -> FramedInputs:
        """Tokenise the columns (one: texts; two: pairs) and work out every row's length."""
        budget = self.max_length - self.template.special
        tables = [tokenise(self.tokenizer, column, budget) for column in columns]
        rows = [table.rows(column) for table, column in zip(tables, columns, strict=True)]
        lengths = [table.lengths[row] for table, row in zip(tables, rows, strict=True)]
        if len(columns) == 2:
            kept = list(truncate_longest_first(lengths[0], lengths[1], budget))
        else:
            kept = [np.minimum(lengths[0], budget)]
        return FramedInputs(self, tables, rows, kept)


@dataclass(frozen=True)
class FramedInputs:
    """Rows ready to be padded into batches.

    Args:
        framing: how they are framed.
        tables: the token table of each column.
        rows: for each column, int64[n] row numbers in its table.
        kept: for each column, int64[n] tokens kept after truncation.
    """

    framing: Framing
    tables: list[TokenTable]
    rows: list[np.ndarray]
    kept: list[np.ndarray]

    @property
    def lengths(self) -> np.ndarray:
        """int64[n]: tokens of each row, special tokens included."""
        return np.sum(self.kept, axis=0) + self.framing.template.special

    def batch(self, selected: np.ndarray) -> Features:
        """The features of the rows `selected` (int64[rows]), padded to the longest of them."""
        width = int(self.lengths_of(selected).max())
        pad = self.framing.tokenizer.pad_token_id
        ids = np.full((len(selected), width), 0 if pad is None else pad, dtype=np.int64)
        mask, types = np.zeros_like(ids), np.zeros_like(ids)
        template = self.framing.template
        for line, row in enumerate(selected):
            at = 0
            for column, (part, part_type) in enumerate(zip(template.parts, template.part_types, strict=True)):
                ids[line, at : at + len(part)], types[line, at : at + len(part)] = part, part_type
                at += len(part)
                if column < len(self.tables):
                    tokens = self.tables[column].tokens(self.rows[column][row], int(self.kept[column][row]))
                    ids[line, at : at + len(tokens)] = tokens
                    types[line, at : at + len(tokens)] = template.text_types[column]
                    at += len(tokens)
            mask[line, :at] = 1
        features = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        return {name: features[name] for name in self.framing.names}

    def lengths_of(self, selected: np.ndarray) -> np.ndarray:
        """int64[rows]: tokens of the rows `selected`."""
        return np.sum([kept[selected] for kept in self.kept], axis=0) + self.framing.template.special
