"""Dense and static models, and bundles of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rankdistill.bundles import open_document_encoder, open_query_encoder
from rankdistill.bundles.layout import DOCUMENT, POINTER, Bundle
from rankdistill.inference import conversation, trained_dimensions
from rankdistill.inference.encoder import TextEncoder
from rankdistill.inference.fast_model import FastModel
from rankdistill.inference.static_model import StaticModel
from rankdistill.serving.contracts import ServedModel, Side
from rankdistill.serving.embedding_model import EmbeddingModel, ServedTower
from rankdistill.serving.engine.rows import Tower
from rankdistill.serving.engine.static_tower import StaticTower
from rankdistill.serving.engine.text_tower import TextTower
from rankdistill.serving.engine.token_tower import TokenTower
from rankdistill.serving.loaders.loading import Loading, precision_of, sample_of
from rankdistill.space import Space


def load(reference: str, loading: Loading) -> ServedModel:
    """One model for both sides."""
    documents = loading.documents if isinstance(loading.documents, Space) else None
    encoder = open_query_encoder(reference, loading.backend, documents=documents, threads=loading.threads)
    query = _served(encoder, encoder.query_prompt, loading)
    towers: dict[Side, ServedTower] = {
        "query": query,
        "document": ServedTower(query.tower, query.lane, encoder.document_prompt),
    }
    spaces = encoder.query_spaces
    return _embedding(loading, encoder, spaces[-1], spaces, towers, routed=_is_routed(encoder))


def load_bundle(reference: str, loading: Loading) -> ServedModel:
    """Both towers, or the query tower alone where the bundle only points to another model for its documents."""
    bundle = Bundle.read(Path(reference).expanduser())
    query = open_query_encoder(reference, loading.backend, documents=bundle.space, threads=loading.threads)
    towers: dict[Side, ServedTower] = {"query": _served(query, query.query_prompt, loading)}
    if query.space == bundle.space:  # one model for both
        towers["document"] = ServedTower(towers["query"].tower, towers["query"].lane, query.document_prompt)
    elif not (bundle.folder / DOCUMENT / POINTER).is_file():
        documents = open_document_encoder(reference, loading.backend, threads=loading.threads)
        towers["document"] = _served(documents, documents.document_prompt, loading)
    about = (
        f"its documents were encoded by {bundle.document_model}: serve that model under a name of its own, or make the "
        "bundle with --include-document-model"
    )
    spaces = (bundle.space,) if query.space == bundle.space else (query.space, bundle.space)
    return _embedding(loading, query, bundle.space, spaces, towers, about=about)


def _embedding(
    loading: Loading,
    encoder: TextEncoder,
    space: Space,
    query_spaces: Sequence[Space],
    towers: Mapping[Side, ServedTower],
    *,
    routed: bool = False,
    about: str = "",
) -> ServedModel:
    return EmbeddingModel(
        name=loading.name,
        kind="dense",
        space=space,
        query_spaces=query_spaces,
        dimensions=trained_dimensions.of(encoder.reference.path, space.dimension),
        backend=encoder.backend,
        precision=precision_of(encoder.backend),
        weights=encoder.reference.weights_hash,
        prompts=encoder.prompts,
        towers=towers,
        stacked=_stacked,
        routed=routed,
        limits=loading.limits,
        metrics=loading.metrics,
        about=about,
        conversation=conversation.read(encoder.reference.path),
    )


def _served(encoder: TextEncoder, prompt: str, loading: Loading) -> ServedTower:
    tower = _tower_of(encoder)
    return ServedTower(tower, loading.lane(tower, sample_of(tower), isinstance(tower, StaticTower)), prompt)


def _tower_of(encoder: TextEncoder) -> Tower:
    """How `encoder` is run: from token ids where its numbers are the same then."""
    fast, kept = encoder.accelerated, encoder.model.truncate_dim
    if isinstance(fast, StaticModel):
        return StaticTower(fast, encoder.model.tokenizer, kept)
    if isinstance(fast, FastModel) and not encoder.pools_without_prompt:
        tower = TokenTower.of(fast, 1, kept)
        if tower is not None:
            return tower
    lengths: dict[Side, int | None] = {"query": encoder.max_length, "document": encoder.max_length}
    return TextTower(partial(_encoded, encoder), encoder.model.tokenizer, lengths)


def _encoded(encoder: TextEncoder, texts: list[str], side: Side, prompt: str) -> np.ndarray:
    if side == "query":
        return encoder.encode_queries(texts, prompt=prompt)
    return encoder.encode_documents(texts, prompt=prompt)


def _is_routed(encoder: TextEncoder) -> bool:
    """Whether texts take another way through the model on each side."""
    from sentence_transformers.base.modules import Router

    return any(isinstance(module, Router) for module in encoder.model)


def _stacked(outputs: Sequence[Any]) -> np.ndarray:
    return np.stack(outputs) if len(outputs) > 1 else outputs[0][None]
