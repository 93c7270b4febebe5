"""A static model run without torch: token ids, rows of a table, their mean. A query takes microseconds.

sentence-transformers spends some hundred times as long on a single query as the arithmetic does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from rankdistill.inference.backends import choose
from rankdistill.inference.word_memo import TokenIds, open_tokeniser
from rankdistill.progress import Progress

NAME = "static"
FEW = 8
"""Texts up to which rows are added text by text; beyond, one sparse product is faster. Both add in the same order."""

SLAB = 16384
"""Texts at a time: bounds the memory that their token ids take."""

_SHORTEST = np.float32(1e-12)
"""What torch's `normalize` divides by at least."""


@dataclass(frozen=True)
class StaticModel:
    """The mean of a table's rows, perhaps through a linear layer, brought to unit length or not.

    Args:
        token_ids: of texts.
        table: float32 `[tokens, dimension]`, or `[tokens, shorter]` with a layer.
        normalise: whether vectors are brought to unit length.
        layer: float32 `[shorter, dimension]`, what the mean is multiplied by.
        bias: float32 `[dimension]`, what is added then.
    """

    token_ids: TokenIds
    table: np.ndarray
    normalise: bool
    layer: np.ndarray | None = None
    bias: np.ndarray | None = None
    backend_name: str = NAME

    def run(self, columns: Sequence[Sequence[str]], progress: Progress | None = None) -> np.ndarray:
        """float32 `[n, dimension]` for the texts of the only column, in their order; zeros where there is no token."""
        (texts,) = columns
        slabs = []
        for start in range(0, len(texts), SLAB):
            ids = self.token_ids(texts[start : start + SLAB])
            slabs.append(self.embed(ids))
            if progress is not None:
                progress(len(ids))
        return slabs[0] if len(slabs) == 1 else np.concatenate(slabs)

    def embed(self, ids: Sequence[list[int]]) -> np.ndarray:
        """float32 `[n, dimension]` for the token ids of n texts."""
        sums = self._few_sums(ids) if len(ids) <= FEW else self._sums(ids)
        sums /= np.array([[len(row) or 1] for row in ids], np.float32)
        if self.layer is not None:
            sums = np.matmul(sums[:, None], self.layer)[:, 0]  # one by one: the same bytes in any batch
            if self.bias is not None:
                sums += self.bias
        if self.normalise:
            sums /= np.maximum(np.sqrt(np.vecdot(sums, sums)), _SHORTEST)[:, None]
        return sums

    def _few_sums(self, ids: Sequence[list[int]]) -> np.ndarray:
        sums = np.empty((len(ids), self.table.shape[1]), np.float32)
        for row, tokens in enumerate(ids):
            np.add.reduce(self.table.take(np.array(tokens, np.intp), axis=0), axis=0, out=sums[row])
        return sums

    def _sums(self, ids: Sequence[list[int]]) -> np.ndarray:
        from scipy.sparse import csr_array

        ends = np.cumsum([0, *map(len, ids)])
        tokens = np.fromiter(chain.from_iterable(ids), np.int64, count=int(ends[-1]))
        ones = np.ones(len(tokens), np.float32)
        return csr_array((ones, tokens, ends), shape=(len(ids), len(self.table))) @ self.table


def accelerate_static(model: Any, backend: str, device: str) -> StaticModel | None:
    """The fast form of a `StaticEmbedding` in a `SentenceTransformer`, with or without a linear layer and `Normalize`.

    Any other model gives None.

    Raises:
        ConfigError: unknown back end, or one that does not run on `device`; a known one makes no difference.
    """
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

    static, *rest = model
    layer = rest.pop(0) if rest and _is_linear(rest[0]) else None
    if type(static) is not StaticEmbedding or any(type(module) is not Normalize for module in rest):
        return None
    table = static.embedding.weight.detach().cpu().numpy()
    if table.dtype != np.float32 or static.embedding.mode != "mean":
        return None
    choose(backend, device)
    found = StaticModel(open_tokeniser(static.tokenizer), np.ascontiguousarray(table), normalise=bool(rest))
    if layer is None:
        return found
    bias = None if layer.linear.bias is None else layer.linear.bias.detach().cpu().numpy()
    return replace(found, layer=np.ascontiguousarray(layer.linear.weight.detach().cpu().numpy().T), bias=bias)


def _is_linear(module: Any) -> bool:
    """Whether `module` is a linear layer on the vector of a text, and nothing more."""
    import torch
    from sentence_transformers.base.modules import Dense

    return (
        isinstance(module, Dense)
        and isinstance(module.activation_function, torch.nn.Identity)
        and module.module_input_name == module.module_output_name == "sentence_embedding"
        and module.linear.weight.dtype == torch.float32
        and not module.use_residual
    )
