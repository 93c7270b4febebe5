"""Which texts are longer than a model takes: of these it reads only the beginning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rankdistill.inference.loading import max_length_of
from rankdistill.inference.tokens import tokenise

SHORTEST_TOKEN = 0.25
"""Characters of a text for each token, at least: what is shorter is not tokenised to be counted."""


def is_cut(model: Any, texts: Sequence[str], prompt: str = "") -> np.ndarray:
    """bool[n]: whether a text and its prompt have more tokens than `model` (a `SentenceTransformer`) takes.

    False throughout for a model without a maximum, or whose tokeniser is of no known library.
    """
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

    found = np.zeros(len(texts), dtype=bool)
    tokenizer, limit = model.tokenizer, max_length_of(model)
    if limit is None:
        return found
    if isinstance(tokenizer, Tokenizer):  # a static model's
        whole = Tokenizer.from_str(tokenizer.to_str())
        whole.no_truncation()
        whole.no_padding()
        tokens = whole.encode_batch([prompt + text for text in texts], add_special_tokens=False)
        return np.array([len(one) > limit for one in tokens], dtype=bool)
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        return found
    long = [row for row, text in enumerate(texts) if len(prompt) + len(text) > SHORTEST_TOKEN * limit]
    if long:
        prompted = [prompt + texts[row] for row in long]
        table = tokenise(tokenizer, prompted, 0)
        found[long] = table.lengths[table.rows(prompted)] + tokenizer.num_special_tokens_to_add() > limit
    return found
