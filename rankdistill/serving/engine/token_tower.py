"""A tower run from token ids: a dense encoder or a cross-encoder with an accelerated form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from rankdistill.inference.fast_model import FastModel, probe_columns
from rankdistill.inference.framing import UNLIMITED, Features
from rankdistill.serving.contracts import Side, Token
from rankdistill.serving.engine.rows import Row
from rankdistill.serving.engine.tokenising import Tokeniser, backend_of, whole_length


class TokenTower:
    """Rows are framed by the tokeniser, and padded when their batch is formed.

    Args:
        fast: runs batches.
        tokeniser: a copy of its own.
        dimensions: numbers of an output that are kept; None keeps all.
    """

    def __init__(self, fast: FastModel, tokeniser: Tokeniser, dimensions: int | None = None) -> None:
        self._fast = fast
        self._tokeniser = tokeniser
        self._dimensions = dimensions
        self._typed = "token_type_ids" in fast.framing.names
        pad = fast.framing.tokenizer.pad_token_id
        self._pad = 0 if pad is None else pad

    @classmethod
    def of(cls, fast: FastModel, texts: int, dimensions: int | None = None) -> Self | None:
        """The tower of `fast`, which takes rows of `texts` texts; None where its rows would not be the model's own."""
        backend = backend_of(fast.framing.tokenizer)
        if backend is None:
            return None
        limit = fast.framing.max_length
        tower = cls(fast, Tokeniser(backend, None if limit >= UNLIMITED else limit), dimensions)
        columns = probe_columns(texts)
        columns = [[*column, " ".join(column * min(limit, 200))] for column in columns]
        ours = tower.features(tower.rows(columns[0], "query", "") if texts == 1 else tower.rows_of_pairs(columns))
        theirs = fast.framing.apply(columns).batch(np.arange(len(columns[0])))
        same = ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)
        return tower if same else None

    @property
    def token_budget(self) -> int:
        """The back end's own."""
        return self._fast.backend.token_budget

    def max_length(self, side: Side) -> int | None:
        """Of both sides the same."""
        limit = self._fast.framing.max_length
        return None if limit >= UNLIMITED else limit

    def rows(self, texts: Sequence[str], side: Side, prompt: str) -> list[Row]:
        """A row a text, with the prompt before it."""
        return self._framed(self._tokeniser.encode([prompt + text for text in texts] if prompt else texts))

    def pair_rows(self, query: str, texts: Sequence[str]) -> list[Row]:
        """A row for the pair of `query` and each text."""
        return self._framed(self._tokeniser.encode_pairs(query, texts))

    def rows_of_pairs(self, columns: Sequence[Sequence[str]]) -> list[Row]:
        """A row for each pair of two columns."""
        return [self.pair_rows(first, [second])[0] for first, second in zip(*columns, strict=True)]

    def tokenise(self, texts: Sequence[str], special: bool) -> list[list[Token]]:
        """The tokens of each text, whole."""
        return self._tokeniser.tokens(texts, special)

    def features(self, rows: Sequence[Row]) -> Features:
        """The rows padded to the longest."""
        width = max(row.tokens for row in rows)
        ids = np.full((len(rows), width), self._pad, np.int64)
        mask, types = np.zeros_like(ids), np.zeros_like(ids)
        for line, row in enumerate(rows):
            own, own_types = row.content
            ids[line, : row.tokens] = own
            mask[line, : row.tokens] = 1
            if own_types is not None:
                types[line, : row.tokens] = own_types
        features = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        return {name: features[name] for name in self._fast.framing.names}

    def run(self, rows: Sequence[Row]) -> np.ndarray:
        """float32 `[rows, outputs]`."""
        return self._fast.run_features(self.features(rows))[:, : self._dimensions]

    def is_finite(self, output: Any) -> bool:
        """Whether a row's output is."""
        return bool(np.isfinite(output).all())

    def _framed(self, encodings: Sequence[Any]) -> list[Row]:
        found = []
        for encoding in encodings:
            ids = np.array(encoding.ids, np.int32)
            types = np.array(encoding.type_ids, np.int8) if self._typed and any(encoding.type_ids) else None
            found.append(Row((ids, types), len(ids), whole_length(encoding)))
        return found
