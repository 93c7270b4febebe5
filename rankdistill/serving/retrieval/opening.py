"""Opening the search service: each index with the model that its queries are encoded with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rankdistill.errors import ConfigError, SpaceMismatchError
from rankdistill.fusion import Fusion
from rankdistill.indexing import StoredIndex
from rankdistill.indexing.searching import opened
from rankdistill.notes import note
from rankdistill.serving.contracts import Limits, ServedModel
from rankdistill.serving.retrieval.leg import Leg
from rankdistill.serving.retrieval.reranking import WITHOUT_TEXTS, open_reranker
from rankdistill.serving.retrieval.service import IndexSearch
from rankdistill.serving.retrieval.texts import of_collection


def open_search(
    indexes: Mapping[str, str | Path | StoredIndex],
    models: Mapping[str, ServedModel],
    *,
    reranker: str | None = None,
    limits: Limits | None = None,
    rerank_depth: int = 100,
    parameters: Mapping[str, Mapping[str, float]] | None = None,
    fusion: Fusion | None = None,
    data: str | Path | None = None,
) -> IndexSearch:
    """The search service over indexes, each searched with the model of `models` whose space it is of.

    Args:
        indexes: name -> folder of an index, or the index.
        models: name -> model; the first that fits an index encodes its queries.
        reranker: name of the model that re-ranks.
        limits: of requests; the usual ones unless given.
        rerank_depth: documents that are re-ranked.
        parameters: index name -> search parameters, such as `efSearch`.
        fusion: how the indexes are fused where they hold the same documents; reciprocal ranks unless given.
        data: folder of the collection, whose whole texts are re-ranked and shown.

    Raises:
        DataError: there is no such index.
        ConfigError: no index, an unknown search parameter, weights that do not fit; a re-ranker of another kind, or a
            collection that lacks documents of an index.
        SpaceMismatchError: no model is of an index's space.
    """
    if not indexes:
        raise ConfigError(
            expected="an index to search",
            got="none",
            consequence="there is no search",
            remedy="name an index, or serve without search",
        )
    limits = limits or Limits()
    legs = {}
    for name, place in indexes.items():
        index = opened(place, (parameters or {}).get(name))
        legs[name] = Leg(name, index, _model_of(name, index, models), limits.wait)
    fused = list(legs.values()) if _same_documents([leg.index for leg in legs.values()]) else []
    fusion = fusion or Fusion()
    if fused:
        fusion.require_systems(len(fused))
    texts = None if data is None else of_collection(data)
    second = None
    if reranker is not None:
        second = open_reranker(_reranker_of(reranker, models), rerank_depth, list(legs.values()), texts)
        if second is None:
            note(f"searches are not re-ranked: {WITHOUT_TEXTS}")
    return IndexSearch(legs, fused, limits, fusion, second, texts)


def _reranker_of(name: str, models: Mapping[str, ServedModel]) -> ServedModel:
    if name not in models:
        raise ConfigError(
            expected=f"a served model as re-ranker: {', '.join(models)}",
            got=repr(name),
            consequence="nothing was served",
            remedy="serve it, or name another one",
        )
    return models[name]


def _model_of(name: str, index: StoredIndex, models: Mapping[str, ServedModel]) -> ServedModel | None:
    kind = index.kind.name
    if kind == "text":
        return None
    refused: SpaceMismatchError | None = None
    for model in models.values():
        if model.kind != kind or "query" not in model.sides:
            continue
        try:
            index.kind.require(index.space, model.query_spaces, False)
        except SpaceMismatchError as error:
            refused = refused or error
        else:
            return model
    if refused is not None:
        raise SpaceMismatchError(
            expected=f"for the index {name}: {refused.expected}",
            got=refused.got,
            consequence="it was not served: scores between two spaces mean nothing",
            remedy=f"serve the model that it was built with ({index.model}) or a student aligned with it",
        ) from refused
    raise SpaceMismatchError(
        expected=f"a served model of kind {kind} for the queries of the index {name}",
        got=", ".join(f"{model.name} ({model.kind})" for model in models.values()) or "no model",
        consequence="the index was not served: nothing could encode its queries",
        remedy=f"serve the model that it was built with as well: {index.model}",
    )


def _same_documents(indexes: Sequence[StoredIndex]) -> bool:
    """Whether there are several, all of the same ids: else a fused ranking would favour what is in more of them."""
    first = set(indexes[0].ids)
    return len(indexes) > 1 and all(set(one.ids) == first for one in indexes[1:])
