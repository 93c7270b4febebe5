"""Which indexes answer a request, and what is wrong with it before anything is encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rankdistill.serving.contracts import Limits, SearchRequest
from rankdistill.serving.refusals import BadRequestError, EmptyError, TooLargeError, UnknownError
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
        text: the query's text; None for a vector.
    """

    mode: str
    legs: Sequence[Leg]
    text: str | None


def plan(request: SearchRequest, legs: Mapping[str, Leg], fused: Sequence[Leg], limits: Limits) -> Plan:
    """What answers `request`.

    Args:
        request: as it came.
        legs: name -> index.
        fused: those that are searched together; empty where there are none.
        limits: of `k`.

    Raises:
        BadRequestError: not one query, a `k` below 1, a mode that is not served or that does not fit the index.
        EmptyError: a blank query.
        TooLargeError: `k` beyond the limit.
        UnknownError: an index that is not served.
    """
    text = _text(request)
    if request.k < 1:
        raise BadRequestError(
            expected="k of at least 1", got=str(request.k), consequence="nothing was searched", remedy="give k >= 1"
        )
    if request.k > limits.k:
        raise TooLargeError(
            expected=f"k of at most {limits.k}",
            got=str(request.k),
            consequence="nothing was searched",
            remedy="ask for fewer documents; the limit is in /info",
        )
    mode, chosen = _chosen(request, legs, fused)
    if text is None and mode == FUSED:
        raise BadRequestError(
            expected="a `query` for fused search: each index has its own model",
            got="a vector",
            consequence="nothing was searched",
            remedy="send the text, or name the `index` whose vector this is",
        )
    return Plan(mode, chosen, text)


def _text(request: SearchRequest) -> str | None:
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
    return request.query


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
