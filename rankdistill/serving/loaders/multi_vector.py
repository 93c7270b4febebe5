"""Multi-vector models (ColBERT and its kin): a vector a token."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from rankdistill.inference import conversation
from rankdistill.inference.multi_vector_encoder import MultiVectorTextEncoder
from rankdistill.serving.contracts import ServedModel, Side
from rankdistill.serving.embedding_model import EmbeddingModel, ServedTower
from rankdistill.serving.engine.text_tower import TextTower
from rankdistill.serving.loaders.loading import Loading, precision_of, sample_of


def load(reference: str, loading: Loading) -> ServedModel:
    """One model for both sides, which have lengths of their own."""
    encoder = MultiVectorTextEncoder(reference, loading.backend, loading.length(reference), threads=loading.threads)
    lengths: dict[Side, int | None] = {"query": encoder.query_length, "document": encoder.document_length}
    tower = TextTower(partial(_encoded, encoder), encoder.tokenizer, lengths)
    lane = loading.lane(tower, sample_of(tower))
    return EmbeddingModel(
        name=loading.name,
        kind="multi_vector",
        space=encoder.space,
        query_spaces=encoder.query_spaces,
        dimensions=(encoder.dimension,),
        backend=encoder.backend,
        precision=precision_of(encoder.backend),
        weights=encoder.reference.weights_hash,
        prompts=encoder.prompts,
        towers={
            "query": ServedTower(tower, lane, encoder.query_prompt),
            "document": ServedTower(tower, lane, encoder.document_prompt),
        },
        stacked=list,
        routed=True,
        limits=loading.limits,
        metrics=loading.metrics,
        conversation=conversation.read(encoder.reference.path),
    )


def _encoded(encoder: MultiVectorTextEncoder, texts: list[str], side: Side, prompt: str) -> Sequence[np.ndarray]:
    """The token vectors of each text, float32 `[tokens, dimension]`."""
    encode = encoder.encode_queries if side == "query" else encoder.encode_documents
    found = encode(texts, prompt=prompt)
    return [found[place] for place in range(len(found))]
