"""Models as they are served: `load_model` takes whatever a reference names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rankdistill import models
from rankdistill.bundles import open_document_encoder, open_query_encoder
from rankdistill.bundles.layout import POINTER, Bundle, is_bundle
from rankdistill.errors import ModelReferenceError
from rankdistill.inference import conversation
from rankdistill.inference.backends import BACKENDS
from rankdistill.inference.encoder import TextEncoder
from rankdistill.inference.fast_model import FastModel
from rankdistill.inference.loading import kind_of
from rankdistill.inference.static_model import StaticModel
from rankdistill.serving.contracts import Limits, Metrics, ServedModel, Side
from rankdistill.serving.embedding_model import EmbeddingModel, ServedTower
from rankdistill.serving.engine.lane import Lane
from rankdistill.serving.engine.rows import Row, Tower
from rankdistill.serving.engine.static_tower import StaticTower
from rankdistill.serving.engine.text_tower import TextTower
from rankdistill.serving.engine.token_tower import TokenTower
from rankdistill.space import Space

USUAL = Limits()

SIDES: tuple[Side, ...] = ("query", "document")


def load_model(
    reference: str,
    *,
    name: str | None = None,
    backend: str = "fast",
    threads: int | None = None,
    limits: Limits = USUAL,
    metrics: Metrics | None = None,
    documents: Space | None = None,
) -> ServedModel:
    """Load, warm up and measure a model; it answers in whatever event loop first asks it. Blocks for seconds.

    Args:
        reference: folder of a bundle, or a reference of a dense, static, sparse or multi-vector model or of a
            cross-encoder.
        name: what requests call it; None: the name of its folder.
        backend: a back end's name; `fast`: the fastest here that keeps float32's ranking; `auto`: of float32.
        threads: of the back end; None takes all that torch has.
        limits: of waiting, of batches, of the cache.
        metrics: told of the queue, of batches and of the cache.
        documents: space of the documents that will be searched: see `bundles.open_query_encoder`.

    Raises:
        ModelReferenceError: nothing there that can be served.
        SpaceMismatchError: a bundle was edited.
        DataError: it is unfinished.
        ConfigError: unknown back end, or one that does not run this model.
    """
    loading = Loading(name or models.name_of(reference), backend, threads, limits, metrics, documents)
    if is_bundle(reference):
        return _bundle(reference, loading)
    kind = kind_of(models.resolve(reference).path)
    if kind not in LOADERS:
        raise ModelReferenceError(
            expected="a bundle, or a dense, static, sparse or multi-vector model, or a cross-encoder",
            got=f"{reference}: a causal language model",
            consequence="nothing is served",
            remedy="serve what was distilled from it",
        )
    return LOADERS[kind](reference, loading)


@dataclass(frozen=True)
class Loading:
    """What all kinds of models are loaded with; see `load_model`."""

    name: str
    backend: str
    threads: int | None
    limits: Limits
    metrics: Metrics | None
    documents: Space | None

    def lane(self, tower: Any, sample: Callable[[int], Row], inline: bool = False) -> Lane:
        """A queue for `tower`, measured and warm."""
        return Lane(tower, sample, self.limits, self.metrics, self.name, inline)


def _dense(reference: str, loading: Loading) -> ServedModel:
    encoder = open_query_encoder(reference, loading.backend, documents=loading.documents, threads=loading.threads)
    tower = _tower_of(encoder)
    lane = loading.lane(tower, _sample(tower), isinstance(tower, StaticTower))
    return _embedding(
        loading,
        encoder,
        encoder.query_spaces[-1],
        encoder.query_spaces,
        {
            "query": ServedTower(tower, lane, encoder.query_prompt),
            "document": ServedTower(tower, lane, encoder.document_prompt),
        },
    )


def _bundle(reference: str, loading: Loading) -> ServedModel:
    """Both towers, or the query tower alone where the bundle only points to the model of its documents."""
    bundle = Bundle.read(Path(reference).expanduser())
    query = open_query_encoder(reference, loading.backend, documents=bundle.space, threads=loading.threads)
    tower = _tower_of(query)
    lane = loading.lane(tower, _sample(tower), isinstance(tower, StaticTower))
    towers: dict[Side, ServedTower] = {"query": ServedTower(tower, lane, query.query_prompt)}
    about = (
        f"its documents were encoded by {bundle.document_model}: serve that model under a name of its own, or make the "
        "bundle with --include-document-model"
    )
    if not (bundle.folder / "document" / POINTER).is_file():
        documents = open_document_encoder(reference, loading.backend, threads=loading.threads)
        other = _tower_of(documents)
        other_lane = loading.lane(other, _sample(other), isinstance(other, StaticTower))
        towers["document"] = ServedTower(other, other_lane, documents.document_prompt)
    return _embedding(loading, query, bundle.space, (query.space, bundle.space), towers, about)


def _embedding(
    loading: Loading,
    encoder: TextEncoder,
    space: Space,
    query_spaces: tuple[Space, ...],
    towers: Mapping[Side, ServedTower],
    about: str = "",
) -> ServedModel:
    return EmbeddingModel(
        name=loading.name,
        kind="dense",
        space=space,
        query_spaces=query_spaces,
        dimensions=(space.dimension,),
        backend=encoder.backend,
        precision=_precision(encoder.backend),
        weights=encoder.reference.weights_hash,
        prompts=encoder.prompts,
        towers=towers,
        stacked=_stacked,
        limits=loading.limits,
        metrics=loading.metrics,
        about=about,
        conversation=conversation.read(encoder.reference.path),
    )


LOADERS: Mapping[str, Callable[[str, Loading], ServedModel]] = {"encoder": _dense}
"""Kind of a model's folder -> what loads it."""


def _tower_of(encoder: TextEncoder) -> Tower:
    """How `encoder` is run: from token ids where its numbers are the same then."""
    fast, kept = encoder.accelerated, encoder.model.truncate_dim
    if isinstance(fast, StaticModel):
        return StaticTower(fast, encoder.model.tokenizer, kept)
    prompted = encoder.pools_without_prompt and any(encoder.prompts.values())
    if isinstance(fast, FastModel) and not prompted:
        tower = TokenTower.of(fast, 1, kept)
        if tower is not None:
            return tower
    return TextTower(partial(_encoded, encoder), encoder.model.tokenizer, dict.fromkeys(SIDES, encoder.max_length))


def _encoded(encoder: TextEncoder, texts: list[str], side: Side, prompt: str) -> np.ndarray:
    if side == "query":
        return encoder.encode_queries(texts, prompt=prompt)
    return encoder.encode_documents(texts, prompt=prompt)


def _sample(tower: Tower) -> Callable[[int], Row]:
    """Rows of about so many tokens, for measuring and probing."""

    def sample(tokens: int) -> Row:
        return tower.rows([" ".join(["river"] * max(1, tokens - 2))], "query", "")[0]

    return sample


def _stacked(outputs: Any) -> np.ndarray:
    return np.stack(outputs) if len(outputs) > 1 else outputs[0][None]


def _precision(backend: str) -> str:
    return BACKENDS[backend].precision if backend in BACKENDS else "float32"
