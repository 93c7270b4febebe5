"""Which indexes answer a request, and what is wrong with it before anything is encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from rankdistill.errors import ConfigError
from rankdistill.indexing.fused import DEPTH
from rankdistill.serving.contracts import Limits, SearchRequest, ServedModel
from rankdistill.serving.refusals import (
    BadRequestError,
    EmptyError,
    OtherSpaceError,
    TooLargeError,
    TooLongError,
    UnknownError,
)
from rankdistill.serving.retrieval.leg import Leg

FUSED = "fused"
MODES = ("dense", "sparse", "multi_vector", "bm25", FUSED)
"""What a request may ask for; a server offers those that it has indexes of."""


@dataclass(frozen=True)
class Plan:
    """What answers a request.

    Args:
        mode: one of `MODES`.
        legs: one, or all that are fused.
        texts: index name -> the query as a text, as its model reads it; empty for a vector.
        reranked: whether the re-ranker orders what was found.
        depth: documents that each index is asked for.
        cut: whether a model reads the newest turns of a conversation alone.
    """

    mode: str
    legs: Sequence[Leg]
    texts: Mapping[str, str]
    reranked: bool
    depth: int
    cut: bool = False


def plan(
    request: SearchRequest, legs: Mapping[str, Leg], fused: Sequence[Leg], limits: Limits, rerank_depth: int | None
) -> Plan:
    """What answers `request`.

    Args:
        request: as it came.
        legs: name -> index.
        fused: those that are searched together; empty where there are none.
        limits: of `k`.
        rerank_depth: documents that the re-ranker scores; None: there is none.

    Raises:
        BadRequestError: not one query, a `k` below 1, a mode that is not served or that does not fit the index; turns
            for a model that reads none; re-ranking where there is no re-ranker, or of what is no text.
        EmptyError: a blank query.
        TooLargeError: `k` beyond the limit.
        TooLongError: turns would be left out, and the request says that nothing is.
        UnknownError: an index that is not served.
        OtherSpaceError: the client expects another space.
    """
    _require_one_query(request)
    _require_k(request.k, limits.k)
    mode, chosen = _chosen(request, legs, fused)
    if request.vector is not None and mode == FUSED:
        raise BadRequestError(
            expected="a `query` for fused search: each index has its own model",
            got="a vector",
            consequence="nothing was searched",
            remedy="send the text, or name the `index` whose vector this is",
        )
    if request.space is not None and all(request.space != leg.fingerprint for leg in chosen):
        raise OtherSpaceError(
            expected=f"the space of {', '.join(leg.name for leg in chosen)}: {chosen[0].fingerprint}",
            got=request.space,
            consequence="the index was changed since, or the vector is of another model; nothing was searched",
            remedy="encode with the model that is served now",
        )
    if request.rerank:
        _require_rerankable(request, rerank_depth)
    depth = max(request.k, DEPTH) if mode == FUSED else request.k
    if request.rerank and rerank_depth is not None:
        depth = max(depth, rerank_depth)
    texts = {leg.name: text for leg in chosen if (text := _text_for(leg, request)) is not None}
    cut = [leg for leg in chosen if _is_cut(leg, request, texts)]
    if cut and not request.truncate:
        raise _too_long(cut[0])
    return Plan(mode, chosen, texts, request.rerank, depth, bool(cut))


def _require_one_query(request: SearchRequest) -> None:
    given = [name for name in ("query", "vector", "turns") if getattr(request, name) is not None]
    if len(given) != 1:
        raise BadRequestError(
            expected="one of query, vector and turns",
            got=" and ".join(given) or "none of them",
            consequence="nothing was searched",
            remedy="send the query's text as `query`",
        )
    if request.query is not None and not request.query.strip():
        raise EmptyError(
            expected="a query with a word",
            got=repr(request.query),
            consequence="nothing was searched: every document would be as good",
            remedy="send the user's words",
        )


def _require_k(k: int, most: int) -> None:
    if k < 1:
        raise BadRequestError(
            expected="k of at least 1", got=str(k), consequence="nothing was searched", remedy="give k >= 1"
        )
    if k > most:
        raise TooLargeError(
            expected=f"k of at most {most}",
            got=str(k),
            consequence="nothing was searched",
            remedy="ask for fewer documents; the limit is in /info",
        )


def _require_rerankable(request: SearchRequest, rerank_depth: int | None) -> None:
    if rerank_depth is None:
        raise BadRequestError(
            expected="a server that can re-rank",
            got="rerank: true to one without --reranker, or without the documents' texts",
            consequence="nothing was searched",
            remedy="serve with --reranker and --data COLLECTION, or leave rerank out",
        )
    if request.query is None:
        raise BadRequestError(
            expected="a `query` where documents are re-ranked: the re-ranker reads its words",
            got="a vector" if request.vector is not None else "a conversation, which it was not trained to read",
            consequence="nothing was searched",
            remedy="send a query that says all, or leave rerank out",
        )


def _text_for(leg: Leg, request: SearchRequest) -> str | None:
    """The query as the leg's model reads it; None for a vector."""
    if request.turns is None:
        return request.query
    reads = None if leg.model is None else leg.model.conversation
    if leg.model is None or reads is None:
        raise BadRequestError(
            expected=f"a `query`: {leg.name} is searched by "
            + ("words" if leg.model is None else f"{leg.model.name}, which was not trained to read conversations"),
            got="turns",
            consequence="nothing was searched: it would take the last answer for the question",
            remedy="send the question, rewritten to say all, as `query`; or serve a model with a conversation.json",
        )
    try:
        return reads.join(request.turns, partial(_tokens, leg.model), leg.model.max_length("query"))
    except ConfigError as error:
        raise BadRequestError(
            expected=error.expected, got=error.got, consequence="nothing was searched", remedy=error.remedy
        ) from error


def _is_cut(leg: Leg, request: SearchRequest, texts: Mapping[str, str]) -> bool:
    """Whether turns are left out of the leg's text; what its model cuts of the text itself, the model tells."""
    if request.turns is None or leg.model is None or leg.model.conversation is None:
        return False
    return texts[leg.name] != leg.model.conversation.whole(request.turns)


def _too_long(leg: Leg) -> TooLongError:
    assert leg.model is not None
    return TooLongError(
        expected=f"a conversation of at most {leg.model.max_length('query')} tokens, as {leg.model.name} reads them",
        got="a longer one",
        consequence="nothing was searched: its oldest turns would have been left out",
        remedy="send the newest turns alone, or let it be cut (truncate: END)",
    )


def _tokens(model: ServedModel, text: str) -> int:
    """How many tokens a query has for the model, with its prompt and the special ones."""
    return len(model.tokenise([model.prompts.get("query", "") + text], "query")[0])


def _chosen(request: SearchRequest, legs: Mapping[str, Leg], fused: Sequence[Leg]) -> tuple[str, Sequence[Leg]]:
    mode = request.mode
    modes = served_modes(legs, fused)
    if mode is not None and mode not in modes:
        raise BadRequestError(
            expected=f"a mode of this server: {', '.join(modes)}",
            got=repr(mode),
            consequence="nothing was searched",
            remedy="serve an index of that kind, or leave the mode out",
        )
    if request.index is not None:
        if request.index not in legs:
            raise UnknownError(
                expected=f"a served index: {', '.join(legs)}",
                got=repr(request.index),
                consequence="nothing was searched",
                remedy="name one of those, or leave it out",
            )
        leg = legs[request.index]
        if mode not in (None, leg.mode):
            raise BadRequestError(
                expected=f"the mode of {leg.name}: {leg.mode}",
                got=repr(mode),
                consequence="nothing was searched",
                remedy="leave the mode out, or the index" if mode == FUSED else "leave the mode out",
            )
        return leg.mode, [leg]
    if mode == FUSED or (mode is None and fused):
        return FUSED, fused
    possible = [leg for leg in legs.values() if mode in (None, leg.mode)]
    if len(possible) > 1:
        raise BadRequestError(
            expected="the name of an index: several could answer"
            + ("" if fused else ", and they hold other documents, so that they are not fused"),
            got=", ".join(leg.name for leg in possible),
            consequence="nothing was searched",
            remedy="add `index`",
        )
    return possible[0].mode, possible


def served_modes(legs: Mapping[str, Leg], fused: Sequence[Leg]) -> tuple[str, ...]:
    """Those of `MODES` that there are indexes for."""
    return tuple(mode for mode in MODES if (mode == FUSED and fused) or any(leg.mode == mode for leg in legs.values()))
