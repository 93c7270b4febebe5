"""Which texts are longer than a model takes: of these it reads only the beginning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rankdistill.inference.tokens import tokenise

SHORTEST_TOKEN = 0.25
"""Characters of a text for each token, at least: what is shorter is not tokenised to be counted."""


def is_cut(model: Any, texts: Sequence[str], prompt: str = "") -> np.ndarray:
    """bool[n]: whether a text and its prompt have more tokens than `model` (a `SentenceTransformer`) takes.

    False throughout for a model without a maximum, or whose tokeniser is none of transformers' (static models).
    """
    from transformers import PreTrainedTokenizerBase

    found = np.zeros(len(texts), dtype=bool)
    tokenizer, limit = model.tokenizer, model.max_seq_length
    if limit is None or not isinstance(tokenizer, PreTrainedTokenizerBase):
        return found
    long = [row for row, text in enumerate(texts) if len(prompt) + len(text) > SHORTEST_TOKEN * limit]
    if long:
        whole = [prompt + texts[row] for row in long]
        table = tokenise(tokenizer, whole, 0)
        found[long] = table.lengths[table.rows(whole)] + tokenizer.num_special_tokens_to_add() > limit
    return found
