"""A sparse model of token weights alone: what its vectors hold can be told in advance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def term_weights(
    bert: Path,
    out: Path,
    documents: Mapping[str, float],
    queries: Mapping[str, float] | None = None,
    more_tokens: Sequence[str] = (),
) -> Path:
    """Save a `SparseEncoder` that gives each token of a text the weight named here, all others 0.

    Args:
        bert: whose tokeniser.
        out: the folder.
        documents: token -> weight in documents.
        queries: the same for queries; None: as in documents.
        more_tokens: that the tokeniser does not have yet.
    """
    import torch
    from sentence_transformers import SparseEncoder
    from sentence_transformers.base.modules import Router
    from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(bert)
    tokenizer.add_tokens(list(more_tokens))

    def weighted(of_tokens: Mapping[str, float]) -> SparseStaticEmbedding:
        weights = torch.zeros(len(tokenizer))
        for token, weight in of_tokens.items():
            weights[tokenizer.convert_tokens_to_ids(token)] = weight
        return SparseStaticEmbedding(tokenizer, weight=weights)

    sides = weighted(documents)
    if queries is not None:
        sides = Router.for_query_document([weighted(queries)], [sides])
    SparseEncoder(modules=[sides], device="cpu", similarity_fn_name="dot").save_pretrained(
        str(out), create_model_card=False
    )
    return out
