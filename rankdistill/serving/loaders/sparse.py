"""Sparse models (SPLADE and its kin), those whose queries need no inference among them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rankdistill.inference import conversation
from rankdistill.inference.sparse_encoder import SparseTextEncoder
from rankdistill.serving.contracts import ServedModel, Side
from rankdistill.serving.embedding_model import EmbeddingModel, ServedTower
from rankdistill.serving.engine.text_tower import TextTower
from rankdistill.serving.loaders.loading import Loading, precision_of, sample_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

WEIGHT = np.dtype([("term", np.int32), ("weight", np.float32)])
"""An element of a row's output."""


def load(reference: str, loading: Loading) -> ServedModel:
    """One model for both sides."""
    encoder = SparseTextEncoder(reference, loading.backend, loading.length(reference), threads=loading.threads)
    lengths: dict[Side, int | None] = {"query": encoder.max_length, "document": encoder.max_length}
    tower = TextTower(partial(_encoded, encoder), encoder.tokenizer, lengths, lambda output: output["weight"])
    lane = loading.lane(tower, sample_of(tower), inline=encoder.inference_free)
    other = loading.lane(tower, sample_of(tower, "document")) if encoder.inference_free else lane
    return EmbeddingModel(
        name=loading.name,
        kind="sparse",
        space=encoder.space,
        query_spaces=encoder.query_spaces,
        dimensions=(encoder.dimension,),
        backend=encoder.backend,
        precision=precision_of(encoder.backend),
        weights=encoder.reference.weights_hash,
        prompts=encoder.prompts,
        towers={
            "query": ServedTower(tower, lane, encoder.query_prompt),
            "document": ServedTower(tower, other, encoder.document_prompt),
        },
        stacked=partial(_stacked, encoder.dimension),
        routed=encoder.is_routed,
        terms=encoder.vocabulary,
        limits=loading.limits,
        metrics=loading.metrics,
        conversation=conversation.read(encoder.reference.path),
    )


def _encoded(encoder: SparseTextEncoder, texts: list[str], side: Side, prompt: str) -> list[np.ndarray]:
    """The weights of each text, an array of `WEIGHT` each."""
    encode = encoder.encode_queries if side == "query" else encoder.encode_documents
    found = encode(texts, prompt=prompt)
    whole = np.empty(found.nnz, WEIGHT)
    whole["term"], whole["weight"] = found.indices, found.data
    return [whole[start:stop] for start, stop in zip(found.indptr[:-1], found.indptr[1:], strict=True)]


def _stacked(dimension: int, outputs: Sequence[Any]) -> csr_array:
    from scipy.sparse import csr_array

    whole = outputs[0] if len(outputs) == 1 else np.concatenate(outputs)
    starts = np.cumsum([0, *map(len, outputs)])
    return csr_array((whole["weight"].copy(), whole["term"].copy(), starts), shape=(len(outputs), dimension))
