"""A tower run from token ids: a dense encoder or a cross-encoder with an accelerated form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from rankdistill.inference.fast_model import FastModel, probe_columns
from rankdistill.inference.framing import UNLIMITED, Features, Framing
from rankdistill.inference.word_memo import TokenIds, WordMemo, cuts_words_alone
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
        self._words: _Words | None = None
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
        if not same:
            return None
        if texts == 1:
            tower._words = _Words.of(fast.framing, tower._tokeniser)
        return tower

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
        if prompt:
            texts = [prompt + text for text in texts]
        return self._framed(self._tokeniser.encode(texts)) if self._words is None else self._words.rows(texts)

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


class _Words:
    """Rows of single texts from the token ids of remembered words: several times as fast as the tokeniser.

    Args:
        token_ids: of texts, nothing cut.
        before: special token ids.
        after: special token ids.
        limit: tokens of a row at most.
    """

    def __init__(self, token_ids: TokenIds, before: list[int], after: list[int], limit: int) -> None:
        self._token_ids = token_ids
        self._before, self._after = before, after
        self._own = limit - len(before) - len(after)

    @classmethod
    def of(cls, framing: Framing, tokeniser: Tokeniser) -> Self | None:
        """That of `framing`; None where its tokeniser does not cut words alone, or where there are types of tokens."""
        template = framing.template
        if not cuts_words_alone(tokeniser.whole) or any(template.text_types) or any(map(np.any, template.part_types)):
            return None
        before, after = (part.tolist() for part in template.parts)
        return cls(WordMemo(tokeniser.whole), before, after, framing.max_length)

    def rows(self, texts: Sequence[str]) -> list[Row]:
        """A row a text."""
        found = []
        for own in self._token_ids(texts):
            ids = [*self._before, *own[: self._own], *self._after]
            found.append(Row((ids, None), len(ids), len(ids) if len(own) <= self._own else len(own) + self._special))
        return found

    @property
    def _special(self) -> int:
        return len(self._before) + len(self._after)
