"""Queries of an inference-free sparse encoder: each token present counts with its fixed weight, and no model runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rankdistill.inference.prompts import prompt_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_PROBES = ["which river", "the deep river is slow and bright in the north, is it not?", ""]


@dataclass(frozen=True)
class TokenWeights:
    """A table of weights and the tokeniser that finds its rows.

    Args:
        tokenizer: of transformers.
        weights: float32[vocabulary].
        prompt: what stands before each query.
    """

    tokenizer: Any
    weights: NDArray[np.float32]
    prompt: str

    def encode(self, texts: Sequence[str], prompt: str | None = None) -> csr_array:
        """float32[n, vocabulary]: `weights[t]` for each token t in the text, however often it is there.

        `prompt` stands before each text; None takes `self.prompt`.
        """
        from scipy.sparse import csr_array

        found = self._tokens([(self.prompt if prompt is None else prompt) + text for text in texts])
        rows = [np.unique(np.asarray(ids, np.int32)) for ids in found]
        starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
        tokens = np.concatenate([np.empty(0, np.int32), *rows]).astype(np.int32)
        vectors = csr_array((self.weights[tokens], tokens, starts), shape=(len(rows), len(self.weights)))
        vectors.eliminate_zeros()
        return vectors

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        ids: list[list[int]] = self.tokenizer(texts, truncation=True, add_special_tokens=False)["input_ids"]
        return ids if texts else []


def open_token_weights(model: Any) -> TokenWeights | None:
    """The query side of a loaded `SparseEncoder` as a table, if it is one and gives the same numbers; else None."""
    from sentence_transformers.base.modules import Router
    from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding

    if len(model) != 1 or type(model[0]) is not Router or model.max_active_dims is not None:
        return None
    modules = model[0].sub_modules
    if "query" not in modules or len(modules["query"]) != 1 or type(modules["query"][0]) is not SparseStaticEmbedding:
        return None
    static = modules["query"][0]
    weights = static.weight.detach().float().cpu().numpy()
    found = TokenWeights(static.tokenizer, weights, prompt_of(model, "query"))
    expected = model.encode_query(_PROBES, convert_to_sparse_tensor=False, show_progress_bar=False).cpu().numpy()
    same = np.array_equal(found.encode(_PROBES).toarray(), expected)
    return found if same else None
